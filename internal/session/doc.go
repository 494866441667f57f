// Package session is about people: who they are, how they prove it, and for how long that holds.
//
// The flow of a request: the listener asks [People.Visitor] where it comes from and [People.Resolve] who
// it is; the answer, a [Session], has the person, the accounts they are a member of now, and the token
// that every form of theirs must carry ([Session.FormOK]). Rights are not decided here: the console makes
// an actor of the session, and the authority has the gate.
//
// The flow of a sign-in ([People.SignIn]): the limits of the network and of the account (limits.go), the
// password under a bounded number of hashes at once (password.go), then one transaction that ends the
// session the browser had, begins a new one and records both. Unknown people cost the same work and get
// the same answer as known ones; refusals are summed and recorded apart (refusals.go).
//
//	people.go     what the package is made of, its timed work, its errors
//	visitor.go    who asks; the cookies
//	session.go    sessions: begin, resolve, list, end
//	signin.go     sign-in by password, and by the link of a demo
//	change.go     password: change, forgotten, reset
//	rename.go     how a person is called
//	invite.go     the first operator's set-up link; invitations
//	password.go   argon2id, bounded
//	blocklist.go  what a password may be
//	limits.go     attempts, counted
//
// A session is 256 random bits in a cookie; the table has their SHA-256. It ends after 30 minutes
// without a request and after 12 hours in any case, at a sign-out, when its person is disabled or loses
// the last account that is not suspended, and with every change of the password. A person holds at most
// 20; the one longest unused goes. One-time links are spent by a POST, in the transaction of what they
// allow, and work once.
//
// Every act here is one transaction with its audit event, through [store.DB.Act] as in the authority. API
// tokens belong to accounts: nothing in this package touches one.
//
// What lives elsewhere: inviting, roles and disabling (internal/authority), the text of messages and
// their sending (internal/notice), the pages (internal/console), cross-origin protection
// (internal/httpx). Second factors and step-up will live here: [Session.Factors] and [Session.SignedIn]
// are kept for them.
package session
