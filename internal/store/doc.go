// Package store keeps the desk's state and is the only place with SQL.
//
// Statements are written once, in queries/*.sql, one file per noun, and typed by sqlc into the
// *.sql.go files beside this one; tables are in migrations/*.sql, run by goose. Both are in the subset
// that SQLite and PostgreSQL read alike: times are integer microseconds UTC, NULL is absence, booleans
// are 0 or 1, lists are JSON text, no collation, no time function, no LIKE. dialect.go alone knows
// which database it is.
//
// To change a statement: edit the .sql file, run `make generate`, commit both.
//
// # Acts
//
// [DB.Act] is the only way to change anything. It runs its function in one transaction and, as the
// last statements before the commit, takes the counter row's lock, numbers what [Tx.Record] was given,
// chains each event to the one before, and writes the feed. So the order of positions is the order of
// commits: an act that stalls before its commit holds the next one back, a rollback leaves no gap, and
// a follower that has read up to N has seen everything up to N. An act that records nothing (a draft
// saved, a session seen) takes no position.
//
// Reads go through [DB.Read], which on SQLite is a pool of its own: a reader never waits for a writer.
//
// What lives elsewhere: who may do what (internal/authority, internal/session); the form of an event
// (internal/audit); the form of a feed entry, which this package stores as text without reading it.
package store
