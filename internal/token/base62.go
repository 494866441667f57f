package token

import (
	"encoding/binary"
	"math/bits"
)

// alphabet is in ASCII order: strings of one width compare as their numbers do.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const (
	sidLen      = 22
	secretLen   = 43
	checksumLen = 6
	bodyLen     = sidLen + secretLen + checksumLen

	sidBytes    = 16
	secretBytes = 32

	// The first values that do not fit: 2^128 in 22 digits and 2^256 in 43.
	sidEnd    = "7n42DGM5Tflk9n8mt7Fhc8"
	secretEnd = "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp2"
)

const notDigit = 0xff

// digits maps an octet to its value, or to notDigit.
var digits = func() (t [256]byte) {
	for i := range t {
		t[i] = notDigit
	}
	for i := range alphabet {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

// isBase62 says whether every octet of s is a digit. All octets are looked at.
func isBase62(s string) bool {
	var seen byte
	for i := range len(s) {
		seen |= digits[s[i]]
	}
	return seen&0x80 == 0
}

// encode writes the big-endian number in src into dst, right-aligned and padded with 0. The width of
// dst must hold it: 22 digits for 16 octets, 43 for 32.
func encode(dst, src []byte) {
	var words [secretBytes / 8]uint64
	n := len(src) / 8
	for i := range n {
		words[i] = binary.BigEndian.Uint64(src[i*8:])
	}
	for d := len(dst) - 1; d >= 0; d-- {
		var rest uint64
		for i := range n {
			words[i], rest = bits.Div64(rest, words[i], 62)
		}
		dst[d] = alphabet[rest]
	}
}

// decodeChecksum reads six digits; ok says whether they are. The width is fixed, so a number has one spelling.
func decodeChecksum(s string) (sum uint64, ok bool) {
	var seen byte
	for i := range checksumLen {
		d := digits[s[i]]
		seen |= d
		sum = sum*62 + uint64(d)
	}
	return sum, seen&0x80 == 0
}

// encodeChecksum writes a CRC-32 as six digits; 62^6 is more than 2^32.
func encodeChecksum(dst *[checksumLen]byte, sum uint32) {
	for d := checksumLen - 1; d >= 0; d-- {
		dst[d] = alphabet[sum%62]
		sum /= 62
	}
}
