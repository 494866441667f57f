package probe

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/api"
)

// IdentityHeaders are the fields by which the verifier tells the API who calls (DESIGN.md, section 6).
var IdentityHeaders = [...]string{
	"X-Counterfoil-Account", "X-Counterfoil-Sid", "X-Counterfoil-Api", "X-Counterfoil-Version",
	"X-Counterfoil-Scope", "X-Counterfoil-Brand", "X-Counterfoil-Request-Id",
}

const (
	titleAllowed    = "A request that the token may make passes"
	titleCredential = "The API never gets the credential"
	titleIdentity   = "The API is told who calls"
	titleSpoofed    = "No client can say who calls"
	titleBad        = "With a token, bad requests do not reach the API"
)

// noMirror is why nothing behind the proxy is seen.
const noMirror = "What the API receives cannot be seen from outside: run the test with a mirror in its place."

// spoof is what a client makes up.
const spoof = "self-test-spoof"

// inside checks what reaches the API.
func (r *run) inside(ctx context.Context) {
	credential := "Authorization: Bearer " + r.Token.Reveal()
	a := r.send(ctx, ask{method: http.MethodGet, path: r.Token.Path, fields: []string{credential}})
	if a.code == api.CodeWrongAccount && r.Token.Other != "" { // this API's paths name the account
		r.Token.Path = r.Token.Other
		a = r.send(ctx, ask{method: http.MethodGet, path: r.Token.Path, fields: []string{credential}})
	}
	switch {
	case a.err != nil || a.code != "":
		r.verdict("allowed", titleAllowed, "", "It was refused: "+a.got()+". "+short(a.problem.Detail))
	case r.Mirror == nil:
		r.verdict("allowed", titleAllowed, "The door let it pass; the answer was "+a.got()+".", "")
	case len(a.seen) != 1:
		r.verdict("allowed", titleAllowed, "", "It did not reach the mirror: "+a.got()+". Is the proxy's upstream "+r.Mirror.Address()+" for the test?")
	default:
		r.verdict("allowed", titleAllowed, "It does.", "")
	}
	if r.Mirror == nil || len(a.seen) != 1 {
		for _, c := range [][2]string{{"credential", titleCredential}, {"identity", titleIdentity}, {"spoofed", titleSpoofed}, {"bad", titleBad}} {
			r.unseen(c[0], c[1], noMirror)
		}
		return
	}
	r.credential(a.seen[0])
	r.identity(a.seen[0])
	r.spoofed(ctx, credential)
	r.bad(ctx, credential)
}

func (r *run) credential(seen Seen) {
	var in []string
	secret := r.Token.Reveal()
	for field, values := range seen.Header {
		if field == "Authorization" || strings.Contains(strings.Join(values, "\n"), secret) {
			in = append(in, field)
		}
	}
	wrong := ""
	if len(in) > 0 {
		slices.Sort(in)
		wrong = "It came in " + strings.Join(in, ", ") + ", so that whoever reads the API's logs can call it."
	}
	r.verdict("credential", titleCredential, "It does not.", wrong)
}

func (r *run) identity(seen Seen) {
	var wrong []string
	for _, field := range IdentityHeaders {
		values := seen.Header[field]
		switch {
		case len(values) > 1:
			wrong = append(wrong, field+" comes more than once")
		case field == "X-Counterfoil-Brand": // empty for this call, and some proxies leave empty fields out
		case len(values) == 0 || values[0] == "":
			wrong = append(wrong, field+" is missing")
		case field == "X-Counterfoil-Sid" && values[0] != r.Token.SID, field == "X-Counterfoil-Account" && values[0] != r.Token.Account:
			wrong = append(wrong, field+" is another one's")
		}
	}
	words := ""
	if len(wrong) > 0 {
		words = strings.Join(wrong, "; ") + "."
	}
	r.verdict("identity", titleIdentity, "It is, in all seven fields.", words)
}

// spoofed sends every identity field with a value of the client's, in three spellings (classes 13 and 14).
func (r *run) spoofed(ctx context.Context, credential string) {
	kept := map[string]bool{}
	for _, with := range []string{"-", "_", "."} {
		fields := []string{credential}
		for _, field := range IdentityHeaders {
			fields = append(fields, strings.ReplaceAll(field, "-", with)+": "+spoof)
		}
		a := r.send(ctx, ask{method: http.MethodGet, path: r.Token.Path, fields: fields})
		for _, seen := range a.seen {
			for field, values := range seen.Header {
				if strings.Contains(strings.Join(values, "\n"), spoof) {
					kept[field] = true
				}
			}
		}
	}
	wrong := ""
	if len(kept) > 0 {
		wrong = "The API got the client's own value in " + strings.Join(slices.Sorted(maps.Keys(kept)), ", ") + "."
	}
	if lost := r.taken(ctx, credential); len(lost) > 0 {
		wrong = strings.TrimSpace(wrong + " A client that names them in Connection takes these away from the API: " + strings.Join(lost, ", ") + ".")
	}
	r.verdict("spoofed", titleSpoofed, "Values of a client's own making do not reach the API.", wrong)
}

// taken names the identity fields in Connection, and says which are lost by it (class 15).
func (r *run) taken(ctx context.Context, credential string) (lost []string) {
	a := r.send(ctx, ask{method: http.MethodGet, path: r.Token.Path, fields: []string{credential, "Connection: " + strings.Join(IdentityHeaders[:], ", ")}})
	for _, seen := range a.seen {
		for _, field := range IdentityHeaders {
			if field != "X-Counterfoil-Brand" && seen.Header.Get(field) == "" {
				lost = append(lost, field)
			}
		}
	}
	return lost
}

// bad repeats the bad spellings and claims with a token that would open the good one.
func (r *run) bad(ctx context.Context, credential string) {
	var passed []string
	note := func(what string, a answer) {
		for _, seen := range a.seen {
			// A proxy that folds before it asks and forwards what it asked about is consistent.
			if path, _, _ := strings.Cut(seen.Target, "?"); path != r.Token.Path || seen.Method != http.MethodGet {
				passed = append(passed, what+" arrived as "+seen.Method+" "+short(seen.Target))
			}
		}
	}
	for _, s := range shapes(r.Token.Path) {
		note(s.what, r.send(ctx, ask{method: http.MethodGet, path: s.path, fields: []string{credential}}))
	}
	note("“get” in lower case", r.send(ctx, ask{method: "get", path: r.Token.Path, fields: []string{credential}}))
	claimed := r.send(ctx, ask{method: http.MethodGet, path: elsewhere, fields: append([]string{
		credential, "X-Forwarded-Uri: " + r.Token.Path, "X-Original-URI: " + r.Token.Path,
	}, "X-Forwarded-Method: GET", "X-Original-Method: GET")})
	note("another path with forwarded fields of the client's own", claimed)
	note("a method that replaces another", r.send(ctx, ask{method: http.MethodGet, path: r.Token.Path, fields: []string{credential, "X-HTTP-Method-Override: DELETE"}}))
	for _, taken := range []string{"X-Forwarded-Uri", "X-Original-URI", "X-Original-Method", "X-Forwarded-Method"} {
		note("a connection that takes "+taken+" away", r.send(ctx, ask{method: http.MethodGet, path: elsewhere, fields: []string{credential, "Connection: " + taken}}))
	}
	wrong := ""
	if len(passed) > 0 {
		wrong = "These passed: " + strings.Join(passed, "; ") + "."
	}
	r.verdict("bad", titleBad, "They do not.", wrong)
}
