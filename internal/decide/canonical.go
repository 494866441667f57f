package decide

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Canonical returns the one spelling of c, which is what is stored and put on the feed, and its name:
// the SHA-256 of that spelling in lower-case hex. Order that carries no meaning is sorted away (APIs,
// scopes, routes); the order of versions, hosts and alternatives has one and is kept.
func (c *Catalogue) Canonical() (canonical []byte, hash string) {
	canonical, err := json.Marshal(c.sorted())
	if err != nil {
		panic("decide: a catalogue of strings and numbers did not encode: " + err.Error())
	}
	sum := sha256.Sum256(canonical)
	return canonical, hex.EncodeToString(sum[:])
}

// sorted returns a copy of c whose lists are in the order that the policy form states, and never null.
func (c *Catalogue) sorted() *Catalogue {
	apis := append([]API{}, c.APIs...)
	slices.SortStableFunc(apis, func(a, b API) int { return cmp.Compare(a.Name, b.Name) })
	for i := range apis {
		apis[i].Versions = append([]Version{}, apis[i].Versions...)
		for j := range apis[i].Versions {
			v := &apis[i].Versions[j]
			v.Scopes = append([]ScopeWords{}, v.Scopes...)
			slices.SortStableFunc(v.Scopes, func(a, b ScopeWords) int { return cmp.Compare(a.Name, b.Name) })
			v.Routes = append([]Route{}, v.Routes...)
			slices.SortStableFunc(v.Routes, func(a, b Route) int {
				return cmp.Or(cmp.Compare(a.Template, b.Template), cmp.Compare(a.Method, b.Method))
			})
		}
	}
	return &Catalogue{APIs: apis}
}

// ParseCatalogue reads what [Catalogue.Canonical] wrote. A field that this program does not know refuses
// the whole: an older verifier that passed over a newer rule would open what the rule closes (SECURITY.md,
// class 34). So does any other spelling, since the name of a catalogue is the hash of its bytes.
func ParseCatalogue(canonicalJSON []byte) (*Catalogue, error) {
	d := json.NewDecoder(bytes.NewReader(canonicalJSON))
	d.DisallowUnknownFields()
	c := new(Catalogue)
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("reading a catalogue: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading a catalogue: something follows it")
	}
	if again, _ := c.Canonical(); !bytes.Equal(again, canonicalJSON) {
		return nil, errors.New("reading a catalogue: it is not in canonical form")
	}
	return c, nil
}
