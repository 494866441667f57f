package session

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/audit"
	"counterfoil.dev/counterfoil/internal/store"
)

// Paths of the pages behind links in messages; the page's form posts the secret.
const (
	pathSetUp = "/set-up"
	pathReset = "/password/reset"
)

func (p *People) linkTo(path, secret string) string {
	return p.baseURL + path + "?key=" + url.QueryEscape(secret)
}

// encodePassword checks a new password and hashes it. What is wrong with it is said on the field password.
func (p *People) encodePassword(ctx context.Context, password string, facts ...string) (*string, error) {
	if fault := passwordFault(password, facts...); fault != "" {
		return nil, api.Invalid("password", fault)
	}
	encoded, err := p.hasher.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	return &encoded, nil
}

// setPassword gives a person a password inside an act: all their sessions end, and so do links that would
// set another one. API tokens are not touched (class 42).
func (p *People) setPassword(ctx context.Context, tx *store.Tx, person, encoded *string) (ended int64, err error) {
	if err := tx.SetPassword(ctx, store.SetPasswordParams{ID: *person, Password: encoded, At: ptr(p.now().UnixMicro())}); err != nil {
		return 0, fmt.Errorf("setting a password: %w", err)
	}
	if _, err := tx.DropLinks(ctx, store.DropLinksParams{Person: *person, Purpose: store.LinkPassword}); err != nil {
		return 0, fmt.Errorf("dropping password links: %w", err)
	}
	ended, err = tx.DropSessions(ctx, *person)
	if err != nil {
		return 0, fmt.Errorf("ending sessions: %w", err)
	}
	return ended, nil
}

// ChangePassword takes the current password and a new one, ends all sessions of the person, and begins a
// new one here. The fields of a refusal are current and password.
func (p *People) ChangePassword(ctx context.Context, v Visitor, s Session, current, password string) (Ticket, error) {
	// Whoever holds a session only (an open browser) must not be able to guess on for ever.
	claims := []claim{{"network " + v.network, networkRules}, {"person " + s.Person.ID, deviceRules}}
	if wait, ok := p.limits.take(claims...); !ok {
		return Ticket{}, tooMany(wait)
	}
	person, err := p.db.Read().Person(ctx, s.Person.ID)
	if err != nil {
		return Ticket{}, public("reading a person", err)
	}
	encoded := dummyHash
	if person.Password != nil {
		encoded = *person.Password
	}
	right, err := p.hasher.check(ctx, encoded, current)
	if err != nil {
		p.limits.giveBack(claims...)
		return Ticket{}, err
	}
	if !right {
		p.refusals.add(p.now(), v, audit.ChangePassword, person, "wrong_password")
		return Ticket{}, api.Invalid("current", "is not your current password")
	}
	p.limits.giveBack(claims...)
	fresh, err := p.encodePassword(ctx, password, person.Email, person.Name)
	if err != nil {
		return Ticket{}, err
	}
	var ticket Ticket
	_, err = p.db.Act(ctx, func(tx *store.Tx) error {
		if _, err := p.stillThere(ctx, tx, &person); err != nil {
			return err
		}
		ended, err := p.setPassword(ctx, tx, &person.ID, fresh)
		if err != nil {
			return err
		}
		if ticket, err = p.begin(ctx, tx, v, person, s.Account, factorPassword); err != nil {
			return err
		}
		tx.Record(p.event(v, audit.ChangePassword, person, s.Account, audit.Detail{Field: "sessions ended", After: strconv.FormatInt(ended, 10)}), nil)
		return nil
	})
	if err != nil {
		return Ticket{}, public("changing a password", err)
	}
	return ticket, nil
}

// forgotten is a request for a password link that waits for [People.Run].
type forgotten struct {
	visitor  Visitor
	emailKey string
}

// ForgotPassword sends a link to the address, if somebody who has a password has it. The answer and its
// time are the same whoever exists (class 41a): looking up and writing is done by [People.Run]. More than
// three requests an hour for one address send nothing more, and are answered like the others.
func (p *People) ForgotPassword(_ context.Context, v Visitor, email string) error {
	_, key, fault := p.cleanEmail(email)
	if fault != "" {
		return api.Invalid("email", fault)
	}
	if wait, ok := p.limits.take(claim{"forgot network " + v.network, forgotNetworkRules}); !ok {
		return tooMany(wait)
	}
	if _, ok := p.limits.take(claim{"forgot address " + key, forgotAddressRules}); !ok {
		return nil
	}
	select {
	case p.forgotten <- forgotten{v, key}:
		return nil
	default:
		return tooMany(time.Minute)
	}
}

func (p *People) sendPasswordLink(ctx context.Context, f forgotten) error {
	person, err := p.db.Read().PersonByEmail(ctx, f.emailKey)
	if person, err = store.One(person, err); errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("looking a person up: %w", err)
	}
	if person.DisabledAt != nil || person.Password == nil {
		return nil // who is invited gets in by the invitation
	}
	memberships, err := membershipsOf(ctx, p.db.Read(), person)
	if err != nil {
		return err
	}
	_, err = p.db.Act(ctx, func(tx *store.Tx) error {
		secret, err := tx.MakeLink(ctx, store.LinkPassword, &person.ID, nil, p.now(), passwordLife)
		if err != nil {
			return err
		}
		event := p.event(f.visitor, audit.ForgetPassword, person, home(memberships))
		event.Actor = audit.Actor{Kind: audit.ByNobody} // anybody may ask
		tx.Record(event, nil)
		return tx.Send(ctx, p.key.Seal, store.Message{
			Kind: store.MessagePassword, To: person.Email, Name: person.Name,
			Values: map[string]string{
				"link": p.linkTo(pathReset, secret), "minutes": strconv.Itoa(int(passwordLife / time.Minute)),
			},
		}, p.now())
	})
	return err
}

// PasswordLink says whether a password link works, for its page. It is not spent.
func (p *People) PasswordLink(ctx context.Context, v Visitor, secret string) error {
	if err := p.knock(v); err != nil {
		return err
	}
	if _, _, err := p.look(ctx, p.db.Read(), store.LinkPassword, secret); err != nil {
		return public("looking at a password link", err)
	}
	p.welcome(v)
	return nil
}

// ResetPassword spends a password link and sets a new password. All sessions end, and none begins: the
// person signs in next, which a second factor may ask more of. The ticket marks this device as known, so
// that guessers elsewhere cannot keep the owner out.
func (p *People) ResetPassword(ctx context.Context, v Visitor, secret, password string) (Ticket, error) {
	if err := p.knock(v); err != nil {
		return Ticket{}, err
	}
	_, person, err := p.look(ctx, p.db.Read(), store.LinkPassword, secret)
	if err != nil {
		return Ticket{}, public("looking at a password link", err)
	}
	p.welcome(v)
	encoded, err := p.encodePassword(ctx, password, person.Email, person.Name)
	if err != nil {
		return Ticket{}, err
	}
	_, err = p.db.Act(ctx, func(tx *store.Tx) error {
		if _, person, err = p.spend(ctx, tx, store.LinkPassword, secret); err != nil {
			return err
		}
		memberships, err := membershipsOf(ctx, tx.Queries, person)
		if err != nil {
			return err
		}
		ended, err := p.setPassword(ctx, tx, &person.ID, encoded)
		if err != nil {
			return err
		}
		tx.Record(p.event(v, audit.ResetPassword, person, home(memberships), audit.Detail{Field: "sessions ended", After: strconv.FormatInt(ended, 10)}), nil)
		return nil
	})
	if err != nil {
		return Ticket{}, public("resetting a password", err)
	}
	return Ticket{device: p.newDevice(person.EmailKey)}, nil
}
