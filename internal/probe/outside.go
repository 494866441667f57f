package probe

import (
	"context"
	"net/http"
	"strings"

	"counterfoil.dev/counterfoil/api"
)

// Titles say what should be true.
const (
	titleAsked     = "A request without a credential is refused"
	titleWords     = "The door's refusal reaches the client whole"
	titleHanded    = "The credential is handed to the door"
	titleSame      = "The door is asked about what the client sent"
	titlePath      = "The door is asked about the raw path"
	titleMethod    = "The door is asked about the client's method"
	titleForwarded = "What a client says in forwarded fields is not believed"
	titleDoor      = "The door itself cannot be reached through the proxy"
)

// outside checks what needs no credential. It reports false when there is no use in going on.
func (r *run) outside(ctx context.Context) bool {
	first := r.send(ctx, ask{method: http.MethodGet, path: r.Path})
	wrong := r.askedWrong(&first)
	r.verdict("asked", titleAsked, "It is: "+first.got()+".", wrong)
	if !first.refused() || first.status >= 500 && first.code == "" {
		return false
	}
	if wrong != "" && first.code != "" {
		return false // the door was asked about something else, and all that follows would say so again
	}
	r.answered(&first)
	if !r.words {
		for _, c := range [][2]string{
			{"handed", titleHanded}, {"same", titleSame}, {"path", titlePath}, {"method", titleMethod}, {"forwarded", titleForwarded}, {"door", titleDoor},
		} {
			r.unseen(c[0], c[1], "This cannot be told while the door's refusals do not reach the client.")
		}
		return true
	}
	r.handed(ctx)
	r.paths(ctx)
	r.method(ctx)
	r.forwarded(ctx)
	r.door(ctx)
	return true
}

// askedWrong reads the first answer.
func (r *run) askedWrong(a *answer) string {
	switch {
	case a.err != nil:
		return "The proxy did not answer: " + short(a.err.Error()) + "."
	case len(a.seen) > 0 || a.status < 400:
		return "It went through: the proxy does not ask the door, or goes on whatever the door says. The answer was " + a.got() + "."
	case a.code == "" && a.status >= 500:
		return "The proxy could not ask the door, or could not use its answer: it answered " + a.got() + ". Is the door's address right, does it listen, and is its path the one for this proxy?"
	case a.code == "" && a.status != http.StatusUnauthorized && a.status != http.StatusForbidden:
		return "The proxy answered by itself: " + a.got() + ". Does it serve " + r.target.host + ", and does the API's part of it ask the door?"
	case a.code == "" || a.code == api.CodeNoCredential:
		return ""
	case a.code == api.CodeMalformedRequest:
		return "The door could not use the proxy's question. It said: “" + short(a.problem.Detail) + "”"
	case a.code == api.CodeStale:
		return "The verifier has had no news for too long and refuses everything. The proxy may be wired well."
	}
	return "The door answered " + a.got() + ", where no_credential was expected."
}

// answered looks at how the refusal of the first request was handed on.
func (r *run) answered(a *answer) {
	r.words = a.code != ""
	var wrong []string
	if !r.words {
		wrong = append(wrong, "The client gets a page of the proxy's own in place of the problem document, and does not learn what is missing.")
		if a.status == http.StatusForbidden {
			wrong = append(wrong, "Or the door could not use the question, and is asked at the path for another kind of proxy.")
		}
	}
	if a.status != http.StatusUnauthorized {
		wrong = append(wrong, "The status is not the true one, 401.")
	}
	switch n := len(a.header.Values("Www-Authenticate")); {
	case n == 0:
		wrong = append(wrong, "WWW-Authenticate is lost.")
	case n > 1:
		wrong = append(wrong, "WWW-Authenticate comes twice.")
	}
	if r.words && !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
		wrong = append(wrong, "The problem document comes with another content type than application/problem+json.")
	}
	r.verdict("words", titleWords, "It does: 401, problem document and challenge.", strings.Join(wrong, " "))
}

// handed sends a credential that is none. The door judges the route before it.
func (r *run) handed(ctx context.Context) {
	a := r.send(ctx, ask{method: http.MethodGet, path: r.Path, fields: []string{r.madeUp}})
	handed, same := "", ""
	switch {
	case !a.refused():
		handed = "A made-up credential passed: " + a.got() + "."
	case a.code == api.CodeNoCredential:
		handed = "The door was asked without the Authorization field, so that no token will ever pass."
	case a.code == api.CodeHostNotAllowed:
		same = "The door was told another host than " + r.target.host + ", or it is none of the catalogue's."
	case a.code == api.CodeNoRoute, a.code == api.CodeMethodNotAllowed:
		same = "The door was asked about another operation than was sent: something rewrites before the question. It answered " + string(a.code) + "."
	case a.code != api.CodeInvalidToken:
		same = "The door answered " + a.got() + ", where invalid_token was expected."
	}
	r.verdict("handed", titleHanded, "It is, and a made-up one is refused.", handed)
	r.verdict("same", titleSame, "It is.", same)
}

// shape is a bad spelling of a good path.
type shape struct {
	what, path string
	folded     bool // whole proxies fold it before they ask, and forward what is folded
}

// shapes are spellings that some backend takes for the path itself (SECURITY.md, classes 1 to 4).
func shapes(path string) []shape {
	at := strings.LastIndexByte(path, '/')
	dir, last := path[:at], path[at+1:]
	if last == "" {
		last = "x"
	}
	return []shape{
		{"an encoded ..", dir + "/x/%2e%2e/" + last, false},
		{"an encoded slash", dir + "/x%2f..%2f" + last, false},
		{"an encoded letter of the name", dir + "/" + percent(last), false},
		{"a doubly encoded ..", dir + "/x/%252e%252e/" + last, false},
		{"a semicolon", path + ";x=1", false},
		{"a backslash", dir + "/x/..%5c" + last, false},
		{"..", dir + "/x/../" + last, true},
		{"a double slash", dir + "//" + last, true},
	}
}

func percent(segment string) string {
	const digits = "0123456789ABCDEF"
	return "%" + string(digits[segment[0]>>4]) + string(digits[segment[0]&15]) + segment[1:]
}

// paths sends the bad spellings without a credential: the door judges the path first, so that another
// answer than malformed_request means that it was told another path.
func (r *run) paths(ctx context.Context) {
	var decoded, folded []string
	for _, s := range shapes(r.Path) {
		a := r.send(ctx, ask{method: http.MethodGet, path: s.path})
		switch {
		case !a.refused():
			decoded = append(decoded, s.what+" went through without a credential")
		case a.code == "" || a.code == api.CodeMalformedRequest || a.code == api.CodeNoRoute:
		case s.folded:
			folded = append(folded, s.what)
		default:
			decoded = append(decoded, s.what)
		}
	}
	if len(decoded) > 0 {
		r.verdict("path", titlePath, "", "The proxy asks about a path that it has decoded, while the API may get the raw one: the two can differ. Seen with "+strings.Join(append(decoded, folded...), ", ")+".")
		return
	}
	if len(folded) > 0 {
		r.add(Check{
			Name: "path", Title: titlePath, Status: Unseen, Fixes: fixes["path"],
			Words: "The proxy folds " + strings.Join(folded, " and ") + " before it asks. That is safe only if it forwards the folded path too, which the checks with a mirror show.",
		})
		return
	}
	r.verdict("path", titlePath, "It is: every spelling with a second meaning is refused.", "")
}

// method sends one in lower case, which is another method.
func (r *run) method(ctx context.Context) {
	wrong := ""
	if a := r.send(ctx, ask{method: "get", path: r.Path}); !a.refused() {
		wrong = "“get” in lower case passed: " + a.got() + "."
	} else if a.code == api.CodeNoCredential {
		wrong = "“get” in lower case was judged as GET: the method is changed before the door is asked, or is not the client's."
	}
	r.verdict("method", titleMethod, "It is: “get” in lower case is refused.", wrong)
}

// elsewhere is a path that no catalogue has.
const elsewhere = "/counterfoil-self-test/no-such-operation"

// claims are the fields by which a client may try to say what it asked for (SECURITY.md, classes 10 to 13).
func (r *run) claims() []string {
	var lines []string
	for _, name := range []string{"X-Forwarded-Uri", "X-Original-URI", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Path"} {
		lines = append(lines, name+": "+r.Path)
	}
	return lines
}

// forwarded makes claims about path, method and host, each in a request whose right answer is known.
func (r *run) forwarded(ctx context.Context) {
	var believed []string
	for _, line := range r.claims() {
		a := r.send(ctx, ask{method: http.MethodGet, path: elsewhere, fields: []string{r.madeUp, line}})
		if !a.refused() || a.code == api.CodeInvalidToken {
			believed = append(believed, name(line))
		}
	}
	for _, field := range []string{"X-Forwarded-Method", "X-Original-Method"} {
		a := r.send(ctx, ask{method: http.MethodGet, path: r.Path, fields: []string{r.madeUp, field + ": BREW"}}) // which no door knows
		if a.code != api.CodeInvalidToken {
			believed = append(believed, field)
		}
	}
	a := r.send(ctx, ask{method: http.MethodGet, path: r.Path, fields: []string{r.madeUp, "X-Forwarded-Host: self-test.invalid"}})
	if a.code != api.CodeInvalidToken {
		believed = append(believed, "X-Forwarded-Host")
	}
	wrong := ""
	if len(believed) > 0 {
		wrong = "The door is told what the client claims in " + strings.Join(believed, ", ") + ", so that anybody names what is judged."
	}
	r.verdict("forwarded", titleForwarded, "It is not.", wrong)
}

func name(line string) string {
	before, _, _ := strings.Cut(line, ":")
	return before
}

// door asks for the door's own paths as if the proxy were it.
func (r *run) door(ctx context.Context) {
	var open []string
	for _, path := range []string{"/authorize", "/authorize/nginx", "/_counterfoil", "/oauth2/introspect"} {
		a := r.send(ctx, ask{method: http.MethodGet, path: path, fields: append(r.claims(), r.madeUp, "X-Forwarded-Method: GET", "X-Original-Method: GET")})
		if !a.refused() || a.code != "" && a.code != api.CodeNoRoute || a.header.Get("X-Counterfoil-Status") != "" {
			open = append(open, path)
		}
	}
	wrong := ""
	if len(open) > 0 {
		wrong = "The client's request was answered by the door itself at " + strings.Join(open, ", ") + "."
	}
	r.verdict("door", titleDoor, "It cannot.", wrong)
}
