// Package scope has the two words that every right is spoken in.
//
// A [Name] is a right as people, documents and databases write it: jobs.replay-job. Names are what is
// stored and sent; they mean something only together with an API and a version.
//
// A [Set] is the same rights as a verifier asks about them: bits. Which name has which bit is known to
// decide.Table alone, for one (API, version) at a time, and is never stored; so two sets may be compared
// only if they are of the same version of the same API.
//
// The zero value of both refuses: the empty name is no name, and the empty set covers nothing but itself.
package scope
