package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"counterfoil.dev/counterfoil/api"
)

// sent is an answer on the wire.
type sent struct {
	status int
	header http.Header
	body   string
}

// problem reads the answer as a refusal; the code is "" if it is none.
func (s sent) problem() api.Error {
	var e api.Error
	if s.header.Get("Content-Type") != "application/problem+json" || json.Unmarshal([]byte(s.body), &e) != nil {
		return api.Error{}
	}
	return e
}

// send puts a request on the wire as it is, past api.Client. A secret of "" sends none.
func (w *world) send(method, target, secret, body string, fields ...string) sent {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return sent{answer.StatusCode, answer.Header, string(raw)}
}
