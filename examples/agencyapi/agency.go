package agencyapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// agency is what the Agency API works on.
type agency struct {
	company                                                                  record
	advertisers, contacts, jobs, reports, notes, messages, cases, statements *shelf
}

// The shelves of the agency, by the names that the tables below use.
func advertisers(c *call) *shelf { return c.agency.advertisers }
func contacts(c *call) *shelf    { return c.agency.contacts }
func agencyJobs(c *call) *shelf  { return c.agency.jobs }
func reports(c *call) *shelf     { return c.agency.reports }
func notes(c *call) *shelf       { return c.agency.notes }
func messages(c *call) *shelf    { return c.agency.messages }
func cases(c *call) *shelf       { return c.agency.cases }
func statements(c *call) *shelf  { return c.agency.statements }
func company(c *call) *record    { return &c.agency.company }

// agencyV2 is the older version: messages still exist, notes cannot be changed once written, and the
// company has no contacts.
func agencyV2() []operation {
	return []operation{
		{"GET", "/Advertisers", list(advertisers)},
		{"GET", "/Advertisers/{AdvertiserId}", get(advertisers, "AdvertiserId")},
		{"GET", "/CompanyInformation", one(company)},
		{"GET", "/Jobs", list(agencyJobs, "Status")},
		{"GET", "/Jobs/{JobId}", get(agencyJobs, "JobId")},
		{"GET", "/Jobs/{JobId}/Download", download(agencyJobs)},
		{"PUT", "/Jobs/{JobId}/Replay", mark(agencyJobs, "JobId", "Status", "QUEUED")},
		{"GET", "/Reports", list(reports)},
		{"GET", "/Reports/{ReportId}", runReport},
		{"GET", "/Reports/{ReportId}/MetaData", get(reports, "ReportId")},
		{"GET", "/ReportExport/{ReportId}", export(agencyJobs, reportName)},
		{"GET", "/Notes", list(notes)},
		{"POST", "/Notes", create(notes, "Text")},
		{"GET", "/Messages", list(messages)},
		{"POST", "/Messages", create(messages, "AdvertiserId", "Text")},
	}
}

// agencyV3 is the current version.
func agencyV3() []operation {
	return []operation{
		{"GET", "/Advertisers", list(advertisers, "Status")},
		{"GET", "/Advertisers/{AdvertiserId}", get(advertisers, "AdvertiserId")},
		{"GET", "/Company", one(company)},
		{"PUT", "/Company", revise(company)},
		{"GET", "/Company/Contacts", list(contacts)},
		{"GET", "/Jobs", list(agencyJobs, "Status", "Type")},
		{"GET", "/Jobs/{JobId}", get(agencyJobs, "JobId")},
		{"DELETE", "/Jobs/{JobId}", mark(agencyJobs, "JobId", "Status", "CANCELLED")},
		{"GET", "/Jobs/{JobId}/Download", download(agencyJobs)},
		{"PUT", "/Jobs/{JobId}/Replay", mark(agencyJobs, "JobId", "Status", "QUEUED")},
		{"GET", "/Reports", list(reports)},
		{"GET", "/Reports/{ReportId}", runReport},
		{"GET", "/Reports/{ReportId}/Columns", reportColumns},
		{"GET", "/ReportExport/{ReportId}", export(agencyJobs, reportName)},
		{"GET", "/Notes", list(notes, "AdvertiserId")},
		{"POST", "/Notes", create(notes, "Text")},
		{"GET", "/Notes/{NoteId}", get(notes, "NoteId")},
		{"PUT", "/Notes/{NoteId}", update(notes, "NoteId")},
		{"DELETE", "/Notes/{NoteId}", remove(notes, "NoteId")},
		{"POST", "/Compliance/Submissions", create(cases, "AdvertiserId", "Address")},
		{"GET", "/Compliance/Submissions/{SubmissionId}", get(cases, "SubmissionId")},
		{"GET", "/Compliance/Submissions/{SubmissionId}/Results", submissionResults},
		{"GET", "/Statements", list(statements, "Currency")},
		{"GET", "/Statements/{StatementId}", get(statements, "StatementId")},
	}
}

// runReport answers a week of figures. They follow from the report's name and the day, so that two
// calls agree.
func runReport(c *call) (answer, error) {
	name, err := reportName(c)
	if err != nil {
		return answer{}, err
	}
	rows := []record{}
	for _, day := range week(c.now) {
		clicks, actions := figures(day)
		rows = append(rows, record{
			"Day": day.Format(time.DateOnly), "Clicks": clicks, "Actions": actions, "Revenue": fmt.Sprintf("%d.00", actions*37),
		})
	}
	return answer{Status: http.StatusOK, Body: record{"Report": name, "Rows": rows}}, nil
}

// reportName is the name of the report that the path names; the brand API has the same reports.
func reportName(c *call) (string, error) {
	s := c.agency.reports
	if c.brand != nil {
		s = c.brand.reports
	}
	i, err := s.find(c.params["ReportId"])
	if err != nil {
		return "", err
	}
	return fmt.Sprint(s.rows[i]["Name"]), nil
}

func reportColumns(c *call) (answer, error) {
	i, err := c.agency.reports.find(c.params["ReportId"])
	if err != nil {
		return answer{}, err
	}
	return answer{Status: http.StatusOK, Body: record{"Columns": c.agency.reports.rows[i]["Columns"]}}, nil
}

func submissionResults(c *call) (answer, error) {
	i, err := c.agency.cases.find(c.params["SubmissionId"])
	if err != nil {
		return answer{}, err
	}
	return answer{Status: http.StatusOK, Body: record{
		"SubmissionId": c.params["SubmissionId"], "Address": c.agency.cases.rows[i]["Address"],
		"Findings": []record{{"Rule": "Brand name in headline", "Outcome": "PASSED"}, {"Rule": "Disclosure shown", "Outcome": "PASSED"}},
	}}, nil
}

// week is the last seven days, oldest first.
func week(now time.Time) []time.Time {
	days := make([]time.Time, 7)
	for i := range days {
		days[i] = now.AddDate(0, 0, i-7)
	}
	return days
}

// figures are made up, but the same for a day each time.
func figures(day time.Time) (clicks, actions int) {
	n := day.YearDay()
	return 400 + n*37%211, 12 + n*7%23
}

func csvRows(c *call) string {
	var b strings.Builder
	for _, day := range week(c.now) {
		clicks, actions := figures(day)
		fmt.Fprintf(&b, "%s,%d,%d,%d.00\n", day.Format(time.DateOnly), clicks, actions, actions*37)
	}
	return b.String()
}
