package token

import "errors"

// SID is a token's public id: 22 base62 characters, a number below 2^128. It is comparable and holds
// no pointer, so a table of a million keys costs the collector nothing. The zero SID is no SID: it
// parses from nothing and names nothing.
type SID [sidLen]byte

// ErrSID says that a string is not a SID. It does not echo the string, which may be a secret that was
// pasted into the wrong field.
var ErrSID = errors.New("token: a SID is 22 characters of 0-9, A-Z and a-z, and below 2^128")

// ParseSID reads a SID. The only error is [ErrSID].
func ParseSID(s string) (SID, error) {
	if len(s) != sidLen || !isBase62(s) || s >= sidEnd {
		return SID{}, ErrSID
	}
	return SID([]byte(s)), nil
}

// IsZero says whether this is the zero SID, which names nothing.
func (s SID) IsZero() bool { return s == SID{} }

// String is the 22 characters, or "" for the zero SID.
func (s SID) String() string {
	if s.IsZero() {
		return ""
	}
	return string(s[:])
}

// MarshalText writes the 22 characters, so that a SID is a string in JSON; the zero SID is empty.
func (s SID) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what [SID.MarshalText] wrote. The only error is [ErrSID].
func (s *SID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = SID{}
		return nil
	}
	got, err := ParseSID(string(text))
	if err != nil {
		return err
	}
	*s = got
	return nil
}
