// Package notice sends what the desk has to say to people.
//
// An act of the authority, or of a session, puts a message into the outbox in its own transaction
// (store.Tx.Send), sealed, since it may hold a one-time link. So a message exists if and only if the act
// happened. [Mailer.Run] takes it from there:
//
//	due rows → lease (one sender at a time) → open the seal → render → [Sender] → sent, delayed or failed
//
// The lease is a conditional update that moves the row's next time ahead, further than any attempt may
// last. A process that dies mid-way leaves a row that comes due again: nothing is lost, and a message
// may at worst arrive twice. Both copies are the same octets with the same Message-ID, which derives
// from the id in the outbox, so that a mail store can tell.
//
// What a try came to: the server took it, and the body is forgotten; the recipient's address or this
// very message was refused for good (a 5xx to RCPT or DATA), and it is never tried again; anything else
// (no connection, 4xx, trouble with our own sign-in or sender address, which the operator mends) is tried
// again with growing pauses for [patience], but never once the link inside has ended.
//
// Nobody writes a header but us (SECURITY.md, class 38d): subjects are constants, a display name is
// cleaned and encoded by net/mail, an address that is not one plain address is refused, and links come
// from the message alone, whose base is configured. No log line, error or last_error holds a message's
// text; a server that quotes it back is cut (class 43).
//
//	mailer.go    the outbox worker
//	mail.go      one rendered e-mail, and what its fields may be
//	message.go   kinds of messages and their templates
//	smtp.go      Sender over SMTP
//	folder.go    Sender into a folder of .eml files
//
// What lives elsewhere: who is told what (internal/authority, internal/session), the outbox's table
// (internal/store), the seal (internal/seal).
package notice
