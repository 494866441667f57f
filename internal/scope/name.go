package scope

import "fmt"

// MaxName is the longest name, in bytes.
const MaxName = 160

// Name is a right by its name, unique within one version of one API: [A-Za-z0-9._:-]+, at most 160 bytes.
type Name string

// ParseName checks s and returns it as a name. Nothing is trimmed or folded: a name has one spelling.
func ParseName(s string) (Name, error) {
	if s == "" {
		return "", fmt.Errorf("a scope name is empty")
	}
	if len(s) > MaxName {
		return "", fmt.Errorf("a scope name has %d bytes; at most %d are allowed", len(s), MaxName)
	}
	for i := range len(s) {
		if !nameByte(s[i]) {
			return "", fmt.Errorf("scope name %q has a character that is not one of A-Z a-z 0-9 . _ : -", s)
		}
	}
	return Name(s), nil
}

func nameByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == ':' || c == '-'
}
