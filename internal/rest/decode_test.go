package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"counterfoil.dev/counterfoil/api"
)

// The attack: members that the form does not have are set all the same (OWASP ASVS 5.0, 15.3.3), or one
// member is spelled in a second way that another reader takes.
func TestUnknownMembersAndParametersAreRefused(t *testing.T) {
	w := newWorld(t)
	_, secret := w.zeroToken(agency, w.every(agency)...)
	for name, c := range map[string]struct{ method, path, body, field string }{
		"a member":              {"POST", "/tokens", `{"name":"x","scopes":[],"owner":1}`, "owner"},
		"an account":            {"POST", "/tokens", `{"name":"x","scopes":[],"account":1002}`, "account"},
		"a SID":                 {"POST", "/tokens", `{"name":"x","scopes":[],"sid":"0000000000000000000000"}`, "sid"},
		"a second spelling":     {"POST", "/tokens", `{"name":"x","scopes":[],"Scopes":["jobs.get-job"]}`, "Scopes"},
		"only another spelling": {"POST", "/tokens", `{"Name":"x","scopes":[]}`, "name"},
		"a state on an edit":    {"PATCH", "/tokens/0000000000000000000000", `{"revision":1,"state":"enabled"}`, "state"},
		"an agency in the body": {"POST", "/members", `{"email":"a@example.com","name":"A","role":"analyst","operator":true}`, "operator"},
		"a schema":              {"POST", "/tokens", `{"name":"x","scopes":[],"$schema":"http://x"}`, "$schema"},
		"a parameter":           {"GET", "/tokens?owner=1", "", "owner"},
		"a parameter's case":    {"GET", "/tokens?Account=1001", "", "Account"},
		"an account twice":      {"GET", "/tokens?account=1001&account=1002", "", "account"},
		"an account twice, too": {"GET", "/tokens?account=1001&%61ccount=1002", "", "account"},
		"a pair unreadable":     {"GET", "/tokens?search=%zz", "", "query"},
		"a semicolon":           {"GET", "/tokens?search=a;zero=true", "", "query"},
		"a bad number":          {"GET", "/tokens?limit=0", "", "limit"},
		"a bad state":           {"GET", "/tokens?state=leaked", "", "state"},
		"a bad time":            {"GET", "/tokens?created_since=yesterday", "", "created_since"},
		"a missing member":      {"POST", "/tokens", `{"scopes":[]}`, ""},
		"a list that is null":   {"POST", "/tokens", `{"name":"x","scopes":null}`, "scopes"},
		"a string for a list":   {"POST", "/tokens", `{"name":"x","scopes":"jobs.get-job"}`, "scopes"},
		"a long key":            {"POST", "/tokens", `{"name":"x","scopes":[]}`, "Idempotency-Key"},
		"no JSON object":        {"POST", "/tokens", `[]`, "body"},
	} {
		var fields []string
		if name == "a long key" {
			fields = []string{"Idempotency-Key", strings.Repeat("k", 201)}
		}
		got := w.send(c.method, "/api/v1"+c.path, secret, c.body, fields...)
		p := got.problem()
		if got.status != http.StatusUnprocessableEntity || p.Code != api.CodeInvalid || len(p.Fields) == 0 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
			continue
		}
		if c.field != "" && !strings.Contains(p.Fields[0].Name+p.Fields[0].Message, c.field) {
			t.Errorf("%s: %+v", name, p.Fields)
		}
	}
}

func TestBodiesThatAreNoJSON(t *testing.T) {
	w := newWorld(t)
	_, secret := w.zeroToken(agency, w.every(agency)...)
	for name, c := range map[string]struct {
		body, media string
		status      int
	}{
		"cut off":        {`{"name":"x"`, "application/json", http.StatusBadRequest},
		"a name twice":   {`{"name":"x","scopes":[],"name":"y"}`, "application/json", http.StatusBadRequest},
		"two objects":    {`{"name":"x","scopes":[]}{}`, "application/json", http.StatusBadRequest},
		"nothing":        {"", "application/json", http.StatusBadRequest},
		"a form":         {"name=x", "application/x-www-form-urlencoded", http.StatusUnsupportedMediaType},
		"plain text":     {`{"name":"x","scopes":[]}`, "text/plain", http.StatusUnsupportedMediaType},
		"no type":        {`{"name":"x","scopes":[]}`, "", http.StatusUnsupportedMediaType},
		"other charset":  {`{"name":"x","scopes":[]}`, "application/json; charset=utf-16", http.StatusUnsupportedMediaType},
		"more than 1 MB": {`{"name":"` + strings.Repeat("x", 1<<20) + `","scopes":[]}`, "application/json", http.StatusRequestEntityTooLarge},
		"deep":           {strings.Repeat("[", 20000), "application/json", http.StatusBadRequest},
	} {
		got := w.send("POST", "/api/v1/tokens", secret, c.body, "Content-Type", c.media)
		if got.status != c.status || got.problem().Code == "" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// The attack: whoever makes a mistake finds the secret in the answer, and in our log.
func TestSecretsComeBackInNoRefusalAndNoLog(t *testing.T) {
	w := newWorld(t)
	sid, secret := w.zeroToken(agency, w.every(agency)...)
	tail := secret[len("cfoilzero_")+22:][:12] // where the secret part begins
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/tokens", `{"name":"x","scopes":["` + secret + `"]}`},
		{"POST", "/tokens", `{"name":"x","scopes":[],"version":"` + secret + `","developer_emails":["` + secret + `"]}`},
		{"POST", "/tokens", `{"name":5,"scopes":[],"auth_token":"` + secret + `"}`},
		{"POST", "/tokens", `{"auth_token":"` + secret + `"`},
		{"POST", "/tokens", `"` + secret + `"`},
		{"POST", "/tokens", `{"name":"x","scopes":[],"expires":"` + secret + `"}`},
		{"POST", "/tokens", `{"name":"x","scopes":[],"reach":"` + secret + `"}`},
		{"GET", "/tokens?cursor=" + secret, ""},
		{"GET", "/tokens?account=" + secret, ""},
		{"GET", "/tokens?created_since=" + secret, ""},
		{"GET", "/tokens/" + secret, ""},
		{"GET", "/" + secret, ""},
		{"POST", "/explain", `{"method":"GET","path":"/x","sid":"` + secret + `"}`},
		{"POST", "/explain", `{"method":"` + secret[:16] + `","path":"/x?access_token=` + secret + `"}`},
	} {
		got := w.send(c.method, "/api/v1"+c.path, secret, c.body)
		if strings.Contains(got.body, tail) {
			t.Errorf("%s %.30s: the answer holds the secret: %s", c.method, c.path, got.body)
		}
		for name, values := range got.header {
			if strings.Contains(strings.Join(values, " "), tail) {
				t.Errorf("%s %.30s: the field %s holds the secret", c.method, c.path, name)
			}
		}
	}
	if got := w.send("GET", "/api/v1/tokens/"+sid, secret, ""); got.status != http.StatusOK || strings.Contains(got.body, tail) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if strings.Contains(w.log.String(), tail) {
		t.Error("the log holds the secret")
	}
}
