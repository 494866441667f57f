package view_test

import (
	"time"

	"counterfoil.dev/counterfoil/internal/console/view"
)

const time3h = 3 * time.Hour

func catalogue() []view.CatalogueAPI {
	return []view.CatalogueAPI{
		{Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Accounts: []string{"agency"}, Versions: []view.CatalogueVersion{
			{Version: agency3, Released: before(1500 * dayLong), Operations: 15, Read: 15, Scopes: 15, Tokens: 1204, Problems: 2},
			{Version: agency2, Released: before(2300 * dayLong), Deprecated: before(268 * dayLong), Operations: 12, Read: 12, Scopes: 11, Tokens: 87},
		}},
		{Name: "brand", Title: "Brand API", Base: "/Advertisers/{AccountSID}", Accounts: []string{"brand"}, Versions: []view.CatalogueVersion{
			{Version: brand14, Released: before(176 * dayLong), Operations: 113, Read: 117, Scopes: 113, Tokens: 20411, Problems: 9},
			{Version: brand13, Released: before(500 * dayLong), Operations: 110, Read: 114, Scopes: 110, Tokens: 320},
		}},
	}
}

func findings() []view.DocumentProblem {
	return []view.DocumentProblem{
		{File: "brand/v14/calldata.yaml", Line: 31, Severity: "problem", Text: "POST /calldata/logCallData is not under the base /Advertisers/{AccountSID}: left out."},
		{File: "brand/v14/notes.yaml", Line: 4, Severity: "note", Text: "info.version says v13, the catalogue file says 14."},
	}
}

func operatorStates() []state {
	list := view.AccountListPage{Frame: operator(), Pager: view.Pager{First: 1, Last: 3, Total: 3}, Accounts: []view.AccountRow{
		{Account: north, Tokens: 10000, Members: 14, Created: before(800 * dayLong)},
		{Account: harbor, Tokens: 3, Members: 2, Created: before(300 * dayLong), Suspended: before(dayLong)},
		{Account: view.Account{ID: "9223372036854775807", Name: hostileName, Kind: "partner"}, Created: before(dayLong)},
	}}
	none := view.AccountListPage{Frame: operator(), Query: "nobody"}
	agency := view.AccountDetailPage{
		Frame: operator(), Account: north, Name: north.Name, Created: before(800 * dayLong), Tokens: 10000, ExpiryDefault: "365", ExpiryMax: "365",
		Members: []view.Member{{ID: "m1", Person: mara, Role: view.RoleAdministrator}, {ID: "m2", Person: yuki, Role: view.RoleAnalyst, Invited: true}},
		Manages: []view.Management{
			{ID: "g1", Account: harbor, From: before(90 * dayLong)},
			{ID: "g2", Account: view.Account{ID: "288054", Name: "Lumen Lamps", Kind: "brand"}, From: before(400 * dayLong), Until: before(30 * dayLong), Ended: true},
		},
		Withheld: view.ScopesForm{APIs: []view.ScopeAPI{agencyScopes()}},
	}
	brand := view.AccountDetailPage{
		Frame: operator(), Account: harbor, Name: harbor.Name, Created: before(300 * dayLong), Suspended: before(dayLong), SuspendedWhy: "Contract ended.",
		ManagedBy: []view.Management{{ID: "g1", Account: north, From: before(90 * dayLong)}}, Withheld: view.ScopesForm{APIs: []view.ScopeAPI{brandScopes(3)}},
		Errors: view.Errors{{Field: "email", Message: "Enter an e-mail address."}},
	}
	diff := view.CatalogueDiffPage{
		Frame: operator(), Upload: "u_81", Problems: findings(),
		Changes: []view.ScopeChange{
			{Version: agency3, Scope: "reports.get-report-metadata", Label: "Get Report Metadata", Kind: "added"},
			{Version: agency3, Scope: "jobs.get-job", Label: "Get Job", Kind: "widened", Details: []view.Operation{{Method: "GET", Path: "/Agencies/{AccountSID}/Jobs/{JobId}/Log"}}},
			{Version: agency2, Scope: "compliance.list-contents", Label: "List Contents", Kind: "removed"},
		},
		Tokens: []view.TokenChange{{
			Token: token(), Account: north,
			Gains: []string{"GET /Agencies/{AccountSID}/Jobs/{JobId}/Log, by Get Job"}, Loses: []string{"Compliance: List Contents"},
		}},
		Public: []view.PublicOperation{
			{Value: "agency/3/GET/Status", Version: agency3, Operation: view.Operation{Method: "GET", Path: "/Status"}, Confirmed: true},
			{Value: "brand/14/POST/PageLoad", Version: brand14, Operation: view.Operation{Method: "POST", Path: "/PageLoad"}},
		},
	}
	fatal := diff
	fatal.Fatal, fatal.Public, fatal.Tokens, fatal.Changes = true, nil, nil, nil
	fatal.Problems = append([]view.DocumentProblem{{File: "agency/v3/jobs.yaml", Line: 212, Severity: "fatal", Text: "The scope jobs.get-job is named twice."}}, findings()...)
	people := view.PeoplePage{Frame: operator(), Pager: view.Pager{First: 1, Last: 3, Total: 3}, People: []view.PersonRow{
		{Person: olga, Operator: true, LastSeen: before(1e9)},
		{Person: mara, Accounts: []view.Account{north, harbor}, LastSeen: before(dayLong)},
		{Person: view.Person{Name: hostileName, Email: "x@y.example"}},
	}}
	history := view.HistoryPage{Frame: operator(), Events: events(), Pager: view.Pager{First: 1, Last: 5, Total: 5}, Filter: view.HistoryFilter{Action: view.PathOperatorHistory}}
	return []state{
		{name: "operator-accounts", page: view.AccountList(list)},
		{name: "operator-accounts-none", page: view.AccountList(none)},
		{name: "operator-account-new", page: view.AccountNew(view.AccountNewPage{Frame: operator(), Kind: "agency"})},
		{name: "operator-account-new-errors", page: view.AccountNew(view.AccountNewPage{
			Frame: operator(), ID: "007", Kind: "brand", Name: longName,
			Errors: view.Errors{{Field: "id", Message: "Enter a decimal number without leading zeros."}},
		})},
		{name: "operator-account", page: view.AccountDetail(agency)},
		{name: "operator-account-suspended", page: view.AccountDetail(brand)},
		{name: "operator-people", page: view.People(people)},
		{name: "operator-catalogue", page: view.Catalogue(view.CataloguePage{
			Frame: operator(), APIs: catalogue(), Published: before(4 * dayLong), By: olga.Name, Problems: findings(),
			Hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		})},
		{name: "operator-catalogue-empty", page: view.Catalogue(view.CataloguePage{Frame: operator(), Errors: view.Errors{{Field: "file", Message: "Choose the catalogue file and its documents."}}})},
		{name: "operator-diff", page: view.CatalogueDiff(diff)},
		{name: "operator-diff-fatal", page: view.CatalogueDiff(fatal)},
		{name: "operator-self-test", page: view.SelfTest(view.SelfTestPage{
			Frame: operator(), Hosts: []string{"api.example.com"}, Errors: view.Errors{{Field: "url", Message: "Address must be like https://api.example.com."}},
		})},
		{name: "operator-self-test-faults", page: view.SelfTest(view.SelfTestPage{
			Frame: operator(), URL: "https://api.example.com", Hosts: []string{"api.example.com"}, Host: "api.example.com", Account: north.ID, Mirror: "127.0.0.1:9000",
			Asked: "https://api.example.com:443 as api.example.com", Call: "GET /Agencies/" + sidA + "/Jobs", Faults: 1, Unseen: 1,
			Checks: []view.SelfTestCheck{
				{Title: "A request without a credential is refused", Kind: "fine", Words: "It is: 401 no_credential."},
				{Title: "The API never gets the credential", Kind: "fault", Words: "It came in Authorization.", Fixes: []view.SelfTestFix{{Proxy: "nginx", Line: `proxy_set_header Authorization "";`}}},
				{Title: "The API is told who calls", Kind: "not seen", Words: hostileName},
			},
		})},
		{name: "operator-history", page: view.History(history)},
		{name: "operator-self", page: view.Profile(view.ProfilePage{Frame: operator(), Name: olga.Name, Errors: view.Errors{{Field: "current", Message: "This is not your current password."}}})},
	}
}

func docsStates() []state {
	export := view.DocsOperation{
		Label: "Export Report", Operation: view.Operation{Method: "GET", Path: "/Agencies/{AccountSID}/ReportExport/{ReportId}"},
		About: "Creates a job that writes a report to a file.", Scopes: []view.DocsScope{{Name: "report-export.export-report", Label: "Export Report"}},
		Tokens: []view.TokenRef{{SID: sidA, Name: "Nightly report export"}, {SID: sidB, Name: hostileName}}, More: 12,
	}
	list := view.DocsOperation{
		Label: "List Advertisers", Operation: view.Operation{Method: "GET", Path: "/Agencies/{AccountSID}/Advertisers"},
		Scopes: []view.DocsScope{{Name: "advertisers.list-advertisers", Label: "List Advertisers"}}, Sensitive: "returns the brands' own credentials.",
	}
	ping := view.DocsOperation{Label: "Status", Operation: view.Operation{Method: "GET", Path: "/Status"}, Public: true}
	ref := view.ReferencePage{
		Frame: frame(), Version: agency3, Others: []view.Version{agency2}, Base: "/Agencies/{AccountSID}", Host: "api.example.com", Header: "IR-Version", SignedIn: true,
		Changes: []string{"Report Export: GET /ReportExport/{ReportId} is new."},
		Categories: []view.DocsCategory{
			{ID: "advertisers", Name: "Advertisers", Operations: []view.DocsOperation{list}},
			{ID: "report-export", Name: "Report Export", Operations: []view.DocsOperation{export, ping}},
		},
	}
	unsigned := ref
	unsigned.Frame, unsigned.SignedIn = view.Frame{Now: now}, false
	first := view.FirstCallPage{
		Frame: frame(), Base: "https://api.example.com/Agencies/{AccountSID}", Path: "/Advertisers", Version: agency3, Header: "IR-Version: 3",
		Token: &view.TokenRef{SID: sidA, Name: "Nightly report export"},
	}
	return []state{
		{name: "docs", page: view.Docs(view.DocsPage{Frame: frame(), APIs: []view.DocsAPI{
			{Name: "agency", Title: "Agency API", Versions: []view.DocsVersion{{Version: agency3, Operations: 15, Released: before(1500 * dayLong)}, {Version: agency2, Operations: 12}}},
			{Name: "brand", Title: "Brand API", Versions: []view.DocsVersion{{Version: brand14, Operations: 113}}},
		}})},
		{name: "docs-secure", page: view.Secure(view.SecurePage{Frame: frame(), Prefix: "cfoil"})},
		{name: "docs-reference", page: view.Reference(ref)},
		{name: "docs-reference-public", page: view.Reference(unsigned)},
		{name: "docs-first-call", page: view.FirstCall(first)},
		{name: "docs-errors", page: view.DocsErrors(view.ErrorsPage{Frame: frame(), Groups: []view.ErrorGroup{{
			Title: "Refused by the check", About: "A request to a guarded API was refused.",
			Codes: []view.ErrorCode{
				{Code: "insufficient_scope", Status: "403", Title: "The token lacks a scope", Meaning: []string{"The operation needs a scope that is not ticked on this token. The answer names it."}, Remedy: []string{"Follow the link in fix: it opens the token with that box marked."}},
				{Code: "token_expired", Status: "401", Title: "The token has expired", Meaning: []string{"Its last day is over."}, Remedy: []string{"Make a new one, or duplicate it."}},
			},
		}}})},
	}
}
