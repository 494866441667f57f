package console

import (
	"net/http"
	"strings"

	"counterfoil.dev/counterfoil/internal/console/view"
)

func (c *Console) profile(v *visit) error { return c.drawProfile(v, v.session.Person.Name, nil) }

func (c *Console) drawProfile(v *visit, name string, errs view.Errors) error {
	places, err := c.people.Sessions(v.r.Context(), v.session)
	if err != nil {
		return err
	}
	p := view.ProfilePage{Frame: v.frame(), Name: name, Errors: errs}
	for _, s := range places {
		p.Sessions = append(p.Sessions, view.Session{
			ID: s.ID, Started: s.Started, LastSeen: s.Seen, Address: s.Address, Client: s.Agent, This: s.This,
		})
	}
	return v.draw(statusOf(errs), view.Profile(p))
}

// profilePath is the profile under the menu that the person sees.
func (v *visit) profilePath() string {
	if v.session.Person.Operator && v.account == 0 {
		return view.PathOperatorSelf
	}
	return view.PathProfile
}

func (c *Console) profileName(v *visit) error {
	name := strings.TrimSpace(v.form.Get("name"))
	if err := c.people.Rename(v.r.Context(), v.visitor, v.session, name); err != nil {
		if errs, ok := fieldErrors(err, nil); ok {
			return c.drawProfile(v, name, personErrors(errs))
		}
		return err
	}
	return v.redirect(said(v.profilePath(), "saved"))
}

func (c *Console) changePassword(v *visit) error {
	ticket, err := c.people.ChangePassword(v.r.Context(), v.visitor, v.session, v.form.Get("current"), v.form.Get("password"))
	if status, errs, ok := signErrors(err); err != nil && ok {
		if status == http.StatusTooManyRequests {
			errs = view.Errors{{Field: "current", Message: errs[0].Message}}
		}
		return c.drawProfile(v, v.session.Person.Name, errs)
	} else if err != nil {
		return err
	}
	c.people.SetCookies(v.w, ticket)
	return v.redirect(said(v.profilePath(), "password"))
}

func (c *Console) endSession(v *visit) error {
	if err := c.people.EndSession(v.r.Context(), v.visitor, v.session, v.form.Get("session")); err != nil {
		return err
	}
	return v.redirect(said(v.profilePath(), "ended"))
}

func (c *Console) endAllSessions(v *visit) error {
	if err := c.people.SignOutEverywhere(v.r.Context(), v.visitor, v.session); err != nil {
		return err
	}
	c.people.DropCookies(v.w)
	return v.redirect("/signed-out?everywhere")
}
