package verify

import (
	"strings"
	"unsafe"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
)

const (
	maxCredential = 512 // octets of the Authorization field's value
	sidLen        = len(token.SID{})

	// A scheme and the one space after it.
	bearer = "Bearer "
	basic  = "Basic "
)

// plain has room for what a Basic field decodes to. It is on the stack of whoever judges the request.
type plain [maxCredential / 4 * 3]byte

// readCredential finds the one credential of a request. The code is "" if there is a well-formed one, and
// otherwise [api.CodeNoCredential], [api.CodeMalformedCredential] or [api.CodeBadChecksum]. The result
// may share the buffer, which nothing writes to afterwards.
//
// A request with two of anything is refused, since the one that we judge may not be the one that the
// backend takes (SECURITY.md, class 16): two fields, or a token in the query beside one (RFC 6750,
// section 2). A token in the query alone is no credential. The name of the field has no hyphen, and so no
// second spelling but in case, which whoever fills [Request] folds.
func readCredential(buffer *plain, prefix token.Prefix, header map[string][]string, target string) (token.Parsed, api.Code) {
	values := header["Authorization"]
	if len(values) == 0 {
		return token.Parsed{}, api.CodeNoCredential
	}
	if len(values) > 1 || len(values[0]) > maxCredential || queryHasToken(target) {
		return token.Parsed{}, api.CodeMalformedCredential
	}
	value := values[0]
	switch {
	case hasScheme(value, bearer):
		return parse(prefix, value[len(bearer):])
	case hasScheme(value, basic):
		return readBasic(buffer, prefix, value[len(basic):])
	}
	return token.Parsed{}, api.CodeMalformedCredential
}

// hasScheme reads the scheme without regard to case (RFC 9110, section 11.1).
func hasScheme(value, scheme string) bool {
	return len(value) > len(scheme) && (value[:len(scheme)] == scheme || strings.EqualFold(value[:len(scheme)], scheme))
}

// readBasic reads base64(SID:AuthToken). The user must be the SID inside the password, or one of two
// programs could take the request for another token's.
func readBasic(buffer *plain, prefix token.Prefix, encoded string) (token.Parsed, api.Code) {
	n, ok := decodeBase64(buffer, encoded)
	if !ok || n <= sidLen+1 || buffer[sidLen] != ':' {
		return token.Parsed{}, api.CodeMalformedCredential
	}
	password := unsafe.String(&buffer[sidLen+1], n-sidLen-1)
	parsed, code := parse(prefix, password)
	if code == "" && string(buffer[:sidLen]) != string(parsed.SID[:]) {
		return token.Parsed{}, api.CodeMalformedCredential
	}
	return parsed, code
}

func parse(prefix token.Prefix, authToken string) (token.Parsed, api.Code) {
	parsed, fault := prefix.Parse(authToken)
	switch fault {
	case token.NoFault:
		return parsed, ""
	case token.BadChecksum:
		return parsed, api.CodeBadChecksum
	}
	return parsed, api.CodeMalformedCredential
}

// base64Values maps an octet of the standard alphabet to its value, and any other to 0xff.
var base64Values = func() (values [256]uint8) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range values {
		values[i] = 0xff
	}
	for i := range len(alphabet) {
		values[alphabet[i]] = uint8(i)
	}
	return values
}()

// decodeBase64 takes the one canonical spelling only (RFC 4648, sections 4 and 3.5): the standard
// alphabet, full padding, zero bits at the end, and no line ends, which encoding/base64 passes over.
func decodeBase64(into *plain, s string) (n int, ok bool) {
	if len(s) == 0 || len(s)%4 != 0 || len(s) > maxCredential {
		return 0, false
	}
	padding := 0
	if s[len(s)-1] == '=' {
		padding = 1
		if s[len(s)-2] == '=' {
			padding = 2
		}
	}
	for i := 0; i < len(s); i += 4 {
		a, b := base64Values[s[i]], base64Values[s[i+1]]
		c, d := base64Values[s[i+2]], base64Values[s[i+3]]
		if i+4 == len(s) {
			if padding > 0 {
				d = 0
			}
			if padding > 1 {
				c = 0
			}
		}
		if a|b|c|d > 63 {
			return 0, false
		}
		into[n], into[n+1], into[n+2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
		n += 3
	}
	for range padding {
		n--
		if into[n] != 0 {
			return 0, false
		}
	}
	return n, true
}

// queryHasToken says whether the query carries access_token (RFC 6750, section 2.3), however its name
// is escaped. One scan; nothing is built.
func queryHasToken(target string) bool {
	at := strings.IndexByte(target, '?')
	if at < 0 {
		return false
	}
	for query := target[at+1:]; query != ""; {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		for pair != "" {
			var one string
			one, pair, _ = strings.Cut(pair, ";") // some servers still part here
			if namesToken(one) {
				return true
			}
		}
	}
	return false
}

// namesToken compares the raw name of a pair as the most careless server reads it: escapes and plus
// signs decoded, leading blanks dropped, case folded, dots, blanks, hyphens and brackets underscores,
// and cut at a bracket or NUL.
func namesToken(pair string) bool {
	const name = "access_token"
	at := 0
	for i := 0; i < len(pair) && pair[i] != '='; i++ {
		c := pair[i]
		if c == '%' && i+2 < len(pair) {
			if high, low := unhex(pair[i+1]), unhex(pair[i+2]); high < 16 && low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		switch {
		case (c == '+' || c == ' ') && at == 0:
			continue
		case at == len(name):
			return c == '[' || c == 0
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == '.' || c == ' ' || c == '+' || c == '-' || c == '[':
			c = '_'
		}
		if c != name[at] {
			return false
		}
		at++
	}
	return at == len(name)
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
