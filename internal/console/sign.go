package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/session"
)

// pathSignInLink is where the one-time link of a demo leads. Like every link it shows a form; the POST
// spends it, so that a preview of the link in a chat does not.
const pathSignInLink = "/sign-in/link"

// public surrounds the pages of people who are not signed in.
func (c *Console) public(w http.ResponseWriter, r *http.Request) view.Public {
	return view.Public{CSRF: c.people.FormToken(w, r), RequestID: httpx.RequestID(r.Context()), Flash: flashOf(r)}
}

// show draws a page of people who are not signed in.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, page drawing) {
	if err := draw(w, r, status, page); err != nil {
		httpx.WriteError(w, r, err)
	}
}

// posted reads a form of somebody who is not signed in. Signing in is an act too: the form must carry
// the token of this browser (SECURITY.md, class 37).
func (c *Console) posted(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	err := parseForm(w, r)
	if err == nil && !c.people.FormOK(r, r.PostForm.Get("csrf")) {
		err = &api.Error{
			Code: api.CodeCrossOrigin, Status: http.StatusForbidden, Title: "This form is out of date",
			Detail: "Open the page again and send it once more. Your browser must accept cookies of this address.",
		}
	}
	if err != nil {
		c.problem(w, r, nil, err)
		return nil, false
	}
	return r.PostForm, true
}

// open wraps pages that everybody may read: with the menu for who is signed in.
func (c *Console) open(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		visitor := c.people.Visitor(r)
		v := &visit{w: w, r: r, visitor: visitor, now: c.now()}
		s, err := c.people.Resolve(r.Context(), visitor)
		if err == nil {
			v.session, v.account, v.by = s, s.Account, actor(s, visitor)
		} else if !errors.Is(err, &api.Error{Code: api.CodeSignInRequired}) {
			c.problem(w, r, nil, err)
			return
		}
		if err := h(v); err != nil {
			c.problem(w, r, v, err)
		}
	}
}

// signInFirst answers somebody whose session has ended. What was typed is carried through the sign-in.
func (c *Console) signInFirst(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, &api.Error{Code: api.CodeSignInRequired}) {
		c.problem(w, r, nil, err)
		return
	}
	if r.Method != http.MethodPost {
		target := view.PathSignIn
		if r.URL.Path != "/" {
			target += "?next=" + url.QueryEscape(r.URL.RequestURI())
		}
		http.Redirect(w, r, target, http.StatusSeeOther)
		return
	}
	if err := parseForm(w, r); err != nil {
		c.problem(w, r, nil, err)
		return
	}
	p := view.SignInPage{Public: c.public(w, r), Next: r.URL.Path, Expired: true}
	for _, k := range view.KeepForm(r.PostForm, "current", "password") {
		p.Kept = append(p.Kept, view.Kept{Name: view.KeptName(k.Name), Value: k.Value})
	}
	c.show(w, r, http.StatusUnauthorized, view.SignIn(p))
}

// ours says whether a path leads back into the desk, so that a sign-in cannot be used to send somebody
// elsewhere.
func ours(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.ContainsAny(path, "\\\r\n\t")
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	if _, err := c.people.Resolve(r.Context(), c.people.Visitor(r)); err == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	p := view.SignInPage{Public: c.public(w, r)}
	if next := r.URL.Query().Get("next"); ours(next) {
		p.Next = next
	}
	c.show(w, r, http.StatusOK, view.SignIn(p))
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	form, ok := c.posted(w, r)
	if !ok {
		return
	}
	email, next := strings.TrimSpace(form.Get("email")), form.Get("next")
	if !ours(next) {
		next = "/"
	}
	kept := keptFields(form)
	ticket, err := c.people.SignIn(r.Context(), c.people.Visitor(r), email, form.Get("password"))
	if err != nil {
		p := view.SignInPage{Public: c.public(w, r), Email: email, Next: next, Expired: len(kept) > 0}
		for _, k := range kept {
			p.Kept = append(p.Kept, view.Kept{Name: view.KeptName(k.Name), Value: k.Value})
		}
		status, errs, ok := signErrors(err)
		if !ok {
			c.problem(w, r, nil, err)
			return
		}
		p.Errors = errs
		c.show(w, r, status, view.SignIn(p))
		return
	}
	c.people.SetCookies(w, ticket)
	if len(kept) == 0 {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	c.resubmit(w, r, ticket, next, kept)
}

// signErrors turns a refusal into words beside a field. Too many attempts say when to try again.
func signErrors(err error) (int, view.Errors, bool) {
	var refused *api.Error
	if !errors.As(err, &refused) {
		return 0, nil, false
	}
	switch refused.Code {
	case api.CodeTooMany:
		return refused.Status, view.Errors{{Field: "email", Message: refused.Title + ". " + refused.Detail}}, true
	case api.CodeInvalid:
		errs, _ := fieldErrors(err, nil)
		return http.StatusUnprocessableEntity, errs, true
	default:
		return 0, nil, false
	}
}

// keptFields are the fields of an interrupted form that travelled through the sign-in.
func keptFields(form url.Values) []view.Kept {
	prefix := view.KeptName("")
	inner := url.Values{}
	for name, values := range form {
		if bare, ok := strings.CutPrefix(name, prefix); ok {
			inner[bare] = values
		}
	}
	return view.KeepForm(inner)
}

// resubmit offers to send what was typed before the session ended.
func (c *Console) resubmit(w http.ResponseWriter, r *http.Request, ticket session.Ticket, action string, kept []view.Kept) {
	s, err := c.people.ResolveTicket(r.Context(), ticket)
	if err != nil {
		c.problem(w, r, nil, err)
		return
	}
	visitor := c.people.Visitor(r)
	v := &visit{w: w, r: r, visitor: visitor, session: s, account: s.Account, by: actor(s, visitor), now: c.now()}
	c.show(w, r, http.StatusOK, view.Resubmit(view.ResubmitPage{Frame: v.frame(), Action: action, What: "The page that you left", Kept: kept}))
}

func (c *Console) signOut(v *visit) error {
	if err := c.people.SignOut(v.r.Context(), v.visitor, v.session); err != nil {
		return err
	}
	c.people.DropCookies(v.w)
	return v.redirect("/signed-out")
}

func (c *Console) signedOut(w http.ResponseWriter, r *http.Request) {
	c.show(w, r, http.StatusOK, view.SignedOut(view.SignedOutPage{Public: c.public(w, r), Everywhere: r.URL.Query().Has("everywhere")}))
}

// linkFault answers a link that does not work, or tells the wrapper to go on.
func (c *Console) linkFault(w http.ResponseWriter, r *http.Request, what string, err error) bool {
	var refused *api.Error
	switch {
	case err == nil:
		return false
	case errors.As(err, &refused) && refused.Code == api.CodeNotFound:
		c.show(w, r, http.StatusGone, view.LinkExpired(view.LinkExpiredPage{Public: c.public(w, r), What: what}))
	default:
		c.problem(w, r, nil, err)
	}
	return true
}

func (c *Console) setUpPage(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	if c.linkFault(w, r, "set-up link", c.people.SetUpOpen(r.Context(), c.people.Visitor(r), key)) {
		return
	}
	c.show(w, r, http.StatusOK, view.SetUp(view.SetUpPage{Public: c.public(w, r), Key: key}))
}

func (c *Console) setUp(w http.ResponseWriter, r *http.Request) {
	form, ok := c.posted(w, r)
	if !ok {
		return
	}
	key, name, email := form.Get("key"), strings.TrimSpace(form.Get("name")), strings.TrimSpace(form.Get("email"))
	ticket, err := c.people.SetUp(r.Context(), c.people.Visitor(r), key, name, email, form.Get("password"))
	if errs, ok := fieldErrors(err, nil); ok {
		p := view.SetUpPage{Public: c.public(w, r), Key: key, Name: name, Email: email, Errors: personErrors(errs)}
		c.show(w, r, http.StatusUnprocessableEntity, view.SetUp(p))
		return
	}
	c.signedIn(w, r, "set-up link", ticket, err)
}

// personErrors says "Name" where the desk's other forms say "Token Name".
func personErrors(errs view.Errors) view.Errors {
	for i := range errs {
		errs[i].Message = strings.Replace(errs[i].Message, "Token Name", "Name", 1)
	}
	return errs
}

// signedIn ends a form that signs somebody in.
func (c *Console) signedIn(w http.ResponseWriter, r *http.Request, what string, ticket session.Ticket, err error) {
	if c.linkFault(w, r, what, err) {
		return
	}
	c.people.SetCookies(w, ticket)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (c *Console) invitationPage(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	c.drawInvitation(w, r, http.StatusOK, key, "", nil)
}

func (c *Console) drawInvitation(w http.ResponseWriter, r *http.Request, status int, key, name string, errs view.Errors) {
	in, err := c.people.Invitation(r.Context(), c.people.Visitor(r), key)
	if c.linkFault(w, r, "invitation", err) {
		return
	}
	if errs == nil && in.Name != in.Email {
		name = in.Name
	}
	c.show(w, r, status, view.Invitation(view.InvitationPage{
		Public: c.public(w, r), Key: key, Account: in.Account, Role: view.Role(in.Role), Email: in.Email, Name: name, Known: in.Known, Errors: errs,
	}))
}

func (c *Console) acceptInvitation(w http.ResponseWriter, r *http.Request) {
	form, ok := c.posted(w, r)
	if !ok {
		return
	}
	key, name := form.Get("key"), strings.TrimSpace(form.Get("name"))
	ticket, err := c.people.AcceptInvitation(r.Context(), c.people.Visitor(r), key, name, form.Get("password"))
	if errs, ok := fieldErrors(err, nil); ok {
		c.drawInvitation(w, r, http.StatusUnprocessableEntity, key, name, personErrors(errs))
		return
	}
	c.signedIn(w, r, "invitation", ticket, err)
}

func (c *Console) forgotPage(w http.ResponseWriter, r *http.Request) {
	c.show(w, r, http.StatusOK, view.Forgot(view.ForgotPage{Public: c.public(w, r)}))
}

func (c *Console) forgot(w http.ResponseWriter, r *http.Request) {
	form, ok := c.posted(w, r)
	if !ok {
		return
	}
	p := view.ForgotPage{Public: c.public(w, r), Email: strings.TrimSpace(form.Get("email")), Sent: true, Lasts: "30 minutes"}
	status := http.StatusOK
	if err := c.people.ForgotPassword(r.Context(), c.people.Visitor(r), p.Email); err != nil {
		var ok bool
		if status, p.Errors, ok = signErrors(err); !ok {
			c.problem(w, r, nil, err)
			return
		}
		p.Sent = false
	}
	c.show(w, r, status, view.Forgot(p))
}

func (c *Console) resetPasswordPage(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	if c.linkFault(w, r, "password link", c.people.PasswordLink(r.Context(), c.people.Visitor(r), key)) {
		return
	}
	c.show(w, r, http.StatusOK, view.ResetPassword(view.ResetPasswordPage{Public: c.public(w, r), Key: key}))
}

func (c *Console) resetPassword(w http.ResponseWriter, r *http.Request) {
	form, ok := c.posted(w, r)
	if !ok {
		return
	}
	key := form.Get("key")
	ticket, err := c.people.ResetPassword(r.Context(), c.people.Visitor(r), key, form.Get("password"))
	if errs, ok := fieldErrors(err, nil); ok {
		c.show(w, r, http.StatusUnprocessableEntity, view.ResetPassword(view.ResetPasswordPage{Public: c.public(w, r), Key: key, Errors: errs}))
		return
	}
	if c.linkFault(w, r, "password link", err) {
		return
	}
	c.people.SetCookies(w, ticket) // it marks the device as known; the person signs in next
	http.Redirect(w, r, said(view.PathSignIn, "reset"), http.StatusSeeOther)
}

func (c *Console) signInLinkPage(w http.ResponseWriter, r *http.Request) {
	c.show(w, r, http.StatusOK, view.SignInLink(view.SignInLinkPage{Public: c.public(w, r), Key: r.URL.Query().Get("key"), Action: pathSignInLink}))
}

func (c *Console) signInByLink(w http.ResponseWriter, r *http.Request) {
	form, ok := c.posted(w, r)
	if !ok {
		return
	}
	ticket, err := c.people.SignInByLink(r.Context(), c.people.Visitor(r), form.Get("key"))
	c.signedIn(w, r, "sign-in link", ticket, err)
}
