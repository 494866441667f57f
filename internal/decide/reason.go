package decide

import "strconv"

// Reason is the answer of [Table.Match] and [Table.Decide]. The zero value refuses.
type Reason uint8

// Reasons, in the order in which a request is judged.
const (
	Undecided         Reason = iota // nothing was judged: a refusal, and a mistake of the program
	Allow                           // from Match: go on and ask for the credential; from Decide: the request may pass
	MalformedRequest                // target, method or fields that could be read in two ways
	HostNotAllowed                  // a host that no API has
	NoRoute                         // the path is in no version, or not in the judged one
	MethodNotAllowed                // the path is there, the method is not
	WrongAccount                    // the path names another caller
	VersionNotAllowed               // no such version, or one that the token has not
	VersionRetired                  // the version has ended
	InsufficientScope               // Verdict.Missing names the boxes
	BrandNotManaged                 // the account does not manage the brand now
	BrandOutOfReach                 // it does, but this token may not act on it
)

var codes = [...]string{
	Undecided:         "undecided",
	Allow:             "allow",
	MalformedRequest:  "malformed_request",
	HostNotAllowed:    "host_not_allowed",
	NoRoute:           "no_route",
	MethodNotAllowed:  "method_not_allowed",
	WrongAccount:      "wrong_account",
	VersionNotAllowed: "version_not_allowed",
	VersionRetired:    "version_retired",
	InsufficientScope: "insufficient_scope",
	BrandNotManaged:   "brand_not_managed",
	BrandOutOfReach:   "brand_out_of_reach",
}

// String returns the stable code that callers read.
func (r Reason) String() string {
	if int(r) < len(codes) {
		return codes[r]
	}
	return "undecided_" + strconv.Itoa(int(r))
}
