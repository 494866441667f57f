package agencyapi

import (
	"fmt"
	"time"
)

// Account is one customer of the invented platform, so that a demo can open its desk with the same
// names and numbers as the data here.
type Account struct {
	ID   string // canonical decimal
	Name string
}

// Agency is the agency whose data the Agency API answers.
func Agency() Account { return Account{ID: "1001", Name: "Northlight Media"} }

// Brands are the brands that the agency manages, in the order of the list operation.
func Brands() []Account {
	return []Account{
		{"2101", "Alder & Finch"},
		{"2102", "Brightwater Outdoors"},
		{"2103", "Cobalt Cycles"},
		{"2104", "Dovetail Home"},
		{"2105", "Ember Kitchen"},
		{"2106", "Fernway Travel"},
	}
}

// stamp is a time as the platform writes it.
func stamp(t time.Time) string { return t.Truncate(time.Second).Format(time.RFC3339) }

func newAgency(now time.Time) *agency {
	ago := func(days int) string { return stamp(now.AddDate(0, 0, -days)) }
	adverts := newShelf("Advertisers", "advertiser", "")
	for i, b := range Brands() {
		adverts.rows = append(adverts.rows, record{
			"Id": b.ID, "Name": b.Name, "Status": []string{"ACTIVE", "ACTIVE", "PAUSED"}[i%3],
			"Currency": []string{"GBP", "EUR", "USD"}[i%3], "TimeZone": []string{"Europe/London", "Europe/Berlin", "America/New_York"}[i%3],
			"TrackingKey": fmt.Sprintf("sample-tracking-key-%s", b.ID), "Since": ago(900 - 60*i),
		})
	}
	return &agency{
		company: record{
			"Id": Agency().ID, "Name": Agency().Name, "Country": "GB", "Currency": "GBP",
			"Website": "https://northlight.example.com", "Since": ago(1200),
		},
		advertisers: adverts,
		contacts: newShelf("Contacts", "contact", "contact_",
			record{"Id": "contact_1", "Role": "Partnerships", "Email": "partnerships@northlight.example.com"},
			record{"Id": "contact_2", "Role": "Finance", "Email": "finance@northlight.example.com"}),
		jobs:    newJobs(ago),
		reports: newReports(),
		notes: newShelf("Notes", "note", "note_",
			record{"Id": "note_1", "AdvertiserId": "2101", "Text": "Spring range goes live on the first of the month.", "CreatedAt": ago(12)},
			record{"Id": "note_2", "AdvertiserId": "2103", "Text": "Paused until new artwork is signed off.", "CreatedAt": ago(3)}),
		messages: newShelf("Messages", "message", "message_",
			record{"Id": "message_1", "AdvertiserId": "2102", "Text": "Please confirm the new commission.", "CreatedAt": ago(40)}),
		cases: newShelf("Submissions", "submission", "submission_",
			record{"Id": "submission_1", "AdvertiserId": "2101", "Address": "https://reviews.example.net/tea", "Status": "REVIEWED", "CreatedAt": ago(8)}),
		statements: newShelf("Statements", "statement", "statement_",
			record{"Id": "statement_1", "Month": month(now, -2), "Currency": "GBP", "Total": "18204.50"},
			record{"Id": "statement_2", "Month": month(now, -1), "Currency": "GBP", "Total": "19377.25"}),
	}
}

func newJobs(ago func(int) string) *shelf {
	return newShelf("Jobs", "job", "job_",
		record{"Id": "job_1", "Type": "EXPORT", "Subject": "Performance by day", "Status": "COMPLETED", "CreatedAt": ago(6), "Rows": 7},
		record{"Id": "job_2", "Type": "EXPORT", "Subject": "Performance by partner", "Status": "RUNNING", "CreatedAt": ago(0)})
}

func newReports() *shelf {
	return newShelf("Reports", "report", "report_",
		record{"Id": "performance_by_day", "Name": "Performance by day", "Columns": []string{"Day", "Clicks", "Actions", "Revenue"}},
		record{"Id": "performance_by_partner", "Name": "Performance by partner", "Columns": []string{"Partner", "Clicks", "Actions", "Revenue"}})
}

func newBrands(now time.Time) map[string]*brand {
	brands := map[string]*brand{}
	for _, b := range Brands() {
		brands[b.ID] = newBrand(b, now)
	}
	return brands
}

func newBrand(b Account, now time.Time) *brand {
	ago := func(days int) string { return stamp(now.AddDate(0, 0, -days)) }
	return &brand{
		account: record{"Id": b.ID, "Name": b.Name, "Currency": "GBP", "TimeZone": "Europe/London", "ReturnWindowDays": 30},
		payout:  record{"Bank": "Sample Bank", "Account": "ending in " + b.ID, "Schedule": "MONTHLY"},
		partners: newShelf("Partners", "partner", "partner_",
			record{"Id": "301", "Name": "The Weekend Almanac", "Kind": "CONTENT", "Status": "ACTIVE"},
			record{"Id": "302", "Name": "Voucher Harbour", "Kind": "COUPON", "Status": "ACTIVE"},
			record{"Id": "303", "Name": "Second Cup Podcast", "Kind": "CREATOR", "Status": "PENDING"}),
		groups: newShelf("PartnerGroups", "partner group", "group_",
			record{"Id": "group_1", "Name": "Editorial", "PartnerIds": []string{"301", "303"}}),
		contracts: newShelf("Contracts", "contract", "contract_",
			record{"Id": "contract_1", "PartnerId": "301", "Rate": "8%", "Status": "ACTIVE", "StartsAt": ago(200)},
			record{"Id": "contract_2", "PartnerId": "302", "Rate": "3%", "Status": "OFFERED", "StartsAt": ago(2)}),
		actions: newShelf("Actions", "action", "action_",
			record{"Id": "5001", "PartnerId": "301", "OrderId": "A-20417", "Amount": "64.00", "Status": "PENDING", "CreatedAt": ago(2)},
			record{"Id": "5002", "PartnerId": "302", "OrderId": "A-20431", "Amount": "21.50", "Status": "APPROVED", "CreatedAt": ago(1)}),
		conversions: newShelf("Conversions", "conversion", "conversion_"),
		ads: newShelf("Ads", "ad", "ad_",
			record{"Id": "ad_1", "Name": "Home page", "Kind": "TEXT", "LandingPage": "https://shop.example.com/"},
			record{"Id": "ad_2", "Name": "New season", "Kind": "BANNER", "LandingPage": "https://shop.example.com/new"}),
		deals: newShelf("Deals", "deal", "deal_",
			record{"Id": "deal_1", "Name": "Free delivery", "Status": "RUNNING", "EndsAt": stamp(now.AddDate(0, 0, 20))}),
		codes: newShelf("PromoCodes", "promo code", "code_",
			record{"Id": "code_1", "Code": "WELCOME10", "PartnerId": "302", "Discount": "10%"}),
		catalogs: newShelf("Catalogs", "catalog", "catalog_",
			record{"Id": "catalog_1", "Name": "All products", "Items": 2, "UpdatedAt": ago(1)}),
		items: newShelf("Items", "item", "item_",
			record{"Id": "tea:darjeeling-100", "Name": "Darjeeling, 100 g", "Price": "7.90", "Availability": "IN_STOCK"},
			record{"Id": "tea:assam-250", "Name": "Assam, 250 g", "Price": "11.20", "Availability": "BACK_ORDER"}),
		invoices: newShelf("Invoices", "invoice", "invoice_",
			record{"Id": "invoice_1", "Status": "PAID", "Total": "940.10", "IssuedAt": ago(45)},
			record{"Id": "invoice_2", "Status": "DUE", "Total": "1022.75", "IssuedAt": ago(14)}),
		jobs:    newJobs(ago),
		reports: newReports(),
		notes: newShelf("Notes", "note", "note_",
			record{"Id": "note_1", "Text": "Ask partners for holiday plans.", "CreatedAt": ago(9)}),
	}
}

// month is a month as YYYY-MM, counted from the first of this one, since a month before the 31st of
// March would be in March.
func month(now time.Time, offset int) string {
	return time.Date(now.Year(), now.Month()+time.Month(offset), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
}
