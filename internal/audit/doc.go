// Package audit is the form of the desk's history: what an event says, how it is spelled, how events
// are chained, and how they leave the house.
//
// An [Event] is one act: who, when, on what, with what result. It never holds a secret; and because it
// is kept for ever, a credential that somebody pasted into a name is cut down to its SID on the way in.
// [Encode] checks an event and writes its canonical JSON: members in the order of the struct, absent
// ones left out, no insignificant space, and every rune that does not print as \uXXXX, so that a name
// with a line feed or an escape sequence can forge neither a line nor a terminal (SECURITY.md, class
// 38e). The same event always has the same bytes, and the bytes are what is stored and hashed; nothing
// is ever encoded again to be verified.
//
// Events are numbered 1, 2, 3 without a gap, in the order of commits. [Next] hashes each body together
// with the head before it. The store keeps the head on its counter row, in the same transaction; so who
// edits, drops, moves or inserts an event must rewrite all later ones and that row, and a copy of one
// earlier [Checkpoint] kept elsewhere still shows it. [Verify] walks the chain and names the first
// broken event.
//
// [WriteJSONLines] and [WriteCSV] are the export. A spreadsheet runs what begins with a formula
// character, so no cell does (class 38c).
//
// What lives elsewhere: which acts there are rights for (internal/authority), signing in and out
// (internal/session), where events are kept and numbered (internal/store), and how history looks
// (internal/console/view).
package audit
