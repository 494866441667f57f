// Package view draws every page of the desk. A view is a function of its struct: it asks nobody,
// holds no state, and reads neither clock nor request. internal/console fills a page struct and
// renders the component of the same name:
//
//	view.TokenList(view.TokenListPage{Frame: frame, Tokens: cards}).Render(ctx, w)
//
// How a page comes about:
//
//   - paths.go has the routes, so that a handler and a link cannot disagree.
//   - frame.go has what surrounds a page (Frame, Public), and the small words that pages share:
//     Errors, Choice, Kept, Pager, Flash. token.go has the words for tokens: TokenCard, State,
//     Standing, ScopeAPI, ScopeBox, Act.
//   - Each page is a pair of files: x.go with the struct, its form fields in the comment, and x.templ
//     with the component. layout.templ is the shell (menu, breadcrumbs, flash); parts.templ has the
//     controls (fields, badges, copy buttons, pagers); icons are one SVG sprite.
//   - assets.go embeds style sheet, script and drawings and names each by the hash of its content.
//     The CSS files are joined in the order of their names.
//
// Rules that tests hold:
//
//   - Strict CSP (SECURITY.md 38b): no inline script, style element or style attribute, ever.
//   - All user text goes through templ's escaping and stands in <bdi>, so that a name can neither
//     carry markup nor turn the words around it.
//   - A secret reaches a page only as a Secret, and only TokenReveal draws it (43). No page puts one
//     in a link that is sent anywhere.
//   - Every form carries the csrf field (37) and works without JavaScript; app.js only makes it nicer.
//   - Every state in states_test.go has golden HTML, fits 320 px, breaks no CSP rule and leaves
//     axe-core nothing to find, in light and dark.
//
// What a page may contain is decided elsewhere: internal/console builds the structs from what
// internal/authority offers to this person.
package view
