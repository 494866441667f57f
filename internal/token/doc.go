// Package token is the grammar of a credential string: how it is drawn, spelled and read.
//
//	<prefix>_<SID, 22><secret, 43><checksum, 6>
//
// The prefix is the operator's, followed by the word of the kind, so that kinds are told apart
// before anything else is looked at (SECURITY.md, class 36). With the default prefix:
//
//	cfoil_      access token, what the wizard makes
//	cfoilzero_  API-zero token, opens the management API and nothing else
//	cfoilnode_  node, a verifier speaking to the authority
//	cfoilrs_    introspection client (a resource server in the words of RFC 7662)
//	cfoiljoin_  join code, with which a new node enrols once
//
// The SID is 128 random bits and public; the secret is 256 random bits and shown once; the checksum
// is the CRC-32 (IEEE) of all before it, prefix included, so that a scanner drops junk offline. It
// proves nothing. All three are base62 over 0-9A-Za-z, of fixed width, left-padded with 0. The
// alphabet is in ASCII order, so fixed-width strings compare as their numbers do; a value of 2^128
// (SID) or 2^256 (secret) and more is malformed, and so each credential has exactly one spelling.
//
// The flow: [Prefix.Mint] draws a new SID and secret, [Prefix.MintFor] a new secret for a SID that
// stays; both return the [Secret], which prints as dots, and the [Digest], which is all that is
// stored. [Prefix.Parse] reads what a request presents without allocating; [Parsed.Digest] hashes
// the secret when the caller gets that far, and [Digest.Equal] compares in constant time.
//
// What lives elsewhere: which token a SID is and whether it is in force (internal/verify), who may
// have one made (internal/authority), and the Authorization field around the string (internal/doors).
package token
