package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
	"counterfoil.dev/counterfoil/internal/httpx"
	"counterfoil.dev/counterfoil/internal/session"
)

// Config is what the console needs. All fields but GatewayURL are required.
type Config struct {
	Authority *authority.Authority
	People    *session.People
	// GatewayURL is where a token made here can be tried ("https://api.example.com"); "" means the first
	// host that the catalogue names.
	GatewayURL string
	Errors     []byte // docs/errors.md
	Now        func() time.Time
	Log        *slog.Logger
}

// Console serves the pages.
type Console struct {
	authority *authority.Authority
	people    *session.People
	gateway   string
	errors    []view.ErrorGroup
	now       func() time.Time
	log       *slog.Logger
	uploads   *uploads
	probing   probing
}

// New makes the handler of all pages. It still needs httpx.Wrap around it, which the listener does.
func New(c Config) (http.Handler, error) {
	if c.Authority == nil || c.People == nil {
		return nil, errors.New("console: an authority and people are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	con := &Console{
		authority: c.Authority, people: c.People, gateway: strings.TrimSuffix(c.GatewayURL, "/"),
		errors: parseErrors(string(c.Errors)), now: c.Now, log: c.Log, uploads: newUploads(),
	}
	mux := http.NewServeMux()
	con.routes(mux.Handle)
	https := strings.HasPrefix(c.Authority.BaseURL(), "https:")
	return httpx.Secure(httpx.SameOrigin(mux, con.refuse), https), nil
}

// drawing is a page that can be drawn: a component of view.
type drawing interface {
	Render(ctx context.Context, w io.Writer) error
}

// visit is one request of a signed-in person.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	visitor session.Visitor
	session session.Session
	by      authority.Actor
	account int64 // 0 for an operator without an account
	form    url.Values
	now     time.Time
}

// handler is a page or action. What it returns is drawn as a page by the wrapper.
type handler func(v *visit) error

// page wraps every page of a signed-in person.
func (c *Console) page(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		visitor := c.people.Visitor(r)
		s, err := c.people.Resolve(r.Context(), visitor)
		if err != nil {
			c.signInFirst(w, r, err)
			return
		}
		v := &visit{w: w, r: r, visitor: visitor, session: s, account: s.Account, now: c.now()}
		v.by = actor(s, visitor)
		if r.Method == http.MethodPost {
			if err := parseForm(w, r); err != nil {
				c.problem(w, r, v, err)
				return
			}
			v.form = r.PostForm
			if !s.FormOK(v.form.Get("csrf")) {
				c.problem(w, r, v, staleForm())
				return
			}
		}
		if err := h(v); err != nil {
			c.problem(w, r, v, err)
		}
	}
}

// member wraps the pages of an account: an operator without one is led to the own pages.
func (c *Console) member(h handler) http.HandlerFunc {
	return c.page(func(v *visit) error {
		if v.account == 0 {
			return v.redirect(view.PathOperator)
		}
		return h(v)
	})
}

// holder wraps the pages of tokens. An operator without an account holds only tokens of the management
// API: the account is 0 then, and the authority shows nothing else.
func (c *Console) holder(h handler) http.HandlerFunc {
	return c.page(func(v *visit) error {
		if v.account == 0 && !v.session.Person.Operator {
			return v.redirect(view.PathProfile)
		}
		return h(v)
	})
}

// operator wraps the pages under /operator, which nobody else can tell from nothing.
func (c *Console) operator(h handler) http.HandlerFunc {
	return c.page(func(v *visit) error {
		if !v.session.Person.Operator {
			return api.NotFound("page")
		}
		v.account = 0
		v.by.Account, v.by.Role = 0, ""
		return h(v)
	})
}

// actor is whoever asks, in the account chosen at the top of the menu. An operator who is also a member
// acts there as that member; the operator's powers are under /operator alone.
func actor(s session.Session, v session.Visitor) authority.Actor {
	by := authority.Actor{
		Person: s.Person.ID, Name: s.Person.Name, Account: s.Account, Operator: s.Person.Operator,
		Address: v.Address, Agent: v.Agent, RequestID: v.RequestID,
	}
	if m, ok := s.Current(); ok {
		by.Operator, by.Role, by.AllowSensitive = false, m.Role, m.AllowSensitive
	}
	return by
}

const maxForm = 1 << 20

func parseForm(w http.ResponseWriter, r *http.Request) error {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return parseUpload(w, r)
	}
	if err := httpx.CheckType(r, "application/x-www-form-urlencoded"); err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return api.Invalid("form", "could not be read; open the page again and send it once more")
	}
	return nil
}

func staleForm() error {
	return &api.Error{
		Code: api.CodeCrossOrigin, Status: http.StatusForbidden, Title: "This form is out of date",
		Detail: "You have signed in again since the page was opened, so nothing was done. Go back, reload the page and send it once more.",
	}
}

// frame surrounds a page.
func (v *visit) frame() view.Frame {
	f := view.Frame{
		CSRF: v.session.CSRF, Now: v.now, RequestID: v.visitor.RequestID,
		Person: view.Person{ID: v.session.Person.ID, Name: v.session.Person.Name, Email: v.session.Person.Email},
		Flash:  flashOf(v.r),
	}
	for _, m := range v.session.Memberships {
		if m.Suspended {
			continue
		}
		a := view.Account{ID: strconv.FormatInt(m.Account, 10), Name: m.Name, Kind: m.Kind, Role: view.Role(m.Role)}
		f.Accounts = append(f.Accounts, a)
		if m.Account == v.account {
			f.Account, f.Members = a, m.Role == api.RoleAdministrator
		}
	}
	f.Operator = v.session.Person.Operator && v.account == 0
	return f
}

// flashes are said once after a redirect. The word is in the URL, the sentence is here, so that nobody
// can put words into our mouth.
var flashes = map[string]view.Flash{
	"updated":   {Kind: "done", Text: "The token was updated. It takes effect on its next request."},
	"unchanged": {Kind: "note", Text: "Nothing was changed, since nothing differs."},
	"disabled":  {Kind: "done", Text: "The token was disabled. Every call with it is refused from now on."},
	"enabled":   {Kind: "done", Text: "The token was enabled. Calls with it pass again."},
	"deleted":   {Kind: "done", Text: "The token was deleted. Every call with it is refused from now on."},
	"upgraded":  {Kind: "done", Text: "The token was moved to the other version."},
	"invited":   {Kind: "done", Text: "The invitation was sent."},
	"member":    {Kind: "done", Text: "The member was changed."},
	"removed":   {Kind: "done", Text: "The member was removed."},
	"saved":     {Kind: "done", Text: "Saved."},
	"password":  {Kind: "done", Text: "Your password was changed. Every other session of yours has ended."},
	"reset":     {Kind: "done", Text: "Your password was changed, and all your sessions have ended. Sign in with the new one."},
	"ended":     {Kind: "done", Text: "The session was ended."},
	"published": {Kind: "done", Text: "The catalogue was published. It is in force from the next request on."},
	"same":      {Kind: "note", Text: "This is the catalogue that is live already; nothing was changed."},
}

func flashOf(r *http.Request) *view.Flash {
	if f, ok := flashes[r.URL.Query().Get("said")]; ok && r.Method == http.MethodGet {
		return &f
	}
	return nil
}

// redirect leads on after a POST, to a path of ours.
func (v *visit) redirect(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// said adds a word for the flash of the next page.
func said(path, word string) string {
	if strings.Contains(path, "?") {
		return path + "&said=" + word
	}
	return path + "?said=" + word
}

// problem draws what went wrong.
func (c *Console) problem(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	answer := httpx.Answer(err)
	if answer.Code == api.CodeInternal {
		c.log.ErrorContext(r.Context(), "page failed", "request_id", httpx.RequestID(r.Context()), "path", r.URL.Path, "error", err)
	}
	w.Header().Del("Content-Disposition") // of a file that did not come about
	p := view.ProblemPage{Status: answer.Status, Code: string(answer.Code), Title: answer.Title, Detail: answer.Detail}
	for _, f := range answer.Fields {
		p.Detail += " " + f.Name + " " + f.Message + "."
	}
	if v != nil && v.session.Person.ID != "" {
		p.Frame = v.frame()
	} else {
		p.Frame = view.Frame{Now: c.now(), RequestID: httpx.RequestID(r.Context())}
	}
	if err := draw(w, r, answer.Status, view.Problem(p)); err != nil {
		httpx.WriteError(w, r, err)
	}
}

// refuse answers a form from another site.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, err error) {
	c.problem(w, r, nil, err)
}

// fieldErrors turns refused fields into those of a page. names maps the authority's names to the ids of
// controls; what is not there keeps its own.
func fieldErrors(err error, names map[string]string) (view.Errors, bool) {
	var refused *api.Error
	if !errors.As(err, &refused) || refused.Code != api.CodeInvalid {
		return nil, false
	}
	var out view.Errors
	for _, f := range refused.Fields {
		id := f.Name
		if n, ok := names[f.Name]; ok {
			id = n
		}
		out = append(out, view.FieldError{Field: id, Message: sentence(f.Name, f.Message)})
	}
	return out, true
}

// sentence makes "is required" of a field read as words: "Token Name is required."
func sentence(field, message string) string {
	label, ok := fieldLabels[field]
	if !ok {
		label = strings.ToUpper(field[:1]) + strings.ReplaceAll(field[1:], "_", " ")
	}
	if message != "" && (message[0] == '"' || message[0] >= 'A' && message[0] <= 'Z') || field == "scopes" {
		return strings.TrimSuffix(message, ".") + "."
	}
	return label + " " + strings.TrimSuffix(message, ".") + "."
}

var fieldLabels = map[string]string{
	"name": "Token Name", "api": "API", "version": "API Version", "brand_version": "Brand API Version",
	"expires": "Expiry", "primary_contact": "Primary Contact", "developer_emails": "E-mail", "email": "E-mail",
	"id":          "The number",
	"limits.rate": "Rate", "limits.per": "Calls per", "limits.burst": "At once", "limits.daily": "Calls a day", "limits.monthly": "Calls a month",
	"limits.allow": "Allowed addresses:", "limits.deny": "Denied addresses:", "limits.hosts": "Hosts:", "limits.not_before": "Not before",
}
