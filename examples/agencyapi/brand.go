package agencyapi

import "net/http"

// brand is what the Brand API works on, one for each brand.
type brand struct {
	account, payout                                             record
	partners, groups, contracts, actions, conversions           *shelf
	ads, deals, codes, catalogs, invoices, jobs, reports, notes *shelf
	items                                                       *shelf // of the one catalog; the Id is the SKU
}

// The shelves of the brand that the path or the caller names.
func account(c *call) *record          { return &c.brand.account }
func payout(c *call) *record           { return &c.brand.payout }
func partners(c *call) *shelf          { return c.brand.partners }
func groups(c *call) *shelf            { return c.brand.groups }
func contracts(c *call) *shelf         { return c.brand.contracts }
func actions(c *call) *shelf           { return c.brand.actions }
func conversions(c *call) *shelf       { return c.brand.conversions }
func ads(c *call) *shelf               { return c.brand.ads }
func deals(c *call) *shelf             { return c.brand.deals }
func codes(c *call) *shelf             { return c.brand.codes }
func catalogs(c *call) *shelf          { return c.brand.catalogs }
func items(c *call) *shelf             { return c.brand.items }
func invoices(c *call) *shelf          { return c.brand.invoices }
func brandJobs(c *call) *shelf         { return c.brand.jobs }
func brandReports(c *call) *shelf      { return c.brand.reports }
func brandNotes(c *call) *shelf        { return c.brand.notes }
func allActions(*call) (string, error) { return "Actions", nil }

// brandV7 is the older version: partners are approved by a verb of its own, and nothing is grouped.
func brandV7() []operation {
	return []operation{
		{"GET", "/Account", one(account)},
		{"PUT", "/Account", revise(account)},
		{"GET", "/Partners", list(partners)},
		{"GET", "/Partners/{PartnerId}", get(partners, "PartnerId")},
		{"PUT", "/Partners/{PartnerId}/Approve", mark(partners, "PartnerId", "Status", "ACTIVE")},
		{"GET", "/Contracts", list(contracts)},
		{"GET", "/Contracts/{ContractId}", get(contracts, "ContractId")},
		{"GET", "/Actions", list(actions, "Status")},
		{"GET", "/Actions/{ActionId}", get(actions, "ActionId")},
		{"PUT", "/Actions/{ActionId}", update(actions, "ActionId")},
		{"GET", "/ActionsExport", export(brandJobs, allActions)},
		{"POST", "/Conversions", create(conversions, "OrderId", "Amount")},
		{"GET", "/Ads", list(ads)},
		{"POST", "/Ads", create(ads, "Name", "LandingPage")},
		{"GET", "/Ads/{AdId}", get(ads, "AdId")},
		{"DELETE", "/Ads/{AdId}", remove(ads, "AdId")},
		{"GET", "/Deals", list(deals)},
		{"POST", "/Deals", create(deals, "Name")},
		{"GET", "/Deals/{DealId}", get(deals, "DealId")},
		{"PUT", "/Deals/{DealId}", update(deals, "DealId")},
		{"GET", "/PromoCodes", list(codes)},
		{"POST", "/PromoCodes", create(codes, "Code")},
		{"GET", "/Catalogs", list(catalogs)},
		{"GET", "/Catalogs/{CatalogId}", get(catalogs, "CatalogId")},
		{"GET", "/Catalogs/{CatalogId}/Items", inCatalog(list(items))},
		{"GET", "/Invoices", list(invoices)},
		{"GET", "/Invoices/{InvoiceId}", get(invoices, "InvoiceId")},
		{"GET", "/Jobs", list(brandJobs)},
		{"GET", "/Jobs/{JobId}", get(brandJobs, "JobId")},
		{"GET", "/Jobs/{JobId}/Download", download(brandJobs)},
		{"GET", "/Reports", list(brandReports)},
		{"GET", "/Reports/{ReportId}", runReport},
		{"GET", "/ReportExport/{ReportId}", export(brandJobs, reportName)},
		{"GET", "/Notes", list(brandNotes)},
		{"POST", "/Notes", create(brandNotes, "Text")},
	}
}

// brandV8 is the current version.
func brandV8() []operation {
	return []operation{
		{"GET", "/Account", one(account)},
		{"PUT", "/Account", revise(account)},
		{"GET", "/Account/Payout", one(payout)},
		{"GET", "/Partners", list(partners, "Status", "Kind")},
		{"GET", "/Partners/{PartnerId}", get(partners, "PartnerId")},
		{"PUT", "/Partners/{PartnerId}/Status", update(partners, "PartnerId")},
		{"GET", "/PartnerGroups", list(groups)},
		{"POST", "/PartnerGroups", create(groups, "Name")},
		{"PUT", "/PartnerGroups/{GroupId}", update(groups, "GroupId")},
		{"DELETE", "/PartnerGroups/{GroupId}", remove(groups, "GroupId")},
		{"GET", "/Contracts", list(contracts, "Status")},
		{"POST", "/Contracts", create(contracts, "PartnerId", "Rate")},
		{"GET", "/Contracts/{ContractId}", get(contracts, "ContractId")},
		{"POST", "/Contracts/{ContractId}/Withdraw", mark(contracts, "ContractId", "Status", "WITHDRAWN")},
		{"GET", "/Actions", list(actions, "Status", "PartnerId")},
		{"GET", "/Actions/{ActionId}", get(actions, "ActionId")},
		{"PUT", "/Actions/{ActionId}", update(actions, "ActionId")},
		{"DELETE", "/Actions/{ActionId}", mark(actions, "ActionId", "Status", "REVERSED")},
		{"GET", "/ActionsExport", export(brandJobs, allActions)},
		{"POST", "/Conversions", create(conversions, "OrderId", "Amount")},
		{"GET", "/Ads", list(ads, "Kind")},
		{"POST", "/Ads", create(ads, "Name", "LandingPage")},
		{"GET", "/Ads/{AdId}", get(ads, "AdId")},
		{"PATCH", "/Ads/{AdId}", update(ads, "AdId")},
		{"DELETE", "/Ads/{AdId}", remove(ads, "AdId")},
		{"GET", "/Deals", list(deals, "Status")},
		{"POST", "/Deals", create(deals, "Name")},
		{"GET", "/Deals/{DealId}", get(deals, "DealId")},
		{"PUT", "/Deals/{DealId}", update(deals, "DealId")},
		{"DELETE", "/Deals/{DealId}", remove(deals, "DealId")},
		{"GET", "/PromoCodes", list(codes)},
		{"POST", "/PromoCodes", create(codes, "Code")},
		{"DELETE", "/PromoCodes/{PromoCodeId}", remove(codes, "PromoCodeId")},
		{"GET", "/Catalogs", list(catalogs)},
		{"GET", "/Catalogs/{CatalogId}", get(catalogs, "CatalogId")},
		{"GET", "/Catalogs/{CatalogId}/Items", inCatalog(list(items, "Availability"))},
		{"GET", "/Catalogs/{CatalogId}/Items/{Sku}", inCatalog(get(items, "Sku"))},
		{"PUT", "/Catalogs/{CatalogId}/Items/{Sku}", inCatalog(update(items, "Sku"))},
		{"GET", "/Invoices", list(invoices, "Status")},
		{"GET", "/Invoices/{InvoiceId}", get(invoices, "InvoiceId")},
		{"GET", "/Jobs", list(brandJobs, "Status")},
		{"GET", "/Jobs/{JobId}", get(brandJobs, "JobId")},
		{"GET", "/Jobs/{JobId}/Download", download(brandJobs)},
		{"GET", "/Reports", list(brandReports)},
		{"GET", "/Reports/{ReportId}", runReport},
		{"GET", "/ReportExport/{ReportId}", export(brandJobs, reportName)},
		{"GET", "/Notes", list(brandNotes)},
		{"POST", "/Notes", create(brandNotes, "Text")},
	}
}

// inCatalog refuses items of a catalog that the brand does not have.
func inCatalog(run func(*call) (answer, error)) func(*call) (answer, error) {
	return func(c *call) (answer, error) {
		if _, err := c.brand.catalogs.find(c.params["CatalogId"]); err != nil {
			return answer{}, refuse(http.StatusNotFound, "There is no catalog %q.", c.params["CatalogId"])
		}
		return run(c)
	}
}
