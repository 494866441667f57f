package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/examples/agencyapi"
	"counterfoil.dev/counterfoil/internal/authority"
	peoples "counterfoil.dev/counterfoil/internal/session"
	"counterfoil.dev/counterfoil/internal/store"
)

// People of the demo. Their addresses are under a domain that nobody can have (RFC 2606).
const (
	demoOperator      = "operator@example.com"
	demoAdministrator = "administrator@northlight.example.com"
	demoSpecialist    = "specialist@northlight.example.com"
	demoAnalyst       = "analyst@northlight.example.com"
	demoPassword      = "a-sample-password-of-the-demo"
)

// sampleToken is a token of the demo, and what happens to it after it is made.
type sampleToken struct {
	api.TokenCreate
	disable string // why
}

// The names of the tokens that demo.json must have: one on each version that may list advertisers.
const (
	tokenCurrent = "Weekly report export"
	tokenOld     = "Legacy feed importer"
)

func (t demoToken) calls() bool { return t.Name == tokenCurrent || t.Name == tokenOld }

// sampleTokens show what a list looks like: versions, states, reach and ends of every kind.
func sampleTokens(now time.Time) []sampleToken {
	in := func(days int) *time.Time { t := now.AddDate(0, 0, days).UTC().Truncate(time.Second); return &t }
	return []sampleToken{
		{TokenCreate: api.TokenCreate{
			Name: tokenOld, Description: "Nightly import of advertisers into the old warehouse. To be replaced.", API: "agency", Version: "2", NeverExpires: true,
			Scopes: []string{"advertisers.list-advertisers", "advertisers.get-advertiser", "reports.list-reports"},
		}},
		{TokenCreate: api.TokenCreate{
			Name: "Sandbox", Description: "For trying things out.", API: "agency", Version: "3", Expires: in(30),
			Scopes: []string{"company.get-company", "jobs.list-jobs", "jobs.get-job"},
		}, disable: "Not needed until the next project."},
		{TokenCreate: api.TokenCreate{
			Name: "Compliance checks", API: "agency", Version: "3", Expires: in(90),
			DeveloperEmails: []string{"developers@northlight.example.com"},
			Scopes:          []string{"compliance.create-submission", "compliance.get-submission", "compliance.get-submission-results"},
		}},
		{TokenCreate: api.TokenCreate{
			Name: "Brand catalogue sync", Description: "Keeps the product catalogues of two brands in step with the shop.", API: "agency", Version: "3",
			Reach: api.ReachList, Brands: []int64{2101, 2103}, BrandVersion: "8", Expires: in(365),
			DeveloperEmails: []string{"shop@northlight.example.com", "developers@northlight.example.com"},
			Scopes:          []string{"advertisers.get-advertiser", "brand/catalogs.list-catalogs", "brand/catalogs.get-catalog"},
		}},
		{TokenCreate: api.TokenCreate{
			Name: tokenCurrent, Description: "Exports the weekly reports and downloads them.", API: "agency", Version: "3", Expires: in(365),
			DeveloperEmails: []string{"reports@northlight.example.com"},
			Scopes: []string{
				"advertisers.list-advertisers", "reports.list-reports", "reports.run-report", "report-export.export-report",
				"jobs.list-jobs", "jobs.get-job", "jobs.download-job-result",
			},
		}},
	}
}

// seed makes the sample data on a first start, and on every start the sign-in links. It goes through the
// acts of the desk, as a person would.
func (d *demoRun) seed(ctx context.Context) error {
	operator, err := d.operator(ctx)
	if err != nil {
		return err
	}
	if err := d.publish(ctx, operator); err != nil {
		return err
	}
	if d.fresh {
		if err := d.accounts(ctx, operator); err != nil {
			return err
		}
		if err := d.tokens(ctx, operator); err != nil {
			return err
		}
	}
	return d.addresses(ctx)
}

// operator is the sample operator as an actor; on a first start it is set up with the one-time link.
func (d *demoRun) operator(ctx context.Context) (authority.Actor, error) {
	link, err := d.node.people.SetUpLink(ctx)
	if err != nil {
		return authority.Actor{}, err
	}
	if link != "" {
		at, err := url.Parse(link)
		if err != nil {
			return authority.Actor{}, fmt.Errorf("reading the set-up link: %w", err)
		}
		if _, err := d.node.people.SetUp(ctx, peoples.Visitor{Agent: "demo"}, at.Query().Get("key"), "Sample Operator", demoOperator, demoPassword); err != nil {
			return authority.Actor{}, fmt.Errorf("setting up the sample operator: %w", err)
		}
	}
	person, err := d.person(ctx, demoOperator)
	return authority.Actor{Person: person.ID, Name: person.Name, Operator: true, Agent: "demo"}, err
}

func (d *demoRun) person(ctx context.Context, email string) (store.Person, error) {
	_, key, _ := authority.CleanEmail(email)
	p, err := d.node.db.Read().PersonByEmail(ctx, key)
	if err != nil {
		return p, fmt.Errorf("looking up %s: %w", email, err)
	}
	return p, nil
}

func (d *demoRun) publish(ctx context.Context, operator authority.Actor) error {
	folder, err := d.documents()
	if err != nil {
		return err
	}
	packed, err := authority.DocumentsFrom(folder)
	if err != nil {
		return err
	}
	if _, err := d.node.authority.PublishCatalogue(ctx, operator, api.CatalogUpload{Documents: packed}); err != nil {
		return fmt.Errorf("publishing the sample catalogue: %w", err)
	}
	return nil
}

func agencyID() int64 {
	id, err := strconv.ParseInt(agencyapi.Agency().ID, 10, 64)
	if err != nil {
		panic("the sample agency's id is a number: " + err.Error())
	}
	return id
}

// accounts makes the agency, its brands, a partner, and the agency's members.
func (d *demoRun) accounts(ctx context.Context, operator authority.Actor) error {
	a, agency := d.node.authority, agencyID()
	if _, err := a.CreateAccount(ctx, operator, api.AccountCreate{ID: agency, Kind: api.KindAgency, Name: agencyapi.Agency().Name}); err != nil {
		return fmt.Errorf("making the sample agency: %w", err)
	}
	for _, b := range agencyapi.Brands() {
		id, err := strconv.ParseInt(b.ID, 10, 64)
		if err != nil {
			return fmt.Errorf("reading the id of a sample brand: %w", err)
		}
		if _, err := a.CreateAccount(ctx, operator, api.AccountCreate{ID: id, Kind: api.KindBrand, Name: b.Name}); err != nil {
			return fmt.Errorf("making a sample brand: %w", err)
		}
		if _, err := a.CreateManagement(ctx, operator, api.ManagementCreate{Agency: agency, Brand: id}); err != nil {
			return fmt.Errorf("letting the sample agency manage a brand: %w", err)
		}
	}
	if _, err := a.CreateAccount(ctx, operator, api.AccountCreate{ID: 3001, Kind: api.KindPartner, Name: "Sample Partner"}); err != nil {
		return fmt.Errorf("making the sample partner: %w", err)
	}
	for _, m := range []api.MemberInvite{
		{Email: demoAdministrator, Name: "Sample Administrator", Role: api.RoleAdministrator},
		{Email: demoSpecialist, Name: "Sample Specialist", Role: api.RoleSpecialist},
		{Email: demoAnalyst, Name: "Sample Analyst", Role: api.RoleAnalyst},
	} {
		if err := d.join(ctx, operator, agency, m); err != nil {
			return err
		}
	}
	// The administrator is a member of a brand too, so that the switch at the top of the menu shows.
	return d.join(ctx, operator, 2101, api.MemberInvite{Email: demoAdministrator, Name: "Sample Administrator", Role: api.RoleAdministrator})
}

// join invites a member and accepts for them, by a link of the same kind as the one in the mail.
func (d *demoRun) join(ctx context.Context, operator authority.Actor, account int64, m api.MemberInvite) error {
	member, err := d.node.authority.InviteMember(ctx, operator, account, m)
	if err != nil {
		return fmt.Errorf("inviting %s: %w", m.Email, err)
	}
	var secret string
	if _, err := d.node.db.Act(ctx, func(tx *store.Tx) error {
		secret, err = tx.MakeLink(ctx, store.LinkInvitation, &member.Person, &account, time.Now(), time.Hour)
		return err
	}); err != nil {
		return fmt.Errorf("making a link for %s: %w", m.Email, err)
	}
	if _, err := d.node.people.AcceptInvitation(ctx, peoples.Visitor{Agent: "demo"}, secret, m.Name, demoPassword); err != nil {
		return fmt.Errorf("accepting for %s: %w", m.Email, err)
	}
	return nil
}

// tokens makes the sample tokens as the sample administrator, and one management token each for the
// agency and the operator.
func (d *demoRun) tokens(ctx context.Context, operator authority.Actor) error {
	person, err := d.person(ctx, demoAdministrator)
	if err != nil {
		return err
	}
	agency := agencyID()
	admin := authority.Actor{Person: person.ID, Name: person.Name, Account: agency, Role: api.RoleAdministrator, Agent: "demo"}
	for _, t := range sampleTokens(time.Now()) {
		issued, err := d.node.authority.CreateToken(ctx, admin, agency, t.TokenCreate, authority.Once{})
		if err != nil {
			return fmt.Errorf("making the sample token %q: %w", t.Name, err)
		}
		if t.disable != "" {
			if _, err := d.node.authority.DisableToken(ctx, admin, agency, issued.Token.SID, t.disable); err != nil {
				return fmt.Errorf("disabling the sample token %q: %w", t.Name, err)
			}
			continue
		}
		d.file.Tokens = append(d.file.Tokens, demoToken{
			Name: t.Name, Account: agency, SID: issued.Token.SID, AuthToken: issued.Secret.Reveal(), API: t.API, Version: issued.Token.Version, Scopes: t.Scopes,
		})
	}
	if d.file.ManagementToken, err = d.managementToken(ctx, admin, agency); err != nil {
		return err
	}
	d.file.OperatorToken, err = d.managementToken(ctx, operator, 0)
	return err
}

// managementToken holds every scope of the management API that this actor may give.
func (d *demoRun) managementToken(ctx context.Context, by authority.Actor, account int64) (string, error) {
	offer, err := d.node.authority.Offer(ctx, by, account)
	if err != nil {
		return "", err
	}
	in := api.TokenCreate{Name: "Management script", API: authority.ZeroAPI, Scopes: []string{}}
	for _, a := range offer.APIs {
		if !a.Zero {
			continue
		}
		for _, c := range a.Versions[0].Categories {
			for _, s := range c.Scopes {
				if s.Allowed {
					in.Scopes = append(in.Scopes, s.Name)
				}
			}
		}
	}
	issued, err := d.node.authority.CreateToken(ctx, by, account, in, authority.Once{})
	if err != nil {
		return "", fmt.Errorf("making a management token: %w", err)
	}
	return issued.Secret.Reveal(), nil
}

// addresses fills in what changes with every start: addresses and sign-in links.
func (d *demoRun) addresses(ctx context.Context) error {
	for email, into := range map[string]*string{demoAdministrator: &d.file.SignIn, demoOperator: &d.file.OperatorSignIn} {
		person, err := d.person(ctx, email)
		if err != nil {
			return err
		}
		secret, err := d.node.people.SignInLink(ctx, person.ID)
		if err != nil {
			return err
		}
		*into = "http://" + d.ports.people + "/sign-in/link?key=" + url.QueryEscape(secret)
	}
	f := &d.file
	f.Console, f.Doors, f.Envoy, f.Gateway = "http://"+d.ports.people, "http://"+d.ports.doors, "http://"+d.ports.envoy, "http://"+d.ports.gateway
	f.Ops, f.Upstream = "http://"+d.ports.operations, "http://"+d.ports.upstream
	i := slices.IndexFunc(f.Tokens, func(t demoToken) bool { return t.Name == tokenCurrent })
	if i < 0 {
		return fmt.Errorf("demo.json holds no token %q any more: choose an empty folder", tokenCurrent)
	}
	t := f.Tokens[i]
	call := func(path string) string {
		return fmt.Sprintf("curl --user '%s:%s' '%s/Agencies/%s%s'", t.SID, t.AuthToken, f.Gateway, t.SID, path)
	}
	f.CurlAllowed, f.CurlRefused = call("/Advertisers"), call("/Company")
	return nil
}

// logFile sends the log of a demo into its folder, so that the terminal keeps what a person needs.
func (d *demoRun) logFile() (*slog.Logger, func(), error) {
	f, err := os.OpenFile(d.path("demo.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the log: %w", err)
	}
	log := slog.New(slog.NewTextHandler(f, nil))
	return log, func() {
		if err := f.Close(); err != nil {
			log.Error("closing the log", "error", err)
		}
	}, nil
}
