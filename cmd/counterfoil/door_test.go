package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"counterfoil.dev/counterfoil/api"
)

// answer is what a door says: a status, and the code of a refusal.
type answer struct {
	Status int
	Code   api.Code
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Code) }

var (
	passes       = answer{Status: http.StatusOK}
	notKnown     = answer{http.StatusUnauthorized, api.CodeInvalidToken}
	isDisabled   = answer{http.StatusForbidden, api.CodeTokenDisabled}
	boxMissing   = answer{http.StatusForbidden, api.CodeInsufficientScope}
	isSuspended  = answer{http.StatusForbidden, api.CodeAccountSuspended}
	isNotManaged = answer{http.StatusForbidden, api.CodeBrandNotManaged}
)

// ask sends a request with a token and reads the verdict.
func ask(t testing.TB, r *http.Request, sid, authToken string) answer {
	t.Helper()
	r.SetBasicAuth(sid, authToken)
	got, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	out := answer{Status: got.StatusCode}
	body := readAll(t, got.Body)
	if got.StatusCode/100 != 2 {
		var problem api.Error
		if err := json.Unmarshal([]byte(body), &problem); err != nil {
			t.Fatalf("%s %s: %s is no problem document: %s", r.Method, r.URL, got.Status, body)
		}
		out.Code = problem.Code
	}
	return out
}

// atGateway asks for the advertisers through the gateway, or for a path below the token's own.
func (d *demonstration) atGateway(t testing.TB, sid, authToken, path string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.file.Gateway+"/Agencies/"+sid+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, r, sid, authToken)
}

// atDoor asks the same as a proxy would, at /authorize.
func (d *demonstration) atDoor(t testing.TB, sid, authToken, path string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.file.Doors+"/authorize", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-Method", http.MethodGet)
	r.Header.Set("X-Forwarded-Uri", "/Agencies/"+sid+path)
	r.Header.Set("X-Forwarded-Host", "localhost")
	return ask(t, r, sid, authToken)
}
