package session

import (
	"context"
	"errors"
	"fmt"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// What [Session.Factors] may hold.
const (
	factorPassword = "password"
	factorLink     = "link"
)

// SignIn checks an address and a password and begins a session. What may be read of a failure is the
// same whoever exists; an *api.Error of code too_many says when to try again.
func (p *People) SignIn(ctx context.Context, v Visitor, email, password string) (Ticket, error) {
	_, key, fault := p.cleanEmail(email)
	if fault != "" {
		return Ticket{}, api.Invalid("email", fault)
	}
	person, err := p.authenticate(ctx, v, audit.SignIn, key, password)
	if err != nil {
		return Ticket{}, err
	}
	fresh := ""
	if outdated(*person.Password) {
		if fresh, err = p.hasher.hash(ctx, password); err != nil {
			return Ticket{}, err
		}
	}
	var ticket Ticket
	_, err = p.db.Act(ctx, func(tx *store.Tx) error {
		memberships, err := p.stillThere(ctx, tx, &person)
		if err != nil {
			return err
		}
		if !admitted(person, memberships) {
			return api.Forbidden("You are not a member of an account that is in use. Ask the operator of the platform.")
		}
		if fresh != "" {
			// Same password, newer settings of the hash; the time of the password's change stays.
			if err := tx.SetPassword(ctx, store.SetPasswordParams{ID: person.ID, Password: &fresh, At: person.PasswordAt}); err != nil {
				return fmt.Errorf("renewing a hash: %w", err)
			}
		}
		account := home(memberships)
		if ticket, err = p.begin(ctx, tx, v, person, account, factorPassword); err != nil {
			return err
		}
		tx.Record(p.event(v, audit.SignIn, person, account), nil)
		return nil
	})
	if err != nil {
		return Ticket{}, public("signing in", err)
	}
	return ticket, nil
}

// authenticate finds the person of an address and checks the password, within the limits. All failures
// but too_many are [wrongPair]. An attempt is counted before the hash and given back when it was right,
// so that many at once cannot slip past the limit.
func (p *People) authenticate(ctx context.Context, v Visitor, action audit.Action, emailKey, password string) (store.Person, error) {
	claims := p.claims(v, emailKey)
	if wait, ok := p.limits.take(claims...); !ok {
		p.refusals.add(p.now(), v, action, store.Person{}, string(api.CodeTooMany))
		return store.Person{}, tooMany(wait)
	}
	person, err := p.db.Read().PersonByEmail(ctx, emailKey)
	if person, err = store.One(person, err); err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Person{}, public("looking a person up", err)
	}
	// Nobody, and who was invited and has no password yet, cost the same work (classes 27 and 41a).
	encoded, usable := dummyHash, false
	if person.Password != nil {
		encoded, usable = *person.Password, person.DisabledAt == nil
	}
	right, err := p.hasher.check(ctx, encoded, password)
	if err != nil {
		p.limits.giveBack(claims...)
		return store.Person{}, err
	}
	if !right || !usable {
		p.refusals.add(p.now(), v, action, person, "wrong_password")
		return store.Person{}, wrongPair()
	}
	p.limits.giveBack(claims...)
	return person, nil
}

// claims are the counters that one attempt at an address's password uses up.
func (p *People) claims(v Visitor, emailKey string) []claim {
	if device := p.knownDevice(v.ticket, emailKey); device != "" {
		return []claim{{"network " + v.network, networkRules}, {"device " + device, deviceRules}}
	}
	return []claim{{"network " + v.network, networkRules}, {"address " + emailKey, addressRules}}
}

// stillThere reads a person again inside the act: the password was checked outside of it, and must not
// have been changed, nor the person disabled, in between (OWASP ASVS 5.0, 15.4.2).
func (p *People) stillThere(ctx context.Context, tx *store.Tx, person *store.Person) ([]Membership, error) {
	now, err := tx.Person(ctx, person.ID)
	if err != nil {
		return nil, fmt.Errorf("reading a person: %w", err)
	}
	if now.DisabledAt != nil || !equalText(now.Password, person.Password) {
		return nil, wrongPair()
	}
	*person = now
	return membershipsOf(ctx, tx.Queries, now)
}

func equalText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// SignInLink makes a link that signs a person in once, and returns its secret. It is for the sample
// administrator of a demo, who has no mailbox.
func (p *People) SignInLink(ctx context.Context, person string) (string, error) {
	var secret string
	_, err := p.db.Act(ctx, func(tx *store.Tx) (err error) {
		secret, err = tx.MakeLink(ctx, store.LinkSignIn, &person, nil, p.now(), signInLife)
		return err
	})
	return secret, public("making a sign-in link", err)
}

// SignInByLink spends a link of [People.SignInLink] and begins a session.
func (p *People) SignInByLink(ctx context.Context, v Visitor, secret string) (Ticket, error) {
	if err := p.knock(v); err != nil {
		return Ticket{}, err
	}
	var ticket Ticket
	_, err := p.db.Act(ctx, func(tx *store.Tx) error {
		_, person, err := p.spend(ctx, tx, store.LinkSignIn, secret)
		if err != nil {
			return err
		}
		memberships, err := membershipsOf(ctx, tx.Queries, person)
		if err != nil {
			return err
		}
		if !admitted(person, memberships) {
			return linkEnded()
		}
		account := home(memberships)
		if ticket, err = p.begin(ctx, tx, v, person, account, factorLink); err != nil {
			return err
		}
		tx.Record(p.event(v, audit.SignIn, person, account, audit.Detail{Field: "with", After: "a one-time link"}), nil)
		return nil
	})
	if err != nil {
		return Ticket{}, public("signing in by a link", err)
	}
	p.welcome(v)
	return ticket, nil
}

// spend uses a link up inside an act: two at once cannot both. The person is zero for a link that
// belongs to nobody yet, and never one who was disabled.
func (p *People) spend(ctx context.Context, tx *store.Tx, purpose, secret string) (store.Link, store.Person, error) {
	key := store.LinkDigest(secret)
	n, err := tx.SpendLink(ctx, store.SpendLinkParams{Digest: key, Purpose: purpose, At: ptr(p.now().UnixMicro())})
	if err != nil {
		return store.Link{}, store.Person{}, fmt.Errorf("spending a link: %w", err)
	}
	if n == 0 {
		return store.Link{}, store.Person{}, linkEnded()
	}
	link, err := tx.Link(ctx, key)
	if err != nil {
		return store.Link{}, store.Person{}, fmt.Errorf("reading a link: %w", err)
	}
	person, err := personOf(ctx, tx.Queries, link)
	return link, person, err
}

// look reads a link without spending it, for the page that asks what it needs.
func (p *People) look(ctx context.Context, q *store.Queries, purpose, secret string) (store.Link, store.Person, error) {
	link, err := q.Link(ctx, store.LinkDigest(secret))
	if link, err = store.One(link, err); errors.Is(err, store.ErrNotFound) {
		return store.Link{}, store.Person{}, linkEnded()
	} else if err != nil {
		return store.Link{}, store.Person{}, fmt.Errorf("reading a link: %w", err)
	}
	if link.Purpose != purpose || link.SpentAt != nil || !p.now().Before(when(link.ExpiresAt)) {
		return store.Link{}, store.Person{}, linkEnded()
	}
	person, err := personOf(ctx, q, link)
	return link, person, err
}

func personOf(ctx context.Context, q *store.Queries, link store.Link) (store.Person, error) {
	if link.Person == nil {
		return store.Person{}, nil
	}
	person, err := q.Person(ctx, *link.Person)
	if err != nil {
		return store.Person{}, fmt.Errorf("reading a person: %w", err)
	}
	if person.DisabledAt != nil {
		return store.Person{}, linkEnded()
	}
	return person, nil
}

// knock counts an attempt at a link against the network; welcome gives it back when the link was good.
func (p *People) knock(v Visitor) error {
	if wait, ok := p.limits.take(claim{"network " + v.network, networkRules}); !ok {
		return tooMany(wait)
	}
	return nil
}

func (p *People) welcome(v Visitor) { p.limits.giveBack(claim{"network " + v.network, networkRules}) }

func ptr[T any](v T) *T { return &v }
