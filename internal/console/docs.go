package console

import (
	"net/http"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/authority"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// callersListed is how many tokens a reference names per operation.
const callersListed = 3

// readable are the APIs whose reference this person may read: those of the account, or all of them for
// an operator.
func (c *Console) readable(v *visit) (api.Offer, error) {
	if v.account == 0 {
		return c.authority.Published(v.r.Context(), v.by)
	}
	return c.authority.Offer(v.r.Context(), v.by, v.account)
}

func (c *Console) docs(v *visit) error {
	offer, err := c.readable(v)
	if err != nil {
		return err
	}
	p := view.DocsPage{Frame: v.frame()}
	for _, a := range sortedAPIs(offer.APIs) {
		d := view.DocsAPI{Name: a.Name, Title: a.Title}
		for _, ver := range a.Versions {
			dv := view.DocsVersion{Version: offeredVersion(a, ver), Operations: len(ver.Operations)}
			if ver.Released != nil {
				dv.Released = *ver.Released
			}
			d.Versions = append(d.Versions, dv)
		}
		p.APIs = append(p.APIs, d)
	}
	return v.draw(http.StatusOK, view.Docs(p))
}

func (c *Console) docsSecure(v *visit) error {
	return v.draw(http.StatusOK, view.Secure(view.SecurePage{Frame: v.openFrame(), Prefix: string(c.authority.Prefix())}))
}

func (c *Console) docsErrors(v *visit) error {
	return v.draw(http.StatusOK, view.DocsErrors(view.ErrorsPage{Frame: v.openFrame(), Groups: c.errors}))
}

// openFrame is the frame of a page that everybody may read.
func (v *visit) openFrame() view.Frame {
	if v.session.Person.ID == "" {
		return view.Frame{Now: v.now, RequestID: v.visitor.RequestID}
	}
	return v.frame()
}

// docsReference lists the operations of one version, with the account's tokens that can call each.
func (c *Console) docsReference(v *visit) error {
	offer, err := c.readable(v)
	if err != nil {
		return err
	}
	o, ok := findVersion(offer, v.r.PathValue("api"), v.r.PathValue("version"))
	if !ok {
		return api.NotFound("version")
	}
	callers, err := c.authority.Callers(v.r.Context(), v.by, v.account, o.api.Name, o.version.Name, callersListed)
	if err != nil {
		return err
	}
	p := view.ReferencePage{Frame: v.frame(), Version: offeredVersion(o.api, o.version), Base: o.api.Base, Header: o.api.Header, SignedIn: v.account != 0}
	if o.version.Released != nil {
		p.Released = *o.version.Released
	}
	if len(o.api.Hosts) > 0 {
		p.Host = o.api.Hosts[0]
	}
	for _, ver := range o.api.Versions {
		if ver.Name != o.version.Name {
			p.Others = append(p.Others, offeredVersion(o.api, ver))
		}
	}
	p.Categories = docsCategories(o, callers)
	return v.draw(http.StatusOK, view.Reference(p))
}

func findVersion(offer api.Offer, apiName, version string) (openVersion, bool) {
	for _, a := range offer.APIs {
		if a.Name != apiName {
			continue
		}
		for _, ver := range a.Versions {
			if ver.Name == version {
				return openVersion{a, ver}, true
			}
		}
	}
	return openVersion{}, false
}

// docsCategories groups operations as the wizard groups their scopes.
func docsCategories(o openVersion, callers map[int]api.OfferCallers) []view.DocsCategory {
	var out []view.DocsCategory
	seen := map[int]bool{}
	for _, cat := range o.version.Categories {
		dc := view.DocsCategory{ID: cat.Slug, Name: cat.Name}
		for _, s := range cat.Scopes {
			for _, i := range s.Operations {
				if !seen[i] {
					seen[i] = true
					dc.Operations = append(dc.Operations, docsOperation(o.version, i, s, callers[i]))
				}
			}
		}
		if len(dc.Operations) > 0 {
			out = append(out, dc)
		}
	}
	rest := view.DocsCategory{ID: "public", Name: "Without a token"}
	for i := range o.version.Operations {
		if !seen[i] {
			rest.Operations = append(rest.Operations, docsOperation(o.version, i, api.OfferScope{}, api.OfferCallers{}))
		}
	}
	if len(rest.Operations) > 0 {
		out = append(out, rest)
	}
	return out
}

func docsOperation(ver api.OfferVersion, i int, s api.OfferScope, callers api.OfferCallers) view.DocsOperation {
	op := ver.Operations[i]
	d := view.DocsOperation{
		Operation: view.Operation{Method: op.Method, Path: op.Path}, Label: op.Summary, About: op.Description,
		Sensitive: s.Sensitive, Public: op.Public,
	}
	var names []string
	for _, all := range op.Scopes {
		for _, name := range all {
			if !slices.Contains(names, name) {
				names = append(names, name)
				d.Scopes = append(d.Scopes, view.DocsScope{Name: name, Label: labelOf(ver, name)})
			}
		}
	}
	switch {
	case len(names) > 1 && len(op.Scopes) == 1:
		d.Words = "All of them are needed."
	case len(names) > 1 && len(op.Scopes) == len(names):
		d.Words = "Any one of them is enough."
	case len(names) > 1:
		var ways []string
		for _, all := range op.Scopes {
			ways = append(ways, strings.Join(all, " and "))
		}
		d.Words = "Enough is " + strings.Join(ways, ", or ") + "."
	}
	for _, t := range callers.Listed {
		d.Tokens = append(d.Tokens, view.TokenRef{SID: t.SID, Name: t.Name})
	}
	d.More = callers.All - len(callers.Listed)
	return d
}

// docsFirst is the first-call guide, for the newest version of the first API that the person may read,
// with the SID of a token that can make the call.
func (c *Console) docsFirst(v *visit) error {
	offer, err := c.readable(v)
	if err != nil {
		return err
	}
	p := view.FirstCallPage{Frame: v.frame()}
	for _, a := range offer.APIs {
		if a.Nested || a.Zero || len(a.Versions) == 0 {
			continue
		}
		ver := a.Versions[0]
		p.Version = offeredVersion(a, ver)
		host := c.gateway
		if host == "" && len(a.Hosts) > 0 {
			host = "https://" + a.Hosts[0]
		}
		p.Base = host + a.Base
		if a.Header != "" {
			p.Header = a.Header + ": " + ver.Name
		}
		for _, o := range ver.Operations {
			rest, under := strings.CutPrefix(o.Path, a.Base)
			if o.Method == http.MethodGet && under && rest != "" && !strings.ContainsAny(rest, "{}") {
				p.Path = rest
				if p.Token, err = c.caller(v, a.Name, ver.Name, o); err != nil {
					return err
				}
				break
			}
		}
		break
	}
	return v.draw(http.StatusOK, view.FirstCall(p))
}

// caller is one of the account's newest tokens that can call an operation, or nil.
func (c *Console) caller(v *visit, apiName, version string, o api.OfferOperation) (*view.TokenRef, error) {
	page, err := c.authority.Tokens(v.r.Context(), v.by, v.account, authority.TokenQuery{
		State: api.StateEnabled, API: apiName, Version: version, Zero: v.account == 0, Limit: pageSize,
	})
	if err != nil {
		return nil, err
	}
	for _, t := range page.Items {
		held := map[string]bool{}
		for _, s := range t.Pins[0].Scopes {
			held[s] = true
		}
		if opens(o.Scopes, held) {
			return &view.TokenRef{SID: t.SID, Name: t.Name}, nil
		}
	}
	return nil, nil
}
