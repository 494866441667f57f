package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Change kinds, in the order in which a diff lists them within one version.
const (
	APIAdded        = "api-added"
	APIRemoved      = "api-removed"
	APIChanged      = "api-changed" // From and To say one field before and after; Field names it
	VersionAdded    = "version-added"
	VersionRemoved  = "version-removed"
	VersionChanged  = "version-changed" // state or a date; Field names it
	ScopeAdded      = "scope-added"
	ScopeRemoved    = "scope-removed"
	ScopeWidened    = "scope-widened"    // the same name opens Operations that it did not open
	ScopeNarrowed   = "scope-narrowed"   // the same name no longer opens Operations
	ScopeRelabelled = "scope-relabelled" // From and To are "category: label"
	ScopeMarked     = "scope-marked"     // access, sensitive, limit, needs or hidden; Field names it
	RouteAdded      = "route-added"      // Operations has one
	RouteRemoved    = "route-removed"
	RouteChanged    = "route-changed" // asks for other scopes, or became or ceased to be public
)

// kindOrder is the order of the constants above.
var kindOrder = []string{
	APIAdded, APIRemoved, APIChanged, VersionAdded, VersionRemoved, VersionChanged, ScopeAdded, ScopeRemoved,
	ScopeWidened, ScopeNarrowed, ScopeRelabelled, ScopeMarked, RouteAdded, RouteRemoved, RouteChanged,
}

// Change is one difference between two catalogues.
type Change struct {
	Kind       string   `json:"kind"`
	API        string   `json:"api"`
	Version    string   `json:"version,omitempty"`
	Scope      string   `json:"scope,omitempty"`
	Field      string   `json:"field,omitempty"`
	From       string   `json:"from,omitempty"`
	To         string   `json:"to,omitempty"`
	Operations []string `json:"operations,omitempty"` // "GET /full/{path}", ascending
}

// Diff is what changes when one catalogue replaces another. It knows nothing of tokens: the authority
// joins it with them by API, version and scope.
type Diff struct {
	Changes []Change `json:"changes"`
}

// Empty reports that nothing changes that a person or a token could notice.
func (d Diff) Empty() bool { return len(d.Changes) == 0 }

// Only returns the changes of the given kinds.
func (d Diff) Only(kinds ...string) []Change {
	var out []Change
	for _, c := range d.Changes {
		if slices.Contains(kinds, c.Kind) {
			out = append(out, c)
		}
	}
	return out
}

// Compare says what changes from old to new; both are presentations, nil for an empty catalogue.
func Compare(old, new []API) Diff {
	var d Diff
	for _, a := range old {
		if _, ok := Find(new, a.Name); !ok {
			d.add(Change{Kind: APIRemoved, API: a.Name, From: a.Title})
			d.versions(a, API{Name: a.Name})
		}
	}
	for _, b := range new {
		a, ok := Find(old, b.Name)
		if !ok {
			a = API{Name: b.Name}
			d.add(Change{Kind: APIAdded, API: b.Name, To: b.Title})
		} else {
			d.apiFields(a, b)
		}
		d.versions(a, b)
	}
	slices.SortStableFunc(d.Changes, func(x, y Change) int {
		return cmp.Or(
			strings.Compare(x.API, y.API),
			cmp.Compare(x.Version, y.Version),
			cmp.Compare(slices.Index(kindOrder, x.Kind), slices.Index(kindOrder, y.Kind)),
			strings.Compare(x.Scope, y.Scope),
			strings.Compare(x.Field, y.Field),
			slices.Compare(x.Operations, y.Operations),
		)
	})
	return d
}

func (d *Diff) add(c Change) { d.Changes = append(d.Changes, c) }

// field adds a change of one named field, if it is one.
func (d *Diff) field(c Change, name, from, to string) {
	if from != to {
		c.Field, c.From, c.To = name, from, to
		d.add(c)
	}
}

func (d *Diff) apiFields(a, b API) {
	c := Change{Kind: APIChanged, API: b.Name}
	d.field(c, "title", a.Title, b.Title)
	d.field(c, "accounts", strings.Join(a.Accounts, ", "), strings.Join(b.Accounts, ", "))
	d.field(c, "base", a.Base, b.Base)
	d.field(c, "bind", a.Bind, b.Bind)
	d.field(c, "hosts", strings.Join(a.Hosts, ", "), strings.Join(b.Hosts, ", "))
	d.field(c, "upstream", a.Upstream, b.Upstream)
	d.field(c, "version header", a.Header, b.Header)
	d.field(c, "version query", a.Query, b.Query)
	d.field(c, "version override", yes(a.Override), yes(b.Override))
	d.field(c, "passthrough", nestings(a), nestings(b))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func nestings(a API) string {
	var out []string
	for _, p := range a.Passthrough {
		out = append(out, p.API+" under "+p.Prefix)
	}
	return strings.Join(out, ", ")
}

func (d *Diff) versions(a, b API) {
	for _, v := range a.Versions {
		if _, ok := b.Version(v.Name); !ok {
			d.add(Change{Kind: VersionRemoved, API: b.Name, Version: v.Name, From: v.State})
			d.scopes(b.Name, v, Version{Name: v.Name})
		}
	}
	for _, w := range b.Versions {
		v, ok := a.Version(w.Name)
		if !ok {
			v = Version{Name: w.Name}
			d.add(Change{Kind: VersionAdded, API: b.Name, Version: w.Name, To: w.State})
		} else {
			c := Change{Kind: VersionChanged, API: b.Name, Version: w.Name}
			d.field(c, "state", v.State, w.State)
			d.field(c, "released", v.Released, w.Released)
			d.field(c, "deprecated", v.Deprecated, w.Deprecated)
			d.field(c, "sunset", v.Sunset, w.Sunset)
			d.field(c, "upstream", v.Upstream, w.Upstream)
			d.routes(b.Name, v, w)
		}
		d.scopes(b.Name, v, w)
	}
}

// byName indexes the scopes of a version.
func byName(v Version) map[string]Scope {
	out := map[string]Scope{}
	for _, c := range v.Categories {
		for _, s := range c.Scopes {
			out[s.Name] = s
		}
	}
	return out
}

func (d *Diff) scopes(api string, v, w Version) {
	before, after := byName(v), byName(w)
	ranBefore, runAfter := opens(v), opens(w)
	was, is := gains(runAfter, ranBefore), gains(ranBefore, runAfter)
	for name, s := range before {
		if _, ok := after[name]; !ok {
			d.add(Change{Kind: ScopeRemoved, API: api, Version: v.Name, Scope: name, From: shownAs(s)})
		}
	}
	for name, t := range after {
		c := Change{API: api, Version: w.Name, Scope: name}
		s, ok := before[name]
		if !ok {
			c.Kind, c.To = ScopeAdded, shownAs(t)
			d.add(c)
			continue
		}
		if more := is[name]; len(more) > 0 {
			d.add(Change{Kind: ScopeWidened, API: api, Version: w.Name, Scope: name, Operations: more})
		}
		if less := was[name]; len(less) > 0 {
			d.add(Change{Kind: ScopeNarrowed, API: api, Version: w.Name, Scope: name, Operations: less})
		}
		c.Kind = ScopeRelabelled
		d.field(c, "", shownAs(s), shownAs(t))
		c.Kind = ScopeMarked
		d.field(c, "access", s.Access, t.Access)
		d.field(c, "sensitive", s.Sensitive, t.Sensitive)
		d.field(c, "limit", s.Limit, t.Limit)
		d.field(c, "needs", strings.Join(s.Needs, ", "), strings.Join(t.Needs, ", "))
		d.field(c, "hidden", yes(s.Hidden), yes(t.Hidden))
	}
}

// shownAs is how a person sees a scope.
func shownAs(s Scope) string { return s.Category + ": " + s.Label }

func (d *Diff) routes(api string, v, w Version) {
	before, after := opens(v), opens(w)
	for key, r := range before {
		if _, ok := after[key]; !ok {
			d.add(Change{Kind: RouteRemoved, API: api, Version: v.Name, Operations: []string{r.path}})
		}
	}
	for key, r := range after {
		was, ok := before[key]
		if !ok {
			d.add(Change{Kind: RouteAdded, API: api, Version: w.Name, Operations: []string{r.path}})
			continue
		}
		c := Change{Kind: RouteChanged, API: api, Version: w.Name, Operations: []string{r.path}}
		d.field(c, "asks for", was.String(), r.String())
	}
}

// String is what an operation asks for in words: "public", or alternatives of names.
func (r requirement) String() string {
	if r.public {
		return "public"
	}
	var out []string
	for _, set := range r.sets {
		out = append(out, strings.Join(set, " and "))
	}
	return strings.Join(out, ", or ")
}

// String is the diff for people, one change a line.
func (d Diff) String() string {
	if d.Empty() {
		return "nothing changes\n"
	}
	var b strings.Builder
	for _, c := range d.Changes {
		fmt.Fprintln(&b, c.String())
	}
	return b.String()
}

// String is one change in words, its operations on lines of their own.
func (c Change) String() string {
	head := c.API
	if c.Version != "" {
		head += " " + c.Version
	}
	switch c.Kind {
	case APIAdded, VersionAdded:
		return fmt.Sprintf("%s: added (%s)", head, c.To)
	case APIRemoved, VersionRemoved:
		return fmt.Sprintf("%s: removed (%s)", head, c.From)
	case APIChanged, VersionChanged:
		return fmt.Sprintf("%s: %s: %s → %s", head, c.Field, none(c.From), none(c.To))
	case ScopeAdded:
		return fmt.Sprintf("%s: scope %s added (%s)", head, c.Scope, c.To)
	case ScopeRemoved:
		return fmt.Sprintf("%s: scope %s removed (%s)", head, c.Scope, c.From)
	case ScopeWidened:
		return fmt.Sprintf("%s: scope %s now also opens\n    %s", head, c.Scope, strings.Join(c.Operations, "\n    "))
	case ScopeNarrowed:
		return fmt.Sprintf("%s: scope %s no longer opens\n    %s", head, c.Scope, strings.Join(c.Operations, "\n    "))
	case ScopeRelabelled:
		return fmt.Sprintf("%s: scope %s is now called %q, was %q", head, c.Scope, c.To, c.From)
	case ScopeMarked:
		return fmt.Sprintf("%s: scope %s: %s: %s → %s", head, c.Scope, c.Field, none(c.From), none(c.To))
	case RouteAdded:
		return fmt.Sprintf("%s: %s added", head, c.Operations[0])
	case RouteRemoved:
		return fmt.Sprintf("%s: %s removed", head, c.Operations[0])
	}
	return fmt.Sprintf("%s: %s asks for %s, asked for %s", head, c.Operations[0], none(c.To), none(c.From))
}

func none(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
