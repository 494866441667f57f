package authority_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/catalog"
	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/store/storetest"
)

// Accounts of the world. Nobody is in unknown.
const (
	agency  = int64(4711)
	rival   = int64(4712)
	brandA  = int64(5001)
	brandB  = int64(5002)
	foreign = int64(5003) // a brand that the agency does not manage
	unknown = int64(9999)
)

// world is an authority on a real database, with two agencies, three brands and their people.
type world struct {
	*authority.Authority
	t    testing.TB
	db   *store.DB
	path string
	tap  *storetest.Tap
	key  *seal.Key

	mu   sync.Mutex
	time time.Time

	operator, admin, trusted, specialist, analyst, rivalAdmin, brandAdmin authority.Actor
}

// zeroDocument is a management API in small.
var zeroDocument = document("Management API",
	"GET /api/v1/whoami Self whoami", "POST /api/v1/explain Self explainRequest",
	"GET /api/v1/accounts Accounts listAccounts", "GET /api/v1/tokens Tokens listTokens", "POST /api/v1/tokens Tokens createToken")

func newWorld(t testing.TB) *world {
	t.Helper()
	w := emptyWorld(t)
	w.publish(small())
	w.settle()
	return w
}

func emptyWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, path: filepath.Join(dir, "desk.db"), tap: &storetest.Tap{}, time: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	var err error
	if w.key, err = seal.LoadOrCreate(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	if w.db, err = store.OpenThrough(t.Context(), "sqlite:"+w.path, w.tap.Connector); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			storetest.Sound(t, w.db)
		}
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Authority = w.open()
	w.operator = authority.Actor{Name: "Olive Operator", Operator: true, Address: "192.0.2.1", RequestID: "r1"}
	return w
}

func (w *world) open(change ...func(*authority.Config)) *authority.Authority {
	w.t.Helper()
	c := authority.Config{
		DB: w.db, Key: w.key, BaseURL: "https://desk.platform.example", Zero: zeroDocument, Now: w.now,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, f := range change {
		f(&c)
	}
	a, err := authority.Open(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) pass(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(by)
}

// settle makes the accounts, the links between them and the people.
func (w *world) settle() {
	t := w.t
	t.Helper()
	ctx := t.Context()
	for id, kind := range map[int64]api.AccountKind{agency: api.KindAgency, rival: api.KindAgency, brandA: api.KindBrand, brandB: api.KindBrand, foreign: api.KindBrand} {
		if _, err := w.CreateAccount(ctx, w.operator, api.AccountCreate{ID: id, Kind: kind, Name: fmt.Sprint("Account ", id)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, brand := range []int64{brandA, brandB} {
		if _, err := w.CreateManagement(ctx, w.operator, api.ManagementCreate{Agency: agency, Brand: brand}); err != nil {
			t.Fatal(err)
		}
	}
	w.admin = w.member(agency, "ada", api.RoleAdministrator, false)
	w.trusted = w.member(agency, "tess", api.RoleSpecialist, true)
	w.specialist = w.member(agency, "sam", api.RoleSpecialist, false)
	w.analyst = w.member(agency, "ann", api.RoleAnalyst, false)
	w.rivalAdmin = w.member(rival, "rob", api.RoleAdministrator, false)
	w.brandAdmin = w.member(brandA, "bea", api.RoleAdministrator, false)
}

// member invites a person and has them accept.
func (w *world) member(account int64, name string, role api.Role, sensitive bool) authority.Actor {
	t := w.t
	t.Helper()
	ctx := t.Context()
	m, err := w.InviteMember(ctx, w.operator, account, api.MemberInvite{Email: name + "@people.example", Name: name, Role: role, AllowSensitive: sensitive})
	if err != nil {
		t.Fatal(err)
	}
	w.join(account, m.Person)
	return authority.Actor{Person: m.Person, Name: name, Account: account, Role: role, AllowSensitive: sensitive, Address: "192.0.2.7", Agent: "Browser", RequestID: "r-" + name}
}

func (w *world) join(account int64, person string) {
	w.t.Helper()
	at := w.now().UnixMicro()
	if _, err := w.db.Act(w.t.Context(), func(tx *store.Tx) error {
		n, err := tx.JoinMember(w.t.Context(), store.JoinMemberParams{Account: account, Person: person, At: &at})
		if err == nil && n != 1 {
			return errors.New("nobody joined")
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
}

// document writes an OpenAPI document. An operation is "GET /path Tag operationId", and may name a
// scope as a fifth word.
func document(title string, operations ...string) []byte {
	paths := map[string]map[string]any{}
	for _, o := range operations {
		f := strings.Fields(o)
		scopes := []string{}
		if len(f) > 4 {
			scopes = f[4:]
		}
		op := map[string]any{
			"operationId": f[3], "tags": []string{f[2]}, "summary": f[3], "responses": map[string]any{"200": map[string]any{"description": "ok"}},
			"security": []any{map[string]any{"token": scopes}},
		}
		var params []any
		for _, p := range strings.Split(f[1], "/") {
			if strings.HasPrefix(p, "{") {
				params = append(params, map[string]any{"name": strings.Trim(p, "{}"), "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
			}
		}
		if params != nil {
			op["parameters"] = params
		}
		if paths[f[1]] == nil {
			paths[f[1]] = map[string]any{}
		}
		paths[f[1]][strings.ToLower(f[0])] = op
	}
	out, err := json.Marshal(map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": title, "version": "1"}, "paths": paths,
		"components": map[string]any{"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}}},
	})
	if err != nil {
		panic(err)
	}
	return out
}

const smallFile = `apis:
  agency:
    title: Agency API
    accounts: [agency]
    base: /Agencies/{AccountSID}
    hosts: [api.platform.example]
    versions:
      "1": {state: retired, documents: [agency1.json]}
      "2": {state: deprecated, deprecated: 2026-03-01, sunset: 2027-03-01, documents: [agency2.json]}
      "3": {state: current, released: 2026-01-01, documents: [agency3.json]}
      "4": {state: preview, documents: [agency4.json]}
    passthrough:
      - {prefix: "/Agencies/{AccountSID}/Advertisers/{AdvertiserId}", brand: AdvertiserId, api: brand}
    scopes:
      keys.get-key: {sensitive: "shows the keys of every brand"}
  brand:
    title: Brand API
    accounts: [brand]
    base: /Advertisers/{AccountSID}
    hosts: [api.platform.example]
    versions:
      "7": {state: supported, released: 2025-01-01, documents: [brand7.json]}
      "8": {state: current, released: 2026-01-01, documents: [brand8.json]}
    scopes:
      bank.get-bank: {sensitive: "shows the bank account"}
`

// small is a catalogue in which jobs.read and ads.read cover more in the newer version, jobs.cancel-job
// is gone in it, and one scope of each API is sensitive.
func small() fstest.MapFS {
	const a, b = "/Agencies/{AccountSID}", "/Advertisers/{AccountSID}"
	common := []string{
		"GET " + a + "/Jobs Jobs listJobs jobs.read", "GET " + a + "/Jobs/{JobId} Jobs getJob", "POST " + a + "/Reports Reports makeReport",
		"GET " + a + "/Keys Keys getKey",
	}
	three := append([]string{"GET " + a + "/Jobs/{JobId}/Log Jobs readLog jobs.read", "POST " + a + "/Jobs Jobs runJob"}, common...)
	ads := []string{"GET " + b + "/Ads Ads listAds ads.read", "GET " + b + "/Bank Bank getBank"}
	return fstest.MapFS{
		"catalog.yaml": {Data: []byte(smallFile)},
		"agency1.json": {Data: document("Agency API", common...)},
		"agency2.json": {Data: document("Agency API", append([]string{"DELETE " + a + "/Jobs/{JobId} Jobs cancelJob"}, common...)...)},
		"agency3.json": {Data: document("Agency API", three...)},
		"agency4.json": {Data: document("Agency API", three...)},
		"brand7.json":  {Data: document("Brand API", ads...)},
		"brand8.json":  {Data: document("Brand API", append([]string{"GET " + b + "/Ads/{AdId} Ads getAd ads.read", "POST " + b + "/Ads Ads makeAd"}, ads...)...)},
	}
}

func pack(t testing.TB, folder fs.FS) []byte {
	t.Helper()
	packed, err := catalog.Pack(folder)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func (w *world) publish(folder fs.FS) api.CatalogDiff {
	w.t.Helper()
	diff, err := w.PublishCatalogue(w.t.Context(), w.operator, api.CatalogUpload{Documents: pack(w.t, folder)})
	if err != nil {
		w.t.Fatal(err)
	}
	return diff
}

// edited is the small catalogue with words of its file replaced.
func edited(t testing.TB, oldNew ...string) fstest.MapFS {
	t.Helper()
	folder := small()
	text := strings.NewReplacer(oldNew...).Replace(smallFile)
	if text == smallFile {
		t.Fatal("nothing was replaced")
	}
	folder["catalog.yaml"] = &fstest.MapFile{Data: []byte(text)}
	return folder
}

// Scopes of version 3 that nobody minds, and the sensitive one.
var (
	harmless  = []string{"jobs.get-job", "jobs.read"}
	sensitive = []string{"jobs.read", "keys.get-key"}
)

func wants(name string, scopes ...string) api.TokenCreate {
	return api.TokenCreate{Name: name, Scopes: scopes}
}

// create makes a token that must be made.
func (w *world) create(by authority.Actor, account int64, in api.TokenCreate) authority.Issued {
	w.t.Helper()
	out, err := w.CreateToken(w.t.Context(), by, account, in, authority.Once{})
	if err != nil {
		w.t.Fatalf("%s: %v", in.Name, err)
	}
	return out
}

func (w *world) token(sid string) api.Token {
	w.t.Helper()
	row, err := w.db.Read().TokenBySID(w.t.Context(), sid)
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := w.Token(w.t.Context(), w.operator, row.Account, sid)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// digests are the live secrets of a token.
func (w *world) digests(sid string) []string {
	w.t.Helper()
	rows, err := w.db.Read().Secrets(w.t.Context(), sid)
	if err != nil {
		w.t.Fatal(err)
	}
	out := []string{}
	for _, r := range rows {
		out = append(out, fmt.Sprintf("%x", r.Digest))
	}
	return out
}

func (w *world) head() int64 {
	w.t.Helper()
	h, err := w.db.Read().Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return h.Seq
}

// refusal is what a caller may read; anything else is a fault of ours.
func refusal(t testing.TB, err error) *api.Error {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("not a refusal that a caller may read: %v", err)
	}
	return e
}

// refused wants a refusal of one code, and of one field if one is named.
func refused(t testing.TB, err error, code api.Code, field ...string) *api.Error {
	t.Helper()
	if err == nil {
		t.Error("not refused")
		return &api.Error{}
	}
	e := refusal(t, err)
	if e.Code != code {
		t.Errorf("refused with %s (%v), want %s", e.Code, e, code)
	}
	for _, name := range field {
		found := false
		for _, f := range e.Fields {
			found = found || f.Name == name
		}
		if !found {
			t.Errorf("the refusal does not name %s: %v", name, e)
		}
	}
	return e
}

// everywhere is all that the database's files hold.
func (w *world) everywhere() string {
	w.t.Helper()
	files, err := filepath.Glob(w.path + "*")
	if err != nil || len(files) == 0 {
		w.t.Fatalf("no files: %v", err)
	}
	var all strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			w.t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

func ptr[T any](v T) *T { return &v }
