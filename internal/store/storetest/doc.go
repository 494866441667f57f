// Package storetest is what every database under internal/store must do, as tests that run on each.
//
// [Run] takes a function that makes an empty database and gives its DSN, and runs the whole suite; so a
// second database joins by one more call, and every fix in the store adds its test here, for all of
// them. Nothing here speaks SQL, and everything goes through the store's own functions.
//
//	suite.go     Run; rows to begin with; the checks that end every test
//	acts.go      all or nothing; positions dense and in the order of commits; the chain
//	reads.go     what a reader sees while a writer writes
//	races.go     two at once: revocations, resets, links, leases
//	rows.go      names, nulls, times, constraints
//	lists.go     pages, filters and search
//	failures.go  every statement fails once in turn; the context ends at every statement
//	tap.go       [Tap], which watches statements on their way to the driver and makes them fail
//
// The tests of internal/authority use [Tap] too.
package storetest
