package agencyapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxBody bounds a request body, in bytes.
const maxBody = 1 << 20

// The names of the two APIs, as the catalogue spells them.
const (
	agencyAPI = "agency"
	brandAPI  = "brand"
)

// Handler answers every operation of the sample APIs from data of its own, made afresh by each call
// of Handler and dated relative to today.
func Handler() http.Handler {
	now := time.Now().UTC()
	return &platform{agency: newAgency(now), brands: newBrands(now), now: now}
}

// platform is the state behind one handler. One lock for all: it is a sample, not a load test.
type platform struct {
	mu     sync.Mutex
	agency *agency
	brands map[string]*brand // by id
	now    time.Time
}

// call is one request on its way to an operation.
type call struct {
	agency *agency
	brand  *brand // nil on the Agency API
	params map[string]string
	body   record // the JSON object that came; nil if none did
	query  url.Values
	now    time.Time
}

// answer is what an operation gives back. With File set the body is that text as CSV, else Body as JSON.
type answer struct {
	Status   int
	Body     record
	File     string
	Location string // relative to the path that was called
}

// operation is one line of a version's table.
type operation struct {
	method   string
	template string // below the API's base
	run      func(*call) (answer, error)
}

// refusal is an error that the caller may read.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, text: fmt.Sprintf(format, args...)}
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ans, allow, err := p.serve(w, r)
	if len(allow) > 0 {
		w.Header().Set("Allow", strings.Join(allow, ", "))
	}
	var no *refusal
	switch {
	case errors.As(err, &no):
		ans = answer{Status: no.status, Body: record{"Error": no.text}}
	case err != nil:
		ans = answer{Status: http.StatusInternalServerError, Body: record{"Error": "The sample API failed: " + err.Error()}}
	}
	write(w, r, ans)
}

// serve finds and runs the operation. allow lists the methods of the path when the method is wrong.
func (p *platform) serve(w http.ResponseWriter, r *http.Request) (ans answer, allow []string, err error) {
	api, brandID, rest, err := locate(r)
	if err != nil {
		return answer{}, nil, err
	}
	table, err := tableOf(r, api)
	if err != nil {
		return answer{}, nil, err
	}
	op, params, allow := find(table, r.Method, rest)
	if op == nil {
		if len(allow) > 0 {
			return answer{}, allow, refuse(http.StatusMethodNotAllowed, "This path does not take %s.", r.Method)
		}
		return answer{}, nil, refuse(http.StatusNotFound, "This version has no such path.")
	}
	body, err := readBody(w, r)
	if err != nil {
		return answer{}, nil, err
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	c := &call{agency: p.agency, params: params, body: body, query: r.URL.Query(), now: p.now}
	if api == brandAPI {
		if c.brand = p.brands[brandID]; c.brand == nil {
			return answer{}, nil, refuse(http.StatusNotFound, "There is no brand %q.", brandID)
		}
	}
	ans, err = op.run(c)
	return ans, nil, err
}

// locate says which API a path belongs to, which brand it is about, and what is left below the base.
func locate(r *http.Request) (api, brandID string, rest []string, err error) {
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, s := range segments {
		if segments[i], err = url.PathUnescape(s); err != nil {
			return "", "", nil, refuse(http.StatusBadRequest, "The path has a broken escape.")
		}
	}
	switch {
	case len(segments) > 4 && segments[0] == "Agencies" && segments[2] == "Advertisers":
		return brandAPI, segments[3], segments[4:], nil
	case len(segments) > 2 && segments[0] == "Agencies":
		return agencyAPI, "", segments[2:], nil
	case len(segments) > 2 && segments[0] == "Advertisers":
		// The account is the brand itself. Called directly, without a verifier in front, it is the first one.
		id := r.Header.Get("X-Counterfoil-Account")
		if id == "" {
			id = Brands()[0].ID
		}
		return brandAPI, id, segments[2:], nil
	}
	return "", "", nil, refuse(http.StatusNotFound, "The sample API begins at /Agencies/{AccountSID} and /Advertisers/{AccountSID}.")
}

// tableOf picks the version: the one that the verifier decided on, else the one the request names,
// else the latest.
func tableOf(r *http.Request, api string) ([]operation, error) {
	versions := map[string][]operation{"2": agencyV2(), "3": agencyV3()}
	version := "3"
	if api == brandAPI {
		versions, version = map[string][]operation{"7": brandV7(), "8": brandV8()}, "8"
	}
	switch {
	case r.Header.Get("X-Counterfoil-Api") == api && r.Header.Get("X-Counterfoil-Version") != "":
		version = r.Header.Get("X-Counterfoil-Version")
	case r.Header.Get("IR-Version") != "":
		version = r.Header.Get("IR-Version")
	case r.URL.Query().Get("IrVersion") != "":
		version = r.URL.Query().Get("IrVersion")
	}
	table, ok := versions[version]
	if !ok {
		return nil, refuse(http.StatusBadRequest, "The %s API has no version %q.", api, version)
	}
	return table, nil
}

// find matches literal segments before parameters, so that the order of the table does not matter.
func find(table []operation, method string, segments []string) (*operation, map[string]string, []string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var (
		found   *operation
		params  map[string]string
		allowed []string
	)
	for i := range table {
		got, ok := match(table[i].template, segments)
		if !ok {
			continue
		}
		allowed = append(allowed, table[i].method)
		if table[i].method == method && (found == nil || len(got) < len(params)) {
			found, params = &table[i], got
		}
	}
	slices.Sort(allowed)
	return found, params, slices.Compact(allowed)
}

// match compares a template with the decoded segments of a path.
func match(template string, segments []string) (map[string]string, bool) {
	parts := strings.Split(strings.TrimPrefix(template, "/"), "/")
	if len(parts) != len(segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, part := range parts {
		name, isParam := strings.CutPrefix(part, "{")
		switch {
		case isParam && segments[i] != "":
			params[strings.TrimSuffix(name, "}")] = segments[i]
		case part != segments[i]:
			return nil, false
		}
	}
	return params, true
}

// readBody takes one JSON object or nothing.
func readBody(w http.ResponseWriter, r *http.Request) (record, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes.", tooLarge.Limit)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	if len(raw) == 0 {
		return nil, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "Send application/json.")
	}
	var body record
	if err := json.Unmarshal(raw, &body); err != nil || body == nil {
		return nil, refuse(http.StatusBadRequest, "The body is not a JSON object.")
	}
	return body, nil
}

// caller repeats the identity headers. The names lose their common prefix; a header that came more
// than once shows all its values, since that is what a forged one looks like.
func caller(r *http.Request) record {
	got := record{"CredentialReceived": r.Header.Get("Authorization") != ""}
	for name, values := range r.Header {
		if short, ok := strings.CutPrefix(name, "X-Counterfoil-"); ok {
			got[short] = strings.Join(values, ", ")
		}
	}
	return got
}

func write(w http.ResponseWriter, r *http.Request, ans answer) {
	if ans.Location != "" {
		w.Header().Set("Location", strings.TrimSuffix(r.URL.EscapedPath(), "/")+"/"+ans.Location)
	}
	body := []byte(ans.File)
	if ans.File == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		full := record{"CalledBy": caller(r)}
		for k, v := range ans.Body {
			full[k] = v
		}
		var err error
		if body, err = json.MarshalIndent(full, "", "  "); err != nil {
			http.Error(w, "The sample API could not encode its answer: "+err.Error(), http.StatusInternalServerError)
			return
		}
		body = append(body, '\n')
	} else {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	}
	w.WriteHeader(ans.Status)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(body); err != nil {
		// The caller hung up. Aborting closes the connection, so that half an answer is not taken for a whole one.
		panic(http.ErrAbortHandler)
	}
}
