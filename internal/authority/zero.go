package authority

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing/fstest"

	"counterfoil.dev/counterfoil/internal/catalog"
)

// ZeroAPI is the name of the management API in the catalogue. It is guarded by our own tokens and
// scopes like any other API, through tokens of a kind of their own.
const ZeroAPI = "counterfoil"

// ZeroVersion is its one version.
const ZeroVersion = "1"

// operatorOnly are the categories of the management API that only the operator's own tokens may hold.
var operatorOnly = []string{"Accounts", "Catalogue"}

// operatorScopes are single scopes of other categories that only the operator's own tokens may hold: the
// chain runs through every account's history.
var operatorScopes = []string{"history.verify-history"}

type zeroAPI struct{ result catalog.Result }

// buildZero catalogues the management API from its own OpenAPI document.
func buildZero(document []byte, baseURL string) (zeroAPI, error) {
	if len(document) == 0 {
		return zeroAPI{}, nil
	}
	base, err := url.Parse(baseURL)
	if err != nil || base.Hostname() == "" {
		return zeroAPI{}, fmt.Errorf("base URL %q: want http(s)://host", baseURL)
	}
	file := fmt.Sprintf(`apis:
  %s:
    title: Management API
    accounts: [agency, brand, partner]
    base: /api/v1
    bind: none
    hosts: [%q]
    parameters: {scope: {allow: ":"}}
    scopes:
      self.whoami: {hide: true} # every live token may ask that, so its box would say nothing
    versions:
      %q: {state: current, documents: [openapi.json]}
`, ZeroAPI, strings.ToLower(base.Hostname()), ZeroVersion)
	folder := fstest.MapFS{
		"catalog.yaml": {Data: []byte(file)},
		"openapi.json": {Data: document},
	}
	src, problems, err := catalog.Load(folder, "catalog.yaml")
	if err != nil {
		return zeroAPI{}, fmt.Errorf("cataloguing the management API: %w", err)
	}
	result, more := catalog.Build(src, catalog.Options{})
	for _, p := range slices.Concat(problems, more) {
		if p.Severity == catalog.Fatal {
			return zeroAPI{}, fmt.Errorf("cataloguing the management API: %s", p)
		}
	}
	return zeroAPI{result: *result}, nil
}
