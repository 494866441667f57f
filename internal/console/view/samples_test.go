package view_test

import (
	"fmt"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/internal/console/view"
)

// What the states are made of. Times are fixed, so that golden files are.

var now = time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return now.Add(-d) }

const dayLong = 24 * time.Hour

const (
	sidA = "4qYt0Wm9rXbK2sVhZc7LpA"
	sidB = "0aB1cD2eF3gH4iJ5kL6mN7"
	sidC = "9zY8xW7vU6tS5rQ4pO3nM2"
	// A made-up Auth Token of the right shape; its checksum is wrong, so no scanner takes it for one.
	authToken = "cfoil_" + sidA + "Hn3uYq0bT7mRkLw2sVxZ9cJdF4gP6aEoI8yU1tBvNcM000000"
)

// Names that try to break a page (SECURITY.md 38b).
const (
	hostileName = `<svg onload=alert(1)>{{7*7}} "quotes" & 'more'`
	longName    = "Reporting-warehouse-nightly-synchronisation-for-the-northern-and-southern-European-markets-v2-FINAL"
	turningName = "Invoice \u05d0\u05d1\u05d2 export"
)

var (
	mara  = view.Person{ID: "p1", Name: "Mara Lind", Email: "mara.lind@north.example"}
	tomas = view.Person{ID: "p2", Name: "Tomás Areal", Email: "tomas@north.example"}
	yuki  = view.Person{ID: "p3", Name: "Yuki Mori", Email: "yuki.mori@north.example"}
	gone  = view.Person{ID: "p4", Name: "Piet de Wit", Email: "piet@north.example", Left: true}
	olga  = view.Person{ID: "p9", Name: "Olga Bern", Email: "operator@platform.example"}

	north  = view.Account{ID: "104233", Name: "North & Partners", Kind: "agency", Role: view.RoleAdministrator}
	harbor = view.Account{ID: "288017", Name: "Harbour Coffee", Kind: "brand", Role: view.RoleAnalyst}
)

func frame() view.Frame {
	return view.Frame{
		CSRF: "csrf-of-this-session", Now: now, RequestID: "01J9ZK3V7Q", Person: mara,
		Account: north, Accounts: []view.Account{north, harbor}, Members: true,
	}
}

func analyst() view.Frame {
	f := frame()
	f.Account, f.Accounts, f.Members = harbor, []view.Account{harbor}, false
	return f
}

func operator() view.Frame {
	return view.Frame{CSRF: "csrf-of-this-session", Now: now, RequestID: "01J9ZK3V7Q", Person: olga, Operator: true}
}

func anybody() view.Public { return view.Public{CSRF: "csrf-before-sign-in"} }

var (
	agency3 = view.Version{API: "agency", Title: "Agency API", Name: "3", Standing: view.StandingLatest}
	agency2 = view.Version{
		API: "agency", Title: "Agency API", Name: "2", Standing: view.StandingDeprecated,
		Sunset: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC),
	}
	brand14 = view.Version{API: "brand", Title: "Brand API", Name: "14", Standing: view.StandingLatest}
	brand13 = view.Version{API: "brand", Title: "Brand API", Name: "13", Standing: view.StandingSupported}
)

func allActs() view.Acts {
	yes := view.Act{Allowed: true}
	return view.Acts{
		Duplicate: yes, Reset: yes, Disable: yes, Delete: yes,
		Upgrade: view.Act{Why: "It is on the latest version already."},
	}
}

func token() view.TokenCard {
	return view.TokenCard{
		SID: sidA, Name: "Nightly report export", State: view.StateEnabled,
		Description: "Fetches yesterday's performance by brand and puts it into the warehouse.",
		Versions:    []view.Version{agency3, brand14},
		Scopes: []view.CategoryCount{
			{API: "Agency API", Category: "Jobs", Held: 3, Of: 3},
			{API: "Agency API", Category: "Report Export", Held: 1, Of: 2},
			{API: "Agency API", Category: "Reports", Held: 2, Of: 3},
			{API: "Brand API", Category: "Actions", Held: 4, Of: 9},
			{API: "Brand API", Category: "Partners", Held: 1, Of: 6},
		},
		Contact: tomas, CreatedAt: before(83 * dayLong), CreatedBy: "Mara Lind",
		LastUsed: view.Use{At: before(4 * time.Minute), Address: "192.0.2.17", Client: "warehouse-sync/2.4 (Go-http-client)"},
		Expires:  now.Add(282 * dayLong), Reach: "3 brands", Acts: allActs(),
	}
}

func tokens() []view.TokenCard {
	yes := view.Act{Allowed: true}
	old := view.TokenCard{
		SID: sidB, Name: "Partner portal", State: view.StateEnabled, Versions: []view.Version{agency2},
		Scopes:  []view.CategoryCount{{API: "Agency API", Category: "Advertisers", Held: 2, Of: 2}, {API: "Agency API", Category: "Compliance", Held: 1, Of: 4}},
		Contact: gone, CreatedAt: before(611 * dayLong), CreatedBy: "Piet de Wit",
		LastUsed: view.Use{At: before(26 * time.Hour), Address: "2001:db8::17"}, Reach: "No brands",
		Acts: view.Acts{Duplicate: yes, Reset: yes, Upgrade: yes, Disable: yes, Delete: yes},
	}
	off := view.TokenCard{
		SID: sidC, Name: "Trial of the dashboard team", State: view.StateDisabled, Versions: []view.Version{agency3},
		Description: "Made for a trial in October.",
		Scopes:      []view.CategoryCount{{API: "Agency API", Category: "Reports", Held: 3, Of: 3}},
		Contact:     yuki, CreatedAt: before(41 * dayLong), CreatedBy: "Yuki Mori", Reach: "All managed brands",
		Acts: view.Acts{Duplicate: yes, Reset: yes, Enable: yes, Delete: yes, Upgrade: view.Act{Why: "It is on the latest version already."}},
	}
	expired := view.TokenCard{
		SID: "7hGfE6dC5bA4zY3xW2vU1t", Name: "Migration 2025", State: view.StateExpired,
		Versions: []view.Version{agency2}, Contact: mara, CreatedAt: before(400 * dayLong), CreatedBy: "Mara Lind",
		Scopes:   []view.CategoryCount{{API: "Agency API", Category: "Company Information", Held: 1, Of: 1}},
		LastUsed: view.Use{At: before(36 * dayLong)}, Expires: before(35 * dayLong), Reach: "No brands",
		Acts: view.Acts{Duplicate: yes, Reset: view.Act{Why: "It has expired: duplicate it instead."}, Delete: yes},
	}
	leaked := view.TokenCard{
		SID: "3mN4bV5cX6zL7kJ8hG9fD0", Name: "Spreadsheet add-on", State: view.StateLeaked, Versions: []view.Version{agency3},
		Contact: tomas, CreatedAt: before(9 * dayLong), CreatedBy: "Tomás Areal",
		Scopes:   []view.CategoryCount{{API: "Agency API", Category: "Advertisers", Held: 1, Of: 2}},
		LastUsed: view.Use{At: before(5 * time.Hour)}, Reach: "No brands",
		Acts: view.Acts{Enable: yes, Delete: yes},
	}
	return []view.TokenCard{token(), old, off, expired, leaked}
}

// strange tokens have names that break careless pages.
func strange() []view.TokenCard {
	a, b, c := token(), token(), token()
	a.Name, a.Description, a.Contact.Name = hostileName, hostileName, hostileName
	a.CreatedBy = hostileName
	b.SID, b.Name, b.Description = sidB, longName, strings.Repeat(longName, 4)
	b.Contact.Name = longName
	c.SID, c.Name, c.Description = sidC, turningName, strings.Repeat("\u05d0\u05d1\u05d2 words ", 40)
	return []view.TokenCard{a, b, c}
}

func box(api, version, category, label, method, path string) view.ScopeBox {
	slug := strings.ReplaceAll(strings.ToLower(label), " ", "-")
	name := strings.ReplaceAll(strings.ToLower(category), " ", "-") + "." + slug
	return view.ScopeBox{
		Value: api + "/" + version + "/" + name, Name: name, Label: label, ReadOnly: method == "GET",
		Operations: []view.Operation{{Method: method, Path: path}},
	}
}

func agencyScopes() view.ScopeAPI {
	b := func(category, label, method, path string) view.ScopeBox {
		return box("agency", "3", category, label, method, "/Agencies/{AccountSID}"+path)
	}
	export := b("Report Export", "Export Report", "GET", "/ReportExport/{ReportId}")
	export.ReadOnly, export.Description = false, "Creates a job that writes a report to a file."
	export.Needs = []string{"agency/3/jobs.get-job", "agency/3/jobs.download-job-result"}
	export.NeedsNote = "Needs Get Job and Download Job Result, with which the file is fetched."
	export.Ticked = true
	list := b("Advertisers", "List Advertisers", "GET", "/Advertisers")
	list.Sensitive = "returns the brands' own credentials."
	job, result := b("Jobs", "Get Job", "GET", "/Jobs/{JobId}"), b("Jobs", "Download Job Result", "GET", "/Jobs/{JobId}/Download")
	job.Ticked, result.Ticked = true, true
	reports := b("Reports", "List Reports", "GET", "/Reports")
	reports.Ticked = true
	refused := b("Compliance", "Delete Content", "DELETE", "/Compliance/Contents/{ContentId}")
	refused.Refused = "Your role may not give sensitive scopes. An Account Administrator can allow it under Members."
	refused.Sensitive = "deletes evidence."
	withheld := b("Compliance", "Review Content", "PUT", "/Compliance/Contents/{ContentId}/Review")
	withheld.Refused = "The operator withholds this scope from your account."
	return view.ScopeAPI{Name: "agency", Title: "Agency API", Version: "3", Categories: []view.ScopeCategory{
		{ID: "agency.advertisers", Name: "Advertisers", Scopes: []view.ScopeBox{list, b("Advertisers", "Get Advertiser", "GET", "/Advertisers/{AdvertiserId}")}},
		{ID: "agency.jobs", Name: "Jobs", On: true, About: "Long work that is done in the background.", Scopes: []view.ScopeBox{job, result, b("Jobs", "Replay Job", "PUT", "/Jobs/{JobId}/Replay")}},
		{ID: "agency.report-export", Name: "Report Export", On: true, Scopes: []view.ScopeBox{export}},
		{ID: "agency.reports", Name: "Reports", On: true, Scopes: []view.ScopeBox{reports, b("Reports", "Get Report", "GET", "/Reports/{ReportId}")}},
		{ID: "agency.company-information", Name: "Company Information", Scopes: []view.ScopeBox{b("Company Information", "Get Company Information", "GET", "/CompanyInformation")}},
		{ID: "agency.compliance", Name: "Compliance", On: true, Scopes: []view.ScopeBox{b("Compliance", "List Contents", "GET", "/Compliance/Contents"), refused, withheld}},
	}}
}

// brandScopes makes categories of five boxes each.
func brandScopes(categories int) view.ScopeAPI {
	names := []string{
		"Actions", "Action Inquiries", "Ads", "Call Data", "Catalogs", "Clicks", "Contacts", "Contracts", "Conversions",
		"Deals", "Exception Lists", "Invoices", "Notes", "Partner Groups", "Partners", "Phone Numbers", "Programs", "Promo Codes",
		"Reports", "Routing Rules", "Submissions", "Tasks", "Tracking Links",
	}
	out := view.ScopeAPI{Name: "brand", Title: "Brand API", Version: "14"}
	for i := range categories {
		name := names[i%len(names)]
		if i >= len(names) {
			name = fmt.Sprintf("%s %d", name, i/len(names)+1)
		}
		at := "/Agencies/{AccountSID}/Advertisers/{AdvertiserId}/" + strings.ReplaceAll(name, " ", "")
		id := "/{" + strings.ReplaceAll(name, " ", "") + "Id}"
		c := view.ScopeCategory{ID: "brand." + strings.ReplaceAll(strings.ToLower(name), " ", "-"), Name: name}
		for _, o := range []struct{ label, method, path string }{
			{"List " + name, "GET", at},
			{"Create one of " + name, "POST", at},
			{"Get one of " + name, "GET", at + id},
			{"Update one of " + name, "PUT", at + id},
			{"Delete one of " + name, "DELETE", at + id},
		} {
			c.Scopes = append(c.Scopes, box("brand", "14", name, o.label, o.method, o.path))
		}
		out.Categories = append(out.Categories, c)
	}
	return out
}

func contacts() view.ContactsForm {
	return view.ContactsForm{Members: []view.Person{mara, tomas, yuki}, Contact: "p2", Emails: "data-team@north.example\ndev@münchen.example"}
}

func setup() view.SetupForm {
	return view.SetupForm{
		Name: "Nightly report export", Description: "Fetches yesterday's performance by brand.",
		APIs: []view.APIChoice{{Value: "agency", Title: "Agency API", Selected: true, Versions: []view.VersionChoice{
			{Value: "3", Standing: view.StandingLatest, Suggested: true, Selected: true},
			{Value: "2", Standing: view.StandingDeprecated, Sunset: agency2.Sunset},
		}}},
		Expiries: []view.Choice{
			{Value: "30", Label: "30 days", Hint: "24 Dec 2026"},
			{Value: "90", Label: "90 days", Hint: "22 Feb 2027"},
			{Value: "365", Label: "1 year", Hint: "24 Nov 2027", Selected: true},
			{Value: "date", Label: "A date"},
			{Value: "never", Label: "No expiry"},
		},
		ExpiryFrom: "2026-11-25", ExpiryTo: "2027-11-24", ExpiryCap: "Tokens of this account last at most 365 days.",
		Reach: reach("none"),
	}
}

// limits is a part with everything set.
func limits() view.LimitsForm {
	return view.LimitsForm{
		Rate: "10", Per: "second", Burst: "50", Daily: "100000", Allow: "10.0.0.1/8\n2001:db8::/32", Deny: "192.0.2.7", Hosts: "api.example.com",
		NotBefore: "2026-12-01T06:00", Open: true, Seen: "198.51.100.7", Served: []string{"api.example.com", "eu.api.example.com"},
		Words: []string{"At most 10 calls a second, 50 at once.", "At most 100000 calls a day (UTC).", "Only from 2001:db8::/32."},
	}
}

func reach(value string) *view.ReachForm {
	r := &view.ReachForm{Value: value, API: "Brand API", Versions: []view.VersionChoice{
		{Value: "14", Standing: view.StandingLatest, Suggested: true, Selected: true},
		{Value: "13", Standing: view.StandingSupported},
	}}
	for i, n := range []string{"Harbour Coffee", "Lumen Lamps", "Otter Outdoor", "Quince Kitchens", "Saffron Travel", longName, "Tidewater Books", "Umbra Optics"} {
		r.Brands = append(r.Brands, view.BrandChoice{ID: fmt.Sprint(288017 + i*37), Name: n, Ticked: i < 3})
	}
	return r
}

func ticked(as ...view.ScopeAPI) []view.ScopeAPI {
	var out []view.ScopeAPI
	for _, a := range as {
		var cs []view.ScopeCategory
		for _, c := range a.Categories {
			var bs []view.ScopeBox
			for _, b := range c.Scopes {
				if b.Ticked {
					bs = append(bs, b)
				}
			}
			if len(bs) > 0 {
				c.Scopes = bs
				cs = append(cs, c)
			}
		}
		if len(cs) > 0 {
			a.Categories = cs
			out = append(out, a)
		}
	}
	return out
}

func review() view.Review {
	return view.Review{
		Name: "Nightly report export", Description: "Fetches yesterday's performance by brand.",
		Versions: []view.Version{agency3, brand14}, Expires: now.Add(365 * dayLong), HasReach: true, Reach: "list",
		Brands:  []string{"Harbour Coffee", "Lumen Lamps", "Otter Outdoor"},
		Contact: tomas, Emails: []string{"data-team@north.example", "dev@münchen.example"},
		Scopes: ticked(agencyScopes()),
	}
}

func wizard(step view.Step) view.TokenNewPage {
	return view.TokenNewPage{
		Frame: frame(), Draft: "d_2f9c", Step: step, Reached: step, Setup: setup(), Contacts: contacts(),
		Scopes: view.ScopesForm{APIs: []view.ScopeAPI{agencyScopes(), brandScopes(23)}, Note: "Reach cannot see a brand that is named inside a body: Compliance takes one there."},
		Review: review(),
	}
}

func events() []view.Event {
	link := view.Link{Text: "Nightly report export", Href: view.TokenPath(sidA)}
	return []view.Event{
		{
			Seq: "1204", At: before(4 * time.Minute), Who: "Mara Lind", Via: "console", Address: "192.0.2.80", What: "Changed the scopes",
			Subject: link, Details: []view.Fact{{Label: "Added", Text: "Reports: List Reports"}, {Label: "Removed", Text: "Compliance: List Contents"}},
		},
		{
			Seq: "1203", At: before(3 * time.Hour), Who: "Yuki Mori", Via: "console", Address: "2001:db8::80", What: "Reset the token",
			Subject: link, Refused: true, Details: []view.Fact{{Label: "Why", Text: "It holds a scope that this person may not give."}},
		},
		{Seq: "1190", At: before(26 * time.Hour), Who: "Deploy token", Via: "API", Address: "192.0.2.17", What: "Created a token", Subject: link, Details: []view.Fact{{Label: "SID", Text: sidA, Mono: true}}},
		{Seq: "1177", At: before(9 * dayLong), Who: "Clock", What: "Token expired", Subject: view.Link{Text: longName, Href: view.TokenPath(sidB)}},
		{Seq: "1102", At: before(30 * dayLong), Who: hostileName, Via: "CLI", What: "Invited a member", Subject: view.Link{Text: "yuki.mori@north.example"}},
	}
}
