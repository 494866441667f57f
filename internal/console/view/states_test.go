package view_test

import (
	"github.com/a-h/templ"

	"counterfoil.dev/counterfoil/internal/console/view"
)

// A state is one page in one condition. Each has golden HTML, and is looked at in the browser.
type state struct {
	name string
	page templ.Component
	then string // script that the browser runs before it looks: what a person would press
}

// The named list of states.
func states() []state {
	var out []state
	out = append(out, signStates()...)
	out = append(out, listStates()...)
	out = append(out, wizardStates()...)
	out = append(out, tokenStates()...)
	out = append(out, actStates()...)
	out = append(out, accountStates()...)
	out = append(out, operatorStates()...)
	out = append(out, docsStates()...)
	return out
}

func signStates() []state {
	wrong := view.Errors{{Field: "email", Message: "E-mail and password do not belong together."}}
	short := view.Errors{
		{Field: "name", Message: "Enter your name."},
		{Field: "password", Message: "Use at least 15 characters."},
	}
	return []state{
		{name: "sign-in", page: view.SignIn(view.SignInPage{Public: anybody()})},
		{name: "sign-in-wrong", page: view.SignIn(view.SignInPage{Public: anybody(), Email: mara.Email, Errors: wrong})},
		{name: "sign-in-expired", page: view.SignIn(view.SignInPage{
			Public: anybody(), Expired: true, Next: view.PathTokens,
			Kept: []view.Kept{{Name: view.KeptName("description"), Value: hostileName}},
		})},
		{name: "set-up", page: view.SetUp(view.SetUpPage{Public: anybody(), Key: "one-time"})},
		{name: "set-up-errors", page: view.SetUp(view.SetUpPage{Public: anybody(), Key: "one-time", Email: olga.Email, Errors: short})},
		{name: "invitation", page: view.Invitation(view.InvitationPage{
			Public: anybody(), Key: "one-time", Account: north.Name, By: mara.Name, Role: view.RoleImplementation, Email: yuki.Email,
		})},
		{name: "invitation-known", page: view.Invitation(view.InvitationPage{
			Public: anybody(), Key: "one-time", Account: longName, By: hostileName, Role: view.RoleAnalyst, Email: yuki.Email, Known: true,
		})},
		{name: "forgot", page: view.Forgot(view.ForgotPage{Public: anybody()})},
		{name: "forgot-sent", page: view.Forgot(view.ForgotPage{Public: anybody(), Email: mara.Email, Sent: true, Lasts: "30 minutes"})},
		{name: "reset-password", page: view.ResetPassword(view.ResetPasswordPage{Public: anybody(), Key: "one-time"})},
		{name: "link-expired", page: view.LinkExpired(view.LinkExpiredPage{Public: anybody(), What: "password link"})},
		{name: "signed-out", page: view.SignedOut(view.SignedOutPage{Public: anybody()})},
		{name: "resubmit", page: view.Resubmit(view.ResubmitPage{
			Frame: frame(), Action: view.PathTokenNew, What: "Create Access Token",
			Kept: []view.Kept{{Name: "name", Value: hostileName}, {Name: "draft", Value: "d_2f9c"}},
		})},
	}
}

func listStates() []state {
	full := view.TokenListPage{
		Frame: frame(), Tokens: tokens(), Any: true, CanMake: true,
		Pager:  view.Pager{First: 51, Last: 100, Total: 10000, Prev: "?before=51", Next: "?after=100"},
		Filter: view.TokenFilter{Versions: []view.Choice{{Value: "agency/3", Label: "Agency API 3"}, {Value: "agency/2", Label: "Agency API 2"}}},
	}
	none, odd, mine, flashed := full, full, full, full
	none.Tokens, none.Filter.Query, none.Filter.State = nil, "warehouse", "disabled"
	odd.Tokens, odd.Pager = strange(), view.Pager{First: 1, Last: 3, Total: 3}
	mine.Frame, mine.CanMake, mine.WhyNot = analyst(), false, "As an Analyst you read only. An Account Administrator or Implementation Specialist can create tokens."
	mine.Tokens = tokens()[:1]
	mine.Tokens[0].Acts = view.Acts{}
	mine.Pager = view.Pager{First: 1, Last: 1, Total: 1}
	flashed.Frame.Flash = &view.Flash{Kind: "done", Text: "“" + hostileName + "” was deleted. In force on 3 of 3 verifiers."}
	flashed.Notices = []view.Flash{{
		Kind: "warning", Text: "Agency API 2 ends on 1 Mar 2027. One token is still on it.",
		Link: view.Link{Text: "Show it", Href: view.PathTokens + "?version=agency/2"},
	}}
	return []state{
		{name: "tokens", page: view.TokenList(full)},
		{name: "tokens-more", page: view.TokenList(full), then: `document.querySelector(".more").open = true`},
		{name: "tokens-accounts", page: view.TokenList(full), then: `document.querySelector(".switch").open = true`},
		{name: "tokens-menu", page: view.TokenList(full), then: `innerWidth < 900 && document.getElementById("menu").showPopover()`},
		{name: "tokens-empty", page: view.TokenList(view.TokenListPage{Frame: frame(), CanMake: true})},
		{name: "tokens-none", page: view.TokenList(none)},
		{name: "tokens-strange", page: view.TokenList(odd)},
		{name: "tokens-analyst", page: view.TokenList(mine)},
		{name: "tokens-flash", page: view.TokenList(flashed)},
	}
}

func wizardStates() []state {
	fresh := wizard(view.StepSetup)
	fresh.Setup.Name, fresh.Setup.Description = "", ""
	bad := wizard(view.StepSetup)
	bad.Setup.Name = "Partner portal"
	bad.Setup.Expiries[2].Selected, bad.Setup.Expiries[3].Selected = false, true
	bad.Setup.ExpiryDate, bad.Setup.Reach = "2031-01-01", reach("list")
	bad.Errors = view.Errors{
		{Field: "name", Message: "Another token of this account is named so. Choose a different name."},
		{Field: "expiry_date", Message: "Choose a day up to 24 Nov 2027."},
		{Field: "brand", Message: "Tick at least one brand, or choose None."},
	}
	several := wizard(view.StepSetup)
	several.Setup.APIs = append(several.Setup.APIs, view.APIChoice{
		Value: "billing", Title: "Billing API", About: "Invoices and payments.", Versions: []view.VersionChoice{{Value: "1", Standing: view.StandingPreview, Selected: true}},
	})
	several.Setup.Reach = nil
	badContacts := wizard(view.StepContacts)
	badContacts.Contacts.Contact, badContacts.Contacts.Emails = "", "data-team@north.example, not-an-address"
	badContacts.Errors = view.Errors{
		{Field: "contact", Message: "Choose a member."},
		{Field: "emails", Message: "“not-an-address” is not an e-mail address."},
	}
	badContacts.Contacts.Errors = badContacts.Errors
	noScopes := wizard(view.StepScopes)
	noScopes.Errors = view.Errors{{Field: "scopes", Message: "Tick at least one scope."}}
	noScopes.Scopes.Errors, noScopes.Scopes.CanUndo = noScopes.Errors, true
	many := wizard(view.StepScopes)
	many.Scopes.APIs = []view.ScopeAPI{brandScopes(120)}
	for i := range many.Scopes.APIs[0].Categories {
		many.Scopes.APIs[0].Categories[i].On = i < 4
	}
	risky := wizard(view.StepReview)
	risky.Review.Expires, risky.Review.Emails, risky.Review.Reach = risky.Review.Expires.AddDate(-9999, 0, 0), nil, "all"
	risky.Review.Expires = view.Review{}.Expires
	risky.Review.Name = hostileName
	risky.Review.Scopes[0].Categories[0].Scopes[0].Sensitive = "returns the brands' own credentials."
	risky.Review.Limits = limits().Words
	risky.Review.Warnings = []view.Warning{
		{Text: "It has no expiry.", Step: view.StepSetup},
		{Text: "It holds 1 sensitive scope: Get Job.", Step: view.StepScopes},
		{Text: "Nobody but the primary contact is told.", Step: view.StepContacts},
	}
	return []state{
		{name: "wizard-setup", page: view.TokenNew(fresh)},
		{name: "wizard-setup-errors", page: view.TokenNew(bad)},
		{name: "wizard-setup-apis", page: view.TokenNew(several)},
		{name: "wizard-contacts", page: view.TokenNew(wizard(view.StepContacts))},
		{name: "wizard-contacts-errors", page: view.TokenNew(badContacts)},
		{name: "wizard-scopes", page: view.TokenNew(wizard(view.StepScopes))},
		{name: "wizard-scopes-search", page: view.TokenNew(wizard(view.StepScopes)), then: typeInto("scope-q", "report")},
		{name: "wizard-scopes-cleared", page: view.TokenNew(wizard(view.StepScopes)), then: `document.querySelector("[data-clear]").click()`},
		{name: "wizard-scopes-errors", page: view.TokenNew(noScopes)},
		{name: "wizard-scopes-600", page: view.TokenNew(many)},
		{name: "wizard-review", page: view.TokenNew(wizard(view.StepReview))},
		{name: "wizard-review-warnings", page: view.TokenNew(risky)},
		{name: "wizard-made", page: view.TokenMade(view.TokenMadePage{Frame: frame(), Token: token()})},
	}
}

// typeInto is what a person does to a field, without the keyboard.
func typeInto(id, text string) string {
	return `(e => { e.value = "` + text + `"; e.dispatchEvent(new Event("input", {bubbles: true})) })(document.getElementById("` + id + `"))`
}

func tokenStates() []state {
	reveal := view.TokenRevealPage{
		Frame: frame(), Token: token(), Act: "created", AuthToken: view.Once(authToken), InForce: "In force on 3 of 3 verifiers",
		Call: view.Call{URL: "http://127.0.0.1:8083/Agencies/" + sidA + "/Jobs", Headers: []string{"IR-Version: 3"}},
	}
	bare := reveal
	bare.Act, bare.Call, bare.CallNote, bare.InForce = "reset", view.Call{}, "The token holds no scope with which a call could be shown.", ""
	edit := view.TokenEditPage{
		Frame: frame(), Token: token(), Revision: "r17", CanEdit: true, Name: token().Name, Description: token().Description,
		Contacts: contacts(), Scopes: view.ScopesForm{APIs: []view.ScopeAPI{agencyScopes(), brandScopes(6)}},
		Brands: []string{"Harbour Coffee", "Lumen Lamps", "Otter Outdoor"}, History: events()[:3],
	}
	behind := edit
	behind.Token = tokens()[1]
	behind.Upgrade, behind.Brands, behind.History = &agency3, nil, nil
	behind.Contacts.Emails, behind.Scopes = "", view.ScopesForm{APIs: []view.ScopeAPI{agencyScopes()}, Linked: true}
	marked := &behind.Scopes.APIs[0].Categories[0]
	marked.On = true
	marked.Scopes[1].Marked, marked.Scopes[1].Ticked = true, true
	bad := edit
	bad.Name = ""
	bad.Limits = limits()
	bad.Limits.Errors = view.Errors{{Field: "limit_allow", Message: "Allowed addresses: “10.0.0.1/8” has bits set beyond its length; for the network write 10.0.0.0/8."}}
	bad.Errors = view.Errors{{Field: "name", Message: "Enter a name of 1 to 100 characters."}}
	reader := edit
	reader.Frame, reader.CanEdit, reader.WhyNot = analyst(), false, "As an Analyst you read only."
	reader.Limits.Words = limits().Words
	reader.Token.Acts = view.Acts{Reset: view.Act{Why: "As an Analyst you cannot reset tokens."}}
	off := edit
	off.Token = tokens()[4]
	off.Token.StateSince, off.Token.StateBy, off.Token.StateWhy = before(3*dayLong), "", "found in a public repository"
	yours := []view.Difference{
		{Label: "Name", Before: "Nightly report export", After: hostileName},
		{Label: "Description", Before: "Fetches yesterday's performance by brand.", After: ""},
		{Label: "Agency API scopes", Added: []string{"Reports: Get Report", "Advertisers: List Advertisers (sensitive)"}, Removed: []string{"Jobs: Download Job Result"}},
	}
	return []state{
		{name: "reveal", page: view.TokenReveal(reveal)},
		{name: "reveal-called", page: view.TokenReveal(reveal), then: `new Promise(r => { const s = document.querySelector("[data-first-call]"); new MutationObserver(() => r()).observe(s, {attributes: true}) })`},
		{name: "reveal-bare", page: view.TokenReveal(bare)},
		{name: "edit", page: view.TokenEdit(edit)},
		{name: "edit-behind", page: view.TokenEdit(behind)},
		{name: "edit-errors", page: view.TokenEdit(bad)},
		{name: "edit-analyst", page: view.TokenEdit(reader)},
		{name: "edit-leaked", page: view.TokenEdit(off)},
		{name: "update", page: view.TokenUpdate(view.TokenUpdatePage{
			Frame: frame(), Token: token(), Differences: yours, Warnings: []string{"It gains 1 sensitive scope."},
			Kept: []view.Kept{{Name: "revision", Value: "r17"}, {Name: "name", Value: hostileName}},
		})},
		{name: "conflict", page: view.TokenConflict(view.TokenConflictPage{
			Frame: frame(), Token: token(), By: tomas.Name, At: before(2e9), Yours: yours,
			Theirs: []view.Difference{{Label: "Primary contact", Before: "Mara Lind", After: "Tomás Areal"}},
			Kept:   []view.Kept{{Name: "revision", Value: "r18"}},
		})},
	}
}

func actStates() []state {
	act := view.ActPage{Frame: frame(), Token: token()}
	never := act
	never.Token = tokens()[2]
	never.Token.StateSince, never.Token.StateBy, never.Token.StateWhy = before(3*dayLong), mara.Name, "The trial is over."
	leaked := act
	leaked.Token = tokens()[4]
	taken := act
	taken.Errors = view.Errors{{Field: "name", Message: "Another token of this account is named so. Choose a different name."}}
	a := agencyScopes().Categories
	ask := a[3].Scopes[1]
	ask.Description = "Also covers GET /Agencies/{AccountSID}/Reports/{ReportId}/MetaData, which it did not in version 2."
	return []state{
		{name: "duplicate", page: view.TokenDuplicate(view.TokenDuplicatePage{ActPage: act, Name: "Nightly report export (2)"})},
		{name: "duplicate-errors", page: view.TokenDuplicate(view.TokenDuplicatePage{ActPage: taken, Name: "Partner portal"})},
		{name: "reset", page: view.TokenReset(view.TokenResetPage{ActPage: act})},
		{name: "disable", page: view.TokenDisable(view.TokenDisablePage{ActPage: act})},
		{name: "enable", page: view.TokenEnable(view.TokenEnablePage{ActPage: never, CanReset: true})},
		{name: "enable-keep", page: view.TokenEnable(view.TokenEnablePage{ActPage: never, WhyNot: "You may not give every scope that it holds."})},
		{name: "enable-leaked", page: view.TokenEnable(view.TokenEnablePage{ActPage: leaked, MustReset: true, CanReset: true})},
		{name: "delete", page: view.TokenDelete(view.TokenDeletePage{ActPage: act})},
		{name: "upgrade", page: view.TokenUpgrade(view.TokenUpgradePage{
			ActPage: act, From: agency2, To: agency3, Carried: a[1].Scopes, Ask: []view.ScopeBox{ask}, Gone: a[5].Scopes[:1],
		})},
	}
}

func accountStates() []state {
	history := view.HistoryPage{
		Frame: frame(), Events: events(), Pager: view.Pager{First: 1, Last: 5, Total: -1, Next: "?before=1102"},
		CSV: view.PathHistoryCSV, JSONL: view.PathHistoryJSONL, Chain: "The chain of 1,204 events is whole.",
		Filter: view.HistoryFilter{
			Action: view.PathHistory, Query: "report", What: []view.Choice{{Value: "token.reset", Label: "Token reset"}},
			Who: []view.Choice{{Value: "p1", Label: "Mara Lind"}},
		},
	}
	card := token()
	ofToken, empty := history, history
	ofToken.Token, ofToken.Filter.Action = &card, view.TokenPath(sidA, "history")
	empty.Events, empty.Pager, empty.Filter.Query, empty.Chain = nil, view.Pager{}, "", ""
	members := view.MembersPage{Frame: frame(), Role: view.RoleImplementation, Members: []view.Member{
		{ID: "m1", Person: mara, Role: view.RoleAdministrator, Since: before(700 * dayLong), LastSeen: before(1e9), You: true, Last: true},
		{ID: "m2", Person: tomas, Role: view.RoleImplementation, Sensitive: true, Since: before(90 * dayLong), LastSeen: before(dayLong), Contacts: 4},
		{ID: "m3", Person: view.Person{ID: "p5", Email: longName + "@north.example"}, Role: view.RoleAnalyst, Invited: true},
	}}
	bad := members
	bad.Email, bad.Errors = "yuki", view.Errors{{Field: "email", Message: "Enter an e-mail address, for example name@company.example."}}
	profile := view.ProfilePage{Frame: frame(), Name: mara.Name, Sessions: []view.Session{
		{ID: "s1", Started: before(3 * time3h), LastSeen: before(1e9), Address: "192.0.2.80", Client: "Firefox on Linux", This: true},
		{ID: "s2", Started: before(4 * dayLong), LastSeen: before(2 * dayLong), Address: "2001:db8::80", Client: "Safari on iPhone"},
	}}
	return []state{
		{name: "settings", page: view.Settings(view.SettingsPage{Frame: frame()})},
		{name: "settings-analyst", page: view.Settings(view.SettingsPage{Frame: analyst()})},
		{name: "history", page: view.History(history)},
		{name: "history-token", page: view.History(ofToken)},
		{name: "history-empty", page: view.History(empty)},
		{name: "members", page: view.Members(members)},
		{name: "members-errors", page: view.Members(bad)},
		{name: "member-remove", page: view.MemberRemove(view.MemberRemovePage{
			Frame: frame(), Member: members.Members[1], Tokens: append(tokens()[:2:2], strange()[:1]...), Others: []view.Person{mara, yuki},
		})},
		{name: "profile", page: view.Profile(profile)},
		{name: "problem-403", page: view.Problem(view.ProblemPage{Frame: frame(), Status: 403, Code: "forbidden", Title: "You may not do this", Detail: "As an Analyst you read only. Ask an Account Administrator of this account."})},
		{name: "problem-404", page: view.Problem(view.ProblemPage{Frame: frame(), Status: 404, Code: "not_found", Title: "Not found", Detail: "There is no such token here."})},
		{name: "problem-500", page: view.Problem(view.ProblemPage{Frame: view.Frame{RequestID: "01J9ZK3V7Q"}, Status: 500, Code: "internal", Title: "This went wrong on our side", Detail: "Nothing was changed. The request id finds it in the log.", Fix: view.Link{Text: "Sign in", Href: view.PathSignIn}})},
	}
}
