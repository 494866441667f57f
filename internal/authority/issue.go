package authority

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
	"counterfoil.dev/counterfoil/internal/token"
)

// Issued is the answer of an act that shows a secret, this once.
type Issued struct {
	Token api.Token
	// Secret is the zero Secret when the create was replayed.
	Secret   token.Secret
	Seq      api.Seq
	Replayed bool
}

// Once says how a create that is sent twice is known: by the wizard's draft, or by the caller's
// idempotency key. Both may be empty.
type Once struct {
	Draft string
	Key   string // at most 200 octets
}

// CreateToken issues a token. A repeat under the same [Once] answers the same token without its secret.
func (a *Authority) CreateToken(ctx context.Context, by Actor, account int64, in api.TokenCreate, once Once) (Issued, error) {
	if len(once.Key) > 200 {
		return Issued{}, api.Invalid("Idempotency-Key", "is longer than 200 octets")
	}
	body := sha256.Sum256([]byte(jsonText(in)))
	var out Issued
	var sid string
	seq, err := a.act(ctx, by, audit.CreateToken, account, func(tx *store.Tx) error {
		replay, err := a.replayed(ctx, tx, by, account, once, body)
		if err != nil || replay != "" {
			sid, out.Replayed = replay, replay != ""
			return err
		}
		row, err := a.newToken(ctx, tx.Queries, by, account, in)
		if err != nil {
			return err
		}
		if sid, out.Secret, err = a.mint(ctx, tx, by, row); err != nil {
			return err
		}
		if err := a.remember(ctx, tx, by, account, once, body, sid); err != nil {
			return err
		}
		people, err := contactNames(ctx, tx.Queries, account)
		if err != nil {
			return err
		}
		return a.recordToken(ctx, tx, sid, a.event(by, audit.CreateToken, account, tokenSubject(sid, row.Name), tokenDetails(people, store.Token{}, store.Token{
			Description: row.Description, Pins: row.Pins, Reach: row.Reach, Brands: row.Brands, ExpiresAt: row.ExpiresAt,
			PrimaryContact: row.PrimaryContact, Emails: row.Emails, Limits: row.Limits,
		})...))
	})
	if err != nil {
		return Issued{}, err
	}
	out.Seq = seq
	out.Token, err = a.Token(ctx, by, account, sid)
	return out, err
}

// replayed finds the token that an earlier sending of the same request made.
func (a *Authority) replayed(ctx context.Context, tx *store.Tx, by Actor, account int64, once Once, body [32]byte) (string, error) {
	if once.Draft != "" {
		d, err := tx.Draft(ctx, store.DraftParams{ID: once.Draft, Account: account, Person: by.Person})
		if d, err = read("draft", d, err); err != nil {
			return "", err
		}
		if d.SID != nil {
			return *d.SID, nil
		}
	}
	if once.Key == "" {
		return "", nil
	}
	seen, err := tx.Idempotency(ctx, store.IdempotencyParams{Account: account, Key: idempotencyKey(by, once.Key)})
	if seen, err = store.One(seen, err); err != nil {
		return "", ignoreNotFound(err)
	}
	if subtle.ConstantTimeCompare(seen.Body, body[:]) != 1 {
		return "", &api.Error{
			Code: api.CodeIdempotencyUsed, Status: http.StatusConflict, Title: "This idempotency key was used",
			Detail: "The key was sent before with another body. Send the same body again, or choose a new key.",
		}
	}
	return seen.SID, nil
}

// idempotencyKey keeps the keys of different callers apart.
func idempotencyKey(by Actor, key string) string { return by.Person + by.Token + "\x00" + key }

func (a *Authority) remember(ctx context.Context, tx *store.Tx, by Actor, account int64, once Once, body [32]byte, sid string) error {
	if once.Draft != "" {
		n, err := tx.SpendDraft(ctx, store.SpendDraftParams{ID: once.Draft, Account: account, Person: by.Person, SID: sid})
		if err != nil {
			return fmt.Errorf("spending a draft: %w", err)
		}
		if n == 0 {
			return errors.New("spending a draft: it was spent within this act")
		}
	}
	if once.Key == "" {
		return nil
	}
	if err := tx.AddIdempotency(ctx, store.AddIdempotencyParams{
		Account: account, Key: idempotencyKey(by, once.Key), Body: body[:], SID: sid, CreatedAt: a.now().UnixMicro(),
	}); err != nil {
		return fmt.Errorf("keeping an idempotency key: %w", err)
	}
	return nil
}

// CheckToken says what is wrong with a create, field by field, without making anything: the wizard asks
// it at every step.
func (a *Authority) CheckToken(ctx context.Context, by Actor, account int64, in api.TokenCreate) error {
	if err := a.gate(by, audit.CreateToken, account); err != nil {
		return err
	}
	return a.db.View(ctx, func(q *store.Queries) error {
		_, err := a.newToken(ctx, q, by, account, in)
		return err
	})
}

// newToken checks everything that was asked for and lays out the row.
func (a *Authority) newToken(ctx context.Context, q *store.Queries, by Actor, account int64, in api.TokenCreate) (store.AddTokenParams, error) {
	var bad faults
	row := store.AddTokenParams{Account: account, CreatedBy: by.Person + by.Token, CreatedName: by.Name}
	g, err := a.giver(ctx, q, by, account)
	if err != nil {
		return row, err
	}
	var fault string
	if row.Name, fault = CleanName(in.Name); fault != "" {
		bad.add("name", fault)
	}
	row.NameKey = fold(row.Name)
	if fault == "" {
		if err := nameFree(ctx, q, account, row.NameKey, "", &bad); err != nil {
			return row, err
		}
	}
	if row.Description, fault = cleanDescription(in.Description); fault != "" {
		bad.add("description", fault)
	}
	what, err := a.resolve(ctx, q, g, account, wanted{
		api: in.API, version: in.Version, brandVersion: in.BrandVersion, reach: in.Reach, brands: in.Brands, scopes: in.Scopes,
	}, nil, &bad)
	if err != nil {
		return row, err
	}
	setOpensOf(&row, what)
	t := terms{a.expDef, a.expMax}.settled()
	if account != 0 {
		acct, err := q.Account(ctx, account)
		if err != nil {
			return row, fmt.Errorf("reading an account: %w", err)
		}
		t = a.terms(acct)
	}
	row.ExpiresAt = a.expiry(by, t, in.Expires, in.NeverExpires, &bad)
	if row.PrimaryContact, err = a.contact(ctx, q, by, account, in.PrimaryContact, &bad); err != nil {
		return row, err
	}
	row.Emails = jsonText(cleanEmails(in.DeveloperEmails, &bad))
	row.Limits = limitsText(cleanLimits(in.Limits, row.ExpiresAt, a.servedHosts(what.pins), &bad))
	return row, bad.err()
}

// nameFree adds a fault when another token of the account has the name.
func nameFree(ctx context.Context, q *store.Queries, account int64, key, except string, bad *faults) error {
	n, err := q.NameTaken(ctx, store.NameTakenParams{Account: account, NameKey: key, SID: except})
	if err != nil {
		return fmt.Errorf("looking a name up: %w", err)
	}
	if n > 0 {
		bad.add("name", "is taken by another token of this account; choose another")
	}
	return nil
}

// contact finds the active member who shall be told. A member who asks and names nobody is told.
func (a *Authority) contact(ctx context.Context, q *store.Queries, by Actor, account int64, who string, bad *faults) (*string, error) {
	if account == 0 {
		if who != "" {
			bad.add("primary_contact", "is given, but the operator's own tokens have none")
		}
		return nil, nil
	}
	members, err := q.Members(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("reading members: %w", err)
	}
	_, key, _ := CleanEmail(who)
	for _, m := range members {
		active := m.JoinedAt != nil && m.DisabledAt == nil
		_, memberKey, _ := CleanEmail(m.Email)
		if active && (m.Person == who || key != "" && key == memberKey || who == "" && m.Person == by.Person) {
			return &m.Person, nil
		}
	}
	if who == "" && by.Token != "" {
		for _, m := range members { // a token asks: the account's first administrator is told
			if m.Role == string(api.RoleAdministrator) && m.JoinedAt != nil && m.DisabledAt == nil {
				return &m.Person, nil
			}
		}
	}
	bad.add("primary_contact", "must be an active member of this account")
	return nil, nil
}

// mint draws the credential and writes the rows.
func (a *Authority) mint(ctx context.Context, tx *store.Tx, by Actor, row store.AddTokenParams) (string, token.Secret, error) {
	kind := token.Access
	if row.Api == ZeroAPI {
		kind, row.Zero = token.Zero, 1
	}
	secret, sid, digest, err := a.prefix.Mint(kind, rand.Reader)
	if err != nil {
		return "", token.Secret{}, fmt.Errorf("drawing a token: %w", err)
	}
	row.SID, row.CreatedAt = sid.String(), a.now().UnixMicro()
	err = tx.AddToken(ctx, row)
	if a.db.Conflict(err) {
		return "", token.Secret{}, api.Invalid("name", "is taken by another token of this account; choose another")
	} else if err != nil {
		return "", token.Secret{}, fmt.Errorf("adding a token: %w", err)
	}
	if err := tx.AddSecret(ctx, store.AddSecretParams{SID: row.SID, Digest: digest[:], CreatedAt: row.CreatedAt}); err != nil {
		return "", token.Secret{}, fmt.Errorf("adding a digest: %w", err)
	}
	return row.SID, secret, nil
}

// DuplicateToken issues a new token that opens what another one opens, under a name of its own.
func (a *Authority) DuplicateToken(ctx context.Context, by Actor, account int64, sid string, in api.TokenDuplicate, once Once) (Issued, error) {
	var out Issued
	var made string
	body := sha256.Sum256([]byte(sid + "\x00" + in.Name))
	seq, err := a.act(ctx, by, audit.DuplicateToken, account, func(tx *store.Tx) error {
		replay, err := a.replayed(ctx, tx, by, account, once, body)
		if err != nil || replay != "" {
			made, out.Replayed = replay, replay != ""
			return err
		}
		old, err := liveToken(ctx, tx.Queries, by, account, sid)
		if err != nil {
			return err
		}
		what, err := opensOf(old)
		if err != nil {
			return err
		}
		g, err := a.giver(ctx, tx.Queries, by, account)
		if err != nil {
			return err
		}
		if err := a.mayHold(g, what); err != nil {
			return err
		}
		copied := api.TokenCreate{
			Name: in.Name, Description: old.Description, API: old.Api, Version: old.Version,
			Reach: api.Reach(old.Reach), Brands: what.brands, Scopes: what.qualified(),
		}
		if len(what.pins) > 1 {
			copied.BrandVersion = what.pins[1].Version
		}
		if old.PrimaryContact != nil {
			copied.PrimaryContact = *old.PrimaryContact
		}
		if copied.DeveloperEmails, err = emails(old); err != nil {
			return err
		}
		if copied.Limits, err = limitsOf(old.SID, old.Limits); err != nil {
			return err
		}
		row, err := a.newToken(ctx, tx.Queries, by, account, copied)
		if err != nil {
			return err
		}
		if made, out.Secret, err = a.mint(ctx, tx, by, row); err != nil {
			return err
		}
		if err := a.remember(ctx, tx, by, account, once, body, made); err != nil {
			return err
		}
		return a.recordToken(ctx, tx, made, a.event(by, audit.DuplicateToken, account, tokenSubject(made, row.Name),
			audit.Detail{Field: "copied from", After: old.Name + " (" + sid + ")"}))
	})
	if err != nil {
		return Issued{}, err
	}
	out.Seq = seq
	out.Token, err = a.Token(ctx, by, account, made)
	return out, err
}

// liveToken reads a token of the account that is not deleted and that the actor may handle.
func liveToken(ctx context.Context, q *store.Queries, by Actor, account int64, sid string) (store.Token, error) {
	row, err := q.Token(ctx, store.TokenParams{Account: account, SID: sid})
	if row, err = read("token", row, err); err != nil {
		return row, err
	}
	if row.State == string(api.StateDeleted) || !by.handles(row) {
		return row, api.NotFound("token")
	}
	return row, nil
}

// handles keeps the management API's tokens to those who may make them.
func (by Actor) handles(row store.Token) bool {
	l := by.level()
	return l != nobody && (row.Zero == 0 || l <= administrator)
}

func opensOf(row store.Token) (opens, error) {
	o := opens{reach: api.Reach(row.Reach)}
	if err := json.Unmarshal([]byte(row.Pins), &o.pins); err != nil {
		return o, fmt.Errorf("reading the pins of token %s: %w", row.SID, err)
	}
	if err := json.Unmarshal([]byte(row.Brands), &o.brands); err != nil {
		return o, fmt.Errorf("reading the brands of token %s: %w", row.SID, err)
	}
	return o, nil
}

// recordToken records an event with the grant as it stands in this transaction.
func (a *Authority) recordToken(ctx context.Context, tx *store.Tx, sid string, e audit.Event) error {
	feed, err := grantEntry(ctx, tx.Queries, sid)
	if err != nil {
		return err
	}
	tx.Record(e, feed)
	return nil
}

func tokenSubject(sid, name string) audit.Subject {
	return audit.Subject{Kind: audit.OnToken, ID: sid, Name: name}
}

// contacts are the members of an account by id, as the history names them.
type contacts map[string]string

func contactNames(ctx context.Context, q *store.Queries, account int64) (contacts, error) {
	rows, err := q.Members(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("reading members: %w", err)
	}
	out := make(contacts, len(rows))
	for _, r := range rows {
		out[r.Person] = r.Name
	}
	return out, nil
}

func (c contacts) name(person *string) string {
	if person == nil {
		return ""
	}
	if name, ok := c[*person]; ok {
		return name
	}
	return "a former member"
}

// tokenDetails says what differs between two states of a token, in the order of the wizard.
func tokenDetails(people contacts, before, after store.Token) []audit.Detail {
	d := []audit.Detail{
		{Field: "name", Before: before.Name, After: after.Name},
		{Field: "description", Before: before.Description, After: after.Description},
		{Field: "expires", Before: dateWords(before.ExpiresAt), After: dateWords(after.ExpiresAt)},
		{Field: "reach", Before: reachWords(before), After: reachWords(after)},
		{Field: "primary contact", Before: people.name(before.PrimaryContact), After: people.name(after.PrimaryContact)},
		{Field: "developer e-mails", Before: listWords(before.Emails), After: listWords(after.Emails)},
	}
	return slices.Concat(changed(d...), limitDetails(before, after), pinDetails(before.Pins, after.Pins))
}

func pinDetails(before, after string) []audit.Detail {
	var old, now []api.Pin
	// A missing or foreign form reads as no pins: the details are for people, the grant is in the feed.
	if json.Unmarshal([]byte(before), &old) != nil {
		old = nil
	}
	if json.Unmarshal([]byte(after), &now) != nil {
		now = nil
	}
	a, b := (&opens{pins: old}), (&opens{pins: now})
	var d []audit.Detail
	for _, p := range now {
		if v := a.version(p.API); v != p.Version {
			d = append(d, audit.Detail{Field: p.API + " version", Before: v, After: p.Version})
		}
	}
	for _, s := range scopeWords(minus(b.qualified(), a.qualified())) {
		d = append(d, audit.Detail{Field: "scope", After: s})
	}
	for _, s := range scopeWords(minus(a.qualified(), b.qualified())) {
		d = append(d, audit.Detail{Field: "scope", Before: s})
	}
	return d
}

const (
	scopesApart = 50   // scopes that have a detail each; more are told many to a detail
	scopesWidth = 1800 // octets of one such detail; an event holds values up to 2,000
	scopesLines = 150  // such details to each side; an event holds 400
)

// scopeWords tells scopes so that an event can hold them: a token may open thousands.
func scopeWords(scopes []string) []string {
	if len(scopes) <= scopesApart {
		return scopes
	}
	var out []string
	line := ""
	for i, s := range scopes {
		switch {
		case line == "":
			line = s
		case len(line)+len(s)+2 <= scopesWidth:
			line += ", " + s
		case len(out) == scopesLines-2:
			return append(out, line, fmt.Sprintf("and %d more", len(scopes)-i))
		default:
			out, line = append(out, line), s
		}
	}
	return append(out, line)
}

func minus(xs, ys []string) []string {
	have := make(map[string]bool, len(ys))
	for _, y := range ys {
		have[y] = true
	}
	var out []string
	for _, x := range xs {
		if !have[x] {
			out = append(out, x)
		}
	}
	return out
}

func dateWords(micros *int64) string {
	if micros == nil {
		return ""
	}
	return when(*micros).Format("2006-01-02 15:04 UTC")
}

func reachWords(t store.Token) string {
	if t.Reach != string(api.ReachList) {
		return t.Reach
	}
	return "brands " + listWords(t.Brands)
}

func listWords(list string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.Trim(list, "[]"), `"`, ""), ",", ", ")
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func newID() string { return rand.Text() }
