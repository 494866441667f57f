// Package verify keeps a verifier's own copy of all grants and decides requests from it.
//
// Long before a request: [Verifier.Run] (follow.go) reads a snapshot from its [Source] and follows the
// feed. state.go puts each entry into force: the catalogue is compiled into a decide.Table, a grant is
// packed (view.go) into an entry of 80 octets on a page (page.go), and what grants share lies interned
// in side tables (side.go). Requests reach all of it through atomic pointers and never see half a
// change: one grant changes by one store of a new page, growth and sweeping make a new view, a
// publication a new table. Positions in force are confirmed to the authority.
//
// Then, for one request: a door fills a [Request] and calls [Verifier.Verify] (verify.go). The
// credential is read (credential.go), the route found (decide), the grant looked up by the SID, the
// secret hashed and compared, its state looked at, and decide asked about binding, version, scope and
// reach. Limits come last (limit.go): addresses and hosts, quotas that go on from the authority's totals
// (quota.go), and rates (rates.go, behind [Limiter]); what one of them refuses, none counts. A SID that nobody has heard of is asked for once (ask.go). The answer is a [Decision]; doors
// take its status, its identity headers and its words from decision.go, answer.go and problem.go, so
// that all say the same. Calls are counted without waiting and reported in numbered batches (usage.go).
//
// A verifier that hears nothing answers from what it has for a quarter of an hour, and then refuses
// (stale.go). What it cannot read it refuses: an unreadable grant refuses its token, and an unreadable
// catalogue counts as hearing nothing.
//
// What lives elsewhere: what a path, a version and a scope mean (internal/decide), the spelling of a
// credential (internal/token), who answers over which protocol (internal/doors, internal/gateway), and
// who writes the feed (internal/authority).
package verify
