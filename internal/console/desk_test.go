package console_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/docs"
	"counterfoil.dev/counterfoil/examples/catalogue"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/rest"
	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/session"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/token"
)

// The accounts of a desk: an agency that manages two of three brands, another agency, a partner for
// whom nothing is published.
const (
	agency  = int64(1001)
	rival   = int64(1002)
	acme    = int64(2001)
	bolt    = int64(2002)
	crane   = int64(2003) // not managed by the agency
	partner = int64(3001)
)

// The people of a desk. The administrator is a member of a brand too.
const (
	operatorMail   = "operator@platform.example"
	adminMail      = "ada@north.example"
	secondMail     = "bert@north.example" // a second administrator
	specialistMail = "sam@north.example"
	analystMail    = "ann@north.example"
	rivalMail      = "rita@rival.example"
	password       = "seven green umbrellas at noon"
)

// desk is the console with everything real behind it: a database of its own, the authority, sessions,
// and a listener wrapped as the product's is.
type desk struct {
	testing.TB
	db        *store.DB
	authority *authority.Authority
	people    *session.People
	server    *httptest.Server
	url       string
	log       *journal
	actors    map[string]authority.Actor // by e-mail

	mu     sync.Mutex
	ahead  time.Duration // of the clock, against the real one
	heard  []answer      // everything that was ever sent or answered
	secret []string      // Auth Tokens that were shown
	quiet  []string      // link secrets, cookies and form tokens
}

// answer is one exchange, kept for the search for secrets.
type answer struct {
	address string
	header  string
	body    string
	reveals bool
}

// journal is the log of a server that runs beside the test.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// seeded is a folder with a database that holds accounts, people and the sample catalogue. It is made
// once; every desk begins with a copy.
var seeded = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "console-test-")
	if err != nil {
		return "", err
	}
	return folder, seed(folder)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder, err := seeded(); err == nil {
		if err := os.RemoveAll(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func openAuthority(ctx context.Context, db *store.DB, key *seal.Key, base string, log *slog.Logger, now func() time.Time) (*authority.Authority, *session.People, error) {
	a, err := authority.Open(ctx, authority.Config{DB: db, BaseURL: base, Key: key, ExpiryDefault: 365, Zero: rest.Document(), Log: log, Now: now})
	if err != nil {
		return nil, nil, err
	}
	p, err := session.New(session.Config{
		DB: db, Key: key, BaseURL: base, CleanEmail: authority.CleanEmail, CleanName: authority.CleanName, Log: log, Now: now,
	})
	return a, p, err
}

// seed goes through the acts of the desk, as people would.
func seed(folder string) (err error) {
	ctx := context.Background()
	key, err := seal.LoadOrCreate(filepath.Join(folder, "key"))
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(folder, "desk.db"))
	if err != nil {
		return err
	}
	defer func() {
		if closing := db.Close(); err == nil {
			err = closing
		}
	}()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	a, people, err := openAuthority(ctx, db, key, "http://127.0.0.1:9300", log, time.Now)
	if err != nil {
		return err
	}
	link, err := people.SetUpLink(ctx)
	if err != nil {
		return err
	}
	at, err := url.Parse(link)
	if err != nil {
		return err
	}
	if _, err := people.SetUp(ctx, session.Visitor{}, at.Query().Get("key"), "Sample Operator", operatorMail, password); err != nil {
		return err
	}
	s := &settling{ctx: ctx, db: db, a: a, people: people, operator: authority.Actor{Operator: true, Name: "Sample Operator"}}
	s.operator.Person = s.id(operatorMail)
	s.settle()
	return s.err
}

// settling makes accounts and people; the first error ends it.
type settling struct {
	ctx      context.Context
	db       *store.DB
	a        *authority.Authority
	people   *session.People
	operator authority.Actor
	err      error
}

func (s *settling) do(f func() error) {
	if s.err == nil {
		s.err = f()
	}
}

func (s *settling) id(email string) string {
	_, key, _ := authority.CleanEmail(email)
	var id string
	s.do(func() error {
		p, err := s.db.Read().PersonByEmail(s.ctx, key)
		id = p.ID
		return err
	})
	return id
}

func (s *settling) settle() {
	for _, one := range []api.AccountCreate{
		{ID: agency, Kind: api.KindAgency, Name: "Northlight Agency"},
		{ID: rival, Kind: api.KindAgency, Name: "Rival Agency"},
		{ID: acme, Kind: api.KindBrand, Name: "Acme Shoes"},
		{ID: bolt, Kind: api.KindBrand, Name: "Bolt Bikes"},
		{ID: crane, Kind: api.KindBrand, Name: "Crane Coffee"},
		{ID: partner, Kind: api.KindPartner, Name: "Paul Partner"},
	} {
		s.do(func() error { _, err := s.a.CreateAccount(s.ctx, s.operator, one); return err })
	}
	for _, brand := range []int64{acme, bolt} {
		s.do(func() error {
			_, err := s.a.CreateManagement(s.ctx, s.operator, api.ManagementCreate{Agency: agency, Brand: brand})
			return err
		})
	}
	for _, m := range []struct {
		account     int64
		email, name string
		role        api.Role
	}{
		{agency, adminMail, "Sample Administrator", api.RoleAdministrator},
		{agency, secondMail, "Bert Second", api.RoleAdministrator},
		{agency, specialistMail, "Sample Specialist", api.RoleSpecialist},
		{agency, analystMail, "Sample Analyst", api.RoleAnalyst},
		{rival, rivalMail, "Rita Rival", api.RoleAdministrator},
		{acme, adminMail, "Sample Administrator", api.RoleAdministrator},
	} {
		s.do(func() error { return s.join(m.account, m.email, m.name, m.role) })
	}
	s.do(func() error {
		packed, err := authority.DocumentsFrom(catalogue.FS)
		if err != nil {
			return err
		}
		_, err = s.a.PublishCatalogue(s.ctx, s.operator, api.CatalogUpload{Documents: packed})
		return err
	})
}

func (s *settling) join(account int64, email, name string, role api.Role) error {
	m, err := s.a.InviteMember(s.ctx, s.operator, account, api.MemberInvite{Email: email, Role: role})
	if err != nil {
		return err
	}
	var secret string
	if _, err := s.db.Act(s.ctx, func(tx *store.Tx) error {
		secret, err = tx.MakeLink(s.ctx, store.LinkInvitation, &m.Person, &account, time.Now(), time.Hour)
		return err
	}); err != nil {
		return err
	}
	_, err = s.people.AcceptInvitation(s.ctx, session.Visitor{}, secret, name, password)
	return err
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	return newDeskWith(t, "http://127.0.0.1:9393")
}

// newDeskWith is a desk whose tokens are tried at a gateway.
func newDeskWith(t testing.TB, gateway string) *desk {
	t.Helper()
	from, err := seeded()
	if err != nil {
		t.Fatal("seeding:", err)
	}
	d := &desk{TB: t, log: &journal{}, actors: map[string]authority.Actor{}}
	dir := t.TempDir()
	for _, name := range []string{"desk.db", "key"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		d.must(err)
		d.must(os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	key, err := seal.LoadOrCreate(filepath.Join(dir, "key"))
	d.must(err)
	d.db, err = store.Open(context.Background(), "sqlite:"+filepath.Join(dir, "desk.db"))
	d.must(err)
	t.Cleanup(func() { d.must(d.db.Close()) })
	log := slog.New(slog.NewJSONHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	d.server = httptest.NewUnstartedServer(nil)
	d.url = "http://" + d.server.Listener.Addr().String()
	d.authority, d.people, err = openAuthority(context.Background(), d.db, key, d.url, log, d.now)
	d.must(err)
	c := console.Config{Authority: d.authority, People: d.people, Errors: docs.Errors, Now: d.now, Log: log, GatewayURL: gateway}
	pages, err := console.New(c)
	d.must(err)
	d.server.Config.Handler = httpx.Wrap(pages, httpx.Config{Listener: "people", Log: log, MaxBody: 72 << 20})
	d.server.Start()
	t.Cleanup(func() {
		d.server.Close()
		d.noSecretEscaped()
	})
	d.know()
	return d
}

// know makes actors of the people, for what a test does behind the pages.
func (d *desk) know() {
	for email, role := range map[string]api.Role{
		operatorMail: "", adminMail: api.RoleAdministrator, secondMail: api.RoleAdministrator, specialistMail: api.RoleSpecialist,
		analystMail: api.RoleAnalyst, rivalMail: api.RoleAdministrator,
	} {
		_, key, _ := authority.CleanEmail(email)
		p, err := d.db.Read().PersonByEmail(context.Background(), key)
		d.must(err)
		by := authority.Actor{Person: p.ID, Name: p.Name, Account: agency, Role: role}
		switch email {
		case operatorMail:
			by.Account, by.Operator = 0, true
		case rivalMail:
			by.Account = rival
		}
		d.actors[email] = by
	}
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().UTC().Add(d.ahead)
}

// pass moves the clock of everything, also back.
func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ahead += by
}

// token makes a token behind the pages.
func (d *desk) token(email string, in api.TokenCreate) api.Token {
	d.Helper()
	by := d.actors[email]
	if in.API == "" {
		in.API = "agency"
	}
	issued, err := d.authority.CreateToken(context.Background(), by, by.Account, in, authority.Once{})
	d.must(err)
	d.mu.Lock()
	d.secret = append(d.secret, issued.Secret.Reveal())
	d.mu.Unlock()
	return issued.Token
}

// simple is a token that can do a little.
func (d *desk) simple(name string) api.Token {
	d.Helper()
	return d.token(adminMail, api.TokenCreate{Name: name, NeverExpires: true, Scopes: []string{"jobs.get-job", "jobs.list-jobs"}})
}

// is reads a token as it is now.
func (d *desk) is(sid string) api.Token {
	d.Helper()
	t, err := d.authority.Token(context.Background(), d.actors[operatorMail], agency, sid)
	d.must(err)
	return t
}

// names are the names of the agency's tokens, newest first.
func (d *desk) names() string {
	d.Helper()
	page, err := d.authority.Tokens(context.Background(), d.actors[adminMail], agency, authority.TokenQuery{Limit: 200})
	d.must(err)
	var out []string
	for _, t := range page.Items {
		out = append(out, t.Name)
	}
	return strings.Join(out, ", ")
}

// scopesOf are all scopes of a token, those of the nested API with its name.
func (d *desk) scopesOf(sid string) string {
	d.Helper()
	var out []string
	for i, p := range d.is(sid).Pins {
		for _, s := range p.Scopes {
			if i > 0 {
				s = p.API + "/" + s
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

func (d *desk) hear(a answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = append(d.heard, a)
}

// link makes a one-time link that signs somebody in.
func (d *desk) link(email string) string {
	d.Helper()
	secret, err := d.people.SignInLink(context.Background(), d.actors[email].Person)
	d.must(err)
	d.quiet = append(d.quiet, secret)
	return "/sign-in/link?key=" + url.QueryEscape(secret)
}

// noSecretEscaped looks for every Auth Token that was shown in everything that was heard: it stands in the
// one page that shows it, and in no address, header, other page or log line (SECURITY.md, class 43). What
// signs people in stands in no log line.
func (d *desk) noSecretEscaped() {
	log := d.log.String()
	for _, s := range d.secret {
		if s == "" {
			continue
		}
		secret := s[len(s)-49 : len(s)-6] // the part that is drawn, without prefix, SID and checksum
		if strings.Contains(log, secret) {
			d.Errorf("an Auth Token stands in the log")
		}
		for _, a := range d.heard {
			if strings.Contains(a.address, secret) || strings.Contains(a.header, secret) || !a.reveals && strings.Contains(a.body, secret) {
				d.Errorf("an Auth Token stands in the answer of %s", a.address)
			}
		}
	}
	for _, s := range append(d.quiet, password) {
		if strings.Contains(log, s) {
			d.Errorf("what signs a person in stands in the log")
		}
	}
}

func (d *desk) client() *http.Client { return d.server.Client() }

// bulk copies the agency's newest token n times, in one act: what would take people weeks.
func (d *desk) bulk(n int) {
	d.Helper()
	ctx := context.Background()
	page, err := d.authority.Tokens(ctx, d.actors[adminMail], agency, authority.TokenQuery{Limit: 1})
	d.must(err)
	like, err := d.db.Read().Token(ctx, store.TokenParams{Account: agency, SID: page.Items[0].SID})
	d.must(err)
	_, err = d.db.Act(ctx, func(tx *store.Tx) error {
		for i := range n {
			_, sid, digest, err := d.authority.Prefix().Mint(token.Access, rand.Reader)
			if err != nil {
				return err
			}
			name := fmt.Sprintf("Token number %05d", i)
			if err := tx.AddToken(ctx, store.AddTokenParams{
				SID: sid.String(), Account: agency, Name: name, NameKey: strings.ToLower(name), Description: "One of many.",
				CreatedAt: like.CreatedAt - int64(i/3), CreatedName: like.CreatedName, CreatedBy: like.CreatedBy, Api: like.Api, Version: like.Version,
				Pins: like.Pins, Reach: like.Reach, Brands: like.Brands, PrimaryContact: like.PrimaryContact, Emails: like.Emails,
			}); err != nil {
				return err
			}
			if err := tx.AddSecret(ctx, store.AddSecretParams{SID: sid.String(), Digest: digest[:], CreatedAt: like.CreatedAt}); err != nil {
				return err
			}
		}
		return nil
	})
	d.must(err)
}

func authorityActor(person string) authority.Actor { return authority.Actor{Person: person} }
