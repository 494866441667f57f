// Package agencyapi is the sample upstream: the API of an invented partnership platform, so that the
// demo and the tests have something real behind the gateway.
//
// On the platform an agency looks after brands (the API calls them advertisers), and a brand works
// with partners who advertise for it. There are two APIs:
//
//	/Agencies/{AccountSID}/…      Agency API, versions 2 and 3: advertisers, company, jobs, reports, notes
//	/Advertisers/{AccountSID}/…   Brand API, versions 7 and 8: partners, contracts, actions, ads, deals
//	/Agencies/{AccountSID}/Advertisers/{AdvertiserId}/…   the Brand API, as the agency acting for that brand
//
// Its OpenAPI documents are in examples/catalogue; a test walks them and calls every operation with
// the examples they give, and finds no operation here that they leave out.
//
// The flow of one request: [Handler] takes the path apart (handler.go), finds the operation in the
// table of that API and version (agency.go, brand.go: each a list that reads as a table of
// contents), and runs it on shelves of records held in memory (shelf.go, filled by seed.go). What is
// written lives until the process ends.
//
// It trusts whoever calls: it is the upstream behind a verifier and must be reachable by nobody
// else. Every JSON answer carries CalledBy, which repeats the identity headers (X-Counterfoil-…) that
// arrived, so that a developer sees what an upstream learns of a caller, and says whether the
// credential itself came through (it should not).
//
// What lives elsewhere: which operation needs which scope (examples/catalogue), and every decision
// (internal/decide).
package agencyapi
