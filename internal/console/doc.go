// Package console is the desk as people see it: pages and forms, one file per page or action.
//
// routes.go is the table of contents. A request comes through httpx (request id, limits, security
// headers, no form from another site), then through page in console.go, the one wrapper: it resolves the
// session, checks the form token of every POST, and hands the handler a [visit]: who asks, as an
// authority.Actor, in which account. A handler reads its form, calls one act of internal/authority or
// internal/session, fills a struct of internal/console/view and renders it. No SQL, no policy.
//
//	draw.go          an answer: rendered whole, compressed where its length tells nobody anything
//	token_list.go    the cards, their filters
//	token_new.go     the wizard: one page, four steps; draft.go and scopes.go are its memory
//	token_create.go  the POST that makes the token and shows the secret, once
//	token_edit.go    the edit page, the differences, the update
//	token_act.go     duplicate, reset, upgrade, disable, enable, delete
//	token_words.go   api.Token → the words of a card
//	sign.go          sign-in, links, passwords
//	member.go, profile.go, history.go, docs.go, settings.go
//	operator_*.go    accounts, people, catalogue
//	proxy.go         a proxy of the operator's, asked by internal/probe
//
// A secret is only ever in the answer to the POST that made it: never a redirect, never a URL, always
// no-store (SECURITY.md, class 43).
package console
