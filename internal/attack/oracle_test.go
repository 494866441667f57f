package attack_test

import (
	"slices"
	"strconv"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
)

// oracle decides as DESIGN.md (section 3) and CATALOGUE.md say it, one template after the other. How a
// template, a field and a query are read stands in reading_test.go, whose a credential is in credential_test.go.
type oracle struct {
	catalogue *decide.Catalogue
	accounts  map[int64]api.AccountFacts
	grants    map[string]api.Grant
	now       api.Micros
}

// ask is a request; fields are those of its end-to-end fields that it has, in order.
type ask struct {
	method, target, host string
	fields               [][2]string
}

// answer is what is right: the code that the caller reads ("" allows), and by what it was allowed.
type answer struct {
	code    api.Code
	asked   []mount
	version string
	scopes  []string
	brand   int64
}

func refuse(code api.Code) answer { return answer{code: code} }

// judge answers in the order of DESIGN.md: target, form of the credential, route, credential, binding,
// version, scope, reach.
func (o *oracle) judge(q ask) answer {
	path, host, sound := q.read()
	if !sound {
		return refuse(api.CodeMalformedRequest)
	}
	found, known := o.find(path, host)
	named, once := q.version(found)
	method, replaced := q.effective(found)
	best := refuse(api.CodeNoRoute)
	for _, m := range found {
		if a := in(found, m.api, m.version, method, path, q.method); best.code == api.CodeNoRoute || a.code == "" {
			best.code = a.code
		}
	}
	if !once || !replaced || best.code == api.CodeNoRoute && known && strings.Contains(q.path(), "%") {
		return refuse(api.CodeMalformedRequest) // also an escape that no parameter allows there
	}
	public := refuse(api.CodeNoCredential)
	if best.code == "" {
		public = o.public(found, method, named, path, q.method)
	}
	c, form := q.credential()
	switch {
	case form == api.CodeNoCredential:
		return public
	case form != "":
		return refuse(form)
	case best.code == api.CodeNoRoute && !known:
		return refuse(api.CodeHostNotAllowed)
	case best.code != "":
		return best
	}
	g, code := o.caller(c)
	switch {
	case code != "":
		return refuse(code)
	case !o.binds(&found[0], g, path):
		return refuse(api.CodeWrongAccount)
	case first(g, found[0].own) == "" && public.code == "": // what is open to everybody is open to this token, too
		return public
	case first(g, found[0].own) == "":
		return refuse(api.CodeVersionNotAllowed)
	}
	front := found[0].own
	pin := version(front, first(g, front))
	at := slices.IndexFunc(found, func(m mount) bool { return m.api != front })
	if at < 0 || in(found, front, pin, method, path, q.method).code != api.CodeNoRoute {
		return o.allowed(found, g, front, method, named, path, q.method) // an own route wins over a nested one
	}
	if o.retired(pin) {
		return refuse(api.CodeVersionRetired)
	}
	return o.allowed(found, g, found[at].api, method, named, path, q.method)
}

// in asks one version: of the templates that match, those that none other is more specific than; then the
// method; then the operations' own parameters. All that is left is asked together.
func in(found []mount, a *decide.API, v *decide.Version, method string, path []string, sent string) answer {
	here := slices.DeleteFunc(slices.Clone(found), func(m mount) bool { return m.api != a || m.version.Name != v.Name })
	winners := slices.DeleteFunc(slices.Clone(here), func(m mount) bool {
		return slices.ContainsFunc(here, func(o mount) bool { return o.beats(&m) })
	})
	asked := slices.DeleteFunc(slices.Clone(winners), func(m mount) bool { // HEAD follows GET
		return m.route.Method != method && !(method == "HEAD" && m.route.Method == "GET" && !slices.ContainsFunc(winners, func(o mount) bool {
			return o.route.Method == "HEAD" && slices.Equal(shapes(o.segments), shapes(m.segments))
		}))
	})
	switch {
	case len(winners) == 0:
		return refuse(api.CodeNoRoute)
	case len(asked) == 0:
		return refuse(api.CodeMethodNotAllowed)
	case !slices.ContainsFunc(asked, func(m mount) bool { return m.takes(path) }):
		return refuse(api.CodeNoRoute)
	case sent == "POST" && (a.MethodInBody || found[0].own.MethodInBody):
		asked = winners
	}
	return answer{asked: asked, version: v.Name}
}

// public says whether nobody needs a credential: in the version that is named, or else the latest.
func (o *oracle) public(found []mount, method, named string, path []string, sent string) answer {
	front := found[0].own
	for i := range slices.Backward(front.Versions) {
		v := &front.Versions[i]
		if v.Name != named && (named != "" || v.State != "current") {
			continue
		}
		a := in(found, front, v, method, path, sent)
		if a.code != "" || o.retired(v) || slices.ContainsFunc(a.asked, func(m mount) bool { _, brand := m.brand(path); return brand || !m.route.Public }) {
			break
		}
		return a
	}
	return refuse(api.CodeNoCredential)
}

func (o *oracle) retired(v *decide.Version) bool {
	return v.State == "retired" || v.State == "" || v.Sunset != 0 && int64(o.now) >= v.Sunset
}

// binds says whether the path names the caller.
func (o *oracle) binds(m *mount, g *api.Grant, path []string) bool {
	named, bind := m.bound()
	other, live := o.grants[named]
	switch bind {
	case decide.BindNone:
		return true
	case decide.BindSID:
		return named == g.SID
	case decide.BindAnySID:
		return live && other.Account == g.Account && o.standing(&other) == ""
	}
	return bind == decide.BindAccount && named == strconv.FormatInt(g.Account, 10)
}

// allowed judges version, scope and reach.
func (o *oracle) allowed(found []mount, g *api.Grant, judged *decide.API, method, named string, path []string, sent string) answer {
	name := first(g, judged)
	another := named != "" && named != name
	if name != "" && named != "" && judged.Override {
		name = named
	}
	at := slices.IndexFunc(g.Pins, func(p api.Pin) bool { return p.API == judged.Name && p.Version == name })
	v := version(judged, name)
	switch {
	case at < 0 || another && (!judged.Override || v.State == ""):
		return refuse(api.CodeVersionNotAllowed)
	case o.retired(v):
		return refuse(api.CodeVersionRetired)
	}
	a := in(found, judged, v, method, path, sent)
	if a.code != "" {
		return a
	}
	for _, m := range a.asked {
		held := func(name string) bool { return slices.Contains(g.Pins[at].Scopes, name) }
		opens := slices.IndexFunc(m.route.Needs, func(all []string) bool { return !slices.ContainsFunc(all, func(n string) bool { return !held(n) }) })
		if !m.route.Public && opens < 0 {
			return refuse(api.CodeInsufficientScope)
		}
		if !m.route.Public {
			a.scopes = append(a.scopes, m.route.Needs[opens]...)
		}
	}
	for _, m := range a.asked {
		if segment, named := m.brand(path); named {
			var err error
			a.brand, err = strconv.ParseInt(segment, 10, 64)
			if err != nil || strconv.FormatInt(a.brand, 10) != segment || !slices.Contains(o.accounts[g.Account].Manages, a.brand) {
				return refuse(api.CodeBrandNotManaged)
			}
			if g.Reach != api.ReachAll && !(g.Reach == api.ReachList && slices.Contains(g.Brands, a.brand)) {
				return refuse(api.CodeBrandOutOfReach)
			}
		}
	}
	return a
}
