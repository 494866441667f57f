package console

import (
	"net/url"
	"slices"
	"strings"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/console/view"
)

// openVersion is one version of one API whose boxes a form shows.
type openVersion struct {
	api     api.OfferAPI
	version api.OfferVersion
}

// box is the value of a scope's check box: unique on the page, whatever APIs share words.
func (o openVersion) box(scope string) string { return o.api.Name + "/" + o.version.Name + "/" + scope }

func (o openVersion) category(c api.OfferCategory) string { return o.api.Name + "." + c.Slug }

// boxes are the ticked boxes and switched-on categories of wizard and edit page. Boxes of a version that
// is not shown now are kept, so that choosing it again brings them back; they are not given.
type boxes struct {
	On      []string `json:"on,omitempty"`     // category ids
	Ticked  []string `json:"ticked,omitempty"` // box values
	Undo    *boxes   `json:"undo,omitempty"`   // what Clear All took
	Query   string   `json:"query,omitempty"`
	Because string   `json:"because,omitempty"` // which boxes were ticked because others need them
}

// The fields in which a page that keeps nothing on the server carries what Clear All took.
const undoScope, undoCategory = "undo.scope", "undo.category"

// take reads the part of a form that shows these versions.
func (b *boxes) take(form url.Values, open []openVersion) {
	go_ := form.Get("go")
	b.Query, b.Because = strings.TrimSpace(form.Get("q")), ""
	if form.Has(undoScope) || form.Has(undoCategory) {
		b.Undo = &boxes{On: form[undoCategory], Ticked: form[undoScope]}
	}
	b.On = b.elsewhere(b.On, open, form["category"], func(o openVersion, c api.OfferCategory) []string { return []string{o.category(c)} })
	b.Ticked = b.elsewhere(b.Ticked, open, form["scope"], func(o openVersion, c api.OfferCategory) []string {
		var values []string
		for _, s := range c.Scopes {
			values = append(values, o.box(s.Name))
		}
		return values
	})
	switch act, id, _ := strings.Cut(go_, ":"); act {
	case "clear":
		before := boxes{On: b.On, Ticked: b.Ticked}
		b.On, b.Ticked, b.Undo = nil, nil, &before
	case "undo":
		if b.Undo != nil {
			b.On, b.Ticked, b.Undo = b.Undo.On, b.Undo.Ticked, nil
		}
	case "read-only":
		b.readOnly(open)
	case "all", "none":
		b.category(open, id, act == "all")
	}
	if len(b.Ticked) > 0 {
		b.Undo = nil
	}
	b.need(open)
}

// elsewhere replaces what the shown versions can post by what was posted, and keeps the rest.
func (b *boxes) elsewhere(kept []string, open []openVersion, posted []string, values func(openVersion, api.OfferCategory) []string) []string {
	shown := map[string]bool{}
	for _, o := range open {
		for _, c := range o.version.Categories {
			for _, v := range values(o, c) {
				shown[v] = true
			}
		}
	}
	out := slices.DeleteFunc(slices.Clone(kept), func(v string) bool { return shown[v] })
	for _, v := range posted {
		if shown[v] && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// readOnly ticks every box that only reads and that this person may give, and no other. A sensitive one
// it leaves as it is: nobody gives it without having looked at it.
func (b *boxes) readOnly(open []openVersion) {
	before := b.Ticked
	b.On, b.Ticked = nil, nil
	for _, o := range open {
		for _, c := range o.version.Categories {
			for _, s := range c.Scopes {
				if s.Access == "read" && (s.Allowed && s.Sensitive == "" || slices.Contains(before, o.box(s.Name))) {
					b.Ticked = append(b.Ticked, o.box(s.Name))
					b.switchOn(o.category(c))
				}
			}
		}
	}
}

func (b *boxes) category(open []openVersion, id string, all bool) {
	for _, o := range open {
		for _, c := range o.version.Categories {
			if o.category(c) != id {
				continue
			}
			for _, s := range c.Scopes {
				b.Ticked = slices.DeleteFunc(b.Ticked, func(v string) bool { return v == o.box(s.Name) })
				if all && s.Allowed {
					b.Ticked = append(b.Ticked, o.box(s.Name))
				}
			}
			b.switchOn(id)
		}
	}
}

func (b *boxes) switchOn(id string) {
	if !slices.Contains(b.On, id) {
		b.On = append(b.On, id)
	}
}

// need ticks what ticked boxes cannot do without, and says so.
func (b *boxes) need(open []openVersion) {
	var because []string
	for _, o := range open {
		labels, categories, allowed := map[string]string{}, map[string]string{}, map[string]bool{}
		for _, c := range o.version.Categories {
			for _, s := range c.Scopes {
				labels[s.Name], categories[s.Name], allowed[s.Name] = s.Label, o.category(c), s.Allowed
			}
		}
		for _, c := range o.version.Categories {
			if !slices.Contains(b.On, o.category(c)) {
				continue
			}
			for _, s := range c.Scopes {
				if !slices.Contains(b.Ticked, o.box(s.Name)) {
					continue
				}
				for _, n := range s.Needs {
					given := slices.Contains(b.Ticked, o.box(n)) && slices.Contains(b.On, categories[n])
					if given || !allowed[n] {
						continue
					}
					if !slices.Contains(b.Ticked, o.box(n)) {
						b.Ticked = append(b.Ticked, o.box(n))
					}
					b.switchOn(categories[n])
					because = append(because, "“"+labels[n]+"” was ticked too, because “"+s.Label+"” needs it.")
				}
			}
		}
	}
	b.Because = strings.Join(because, " ")
}

// tick switches a box on, as a link from a refusal asks.
func (b *boxes) tick(open []openVersion, apiName, scope string) (value string, ok bool) {
	for _, o := range open {
		if o.api.Name != apiName {
			continue
		}
		for _, c := range o.version.Categories {
			for _, s := range c.Scopes {
				if s.Name != scope {
					continue
				}
				b.switchOn(o.category(c))
				if s.Allowed && !slices.Contains(b.Ticked, o.box(scope)) {
					b.Ticked = append(b.Ticked, o.box(scope))
				}
				return o.box(scope), true
			}
		}
	}
	return "", false
}

// given are the scopes that a form asks for: ticked, in a category that is on, of a version that is
// shown. What cannot be seen is never granted.
func (b boxes) given(open []openVersion) []string {
	out := []string{}
	for i, o := range open {
		for _, c := range o.version.Categories {
			if !slices.Contains(b.On, o.category(c)) {
				continue
			}
			for _, s := range c.Scopes {
				if !slices.Contains(b.Ticked, o.box(s.Name)) {
					continue
				}
				name := s.Name
				if i > 0 {
					name = o.api.Name + "/" + s.Name
				}
				out = append(out, name)
			}
		}
	}
	return out
}

// held are the boxes of a token as it is.
func heldBoxes(t api.Token, open []openVersion) boxes {
	var b boxes
	for _, o := range open {
		for _, p := range t.Pins {
			if p.API != o.api.Name || p.Version != o.version.Name {
				continue
			}
			for _, c := range o.version.Categories {
				for _, s := range c.Scopes {
					if slices.Contains(p.Scopes, s.Name) {
						b.Ticked = append(b.Ticked, o.box(s.Name))
						b.switchOn(o.category(c))
					}
				}
			}
		}
	}
	return b
}

// form draws the boxes. keepable are those that the token holds already: they may stay even when this
// person may not give them.
func (b boxes) form(open []openVersion, marked string, keepable boxes, errs view.Errors) view.ScopesForm {
	f := view.ScopesForm{Query: b.Query, CanUndo: b.Undo != nil, Errors: errs, Linked: marked != "", Note: b.Because}
	if b.Undo != nil {
		f.Undo = view.KeepForm(url.Values{undoScope: b.Undo.Ticked, undoCategory: b.Undo.On})
	}
	bodies := false
	for _, o := range open {
		va := view.ScopeAPI{Name: o.api.Name, Title: o.api.Title, Version: o.version.Name}
		for _, c := range o.version.Categories {
			vc := view.ScopeCategory{ID: o.category(c), Name: c.Name, On: slices.Contains(b.On, o.category(c))}
			for _, s := range c.Scopes {
				box := scopeBox(o, s)
				box.Ticked = slices.Contains(b.Ticked, box.Value)
				box.Marked = box.Value == marked
				box.Hidden = !found(b.Query, c.Name, box)
				if !s.Allowed && !slices.Contains(keepable.Ticked, box.Value) {
					box.Refused, box.Ticked = s.Reason, false
				}
				vc.Scopes = append(vc.Scopes, box)
				for _, i := range s.Operations {
					bodies = bodies || len(o.version.Operations[i].BodyBrands) > 0
				}
			}
			va.Categories = append(va.Categories, vc)
		}
		f.APIs = append(f.APIs, va)
	}
	if bodies && f.Note == "" && len(open) > 1 {
		f.Note = "Some operations name a brand inside the request body. The reach of a token is judged by the path, so it cannot see those."
	}
	return f
}

func scopeBox(o openVersion, s api.OfferScope) view.ScopeBox {
	box := view.ScopeBox{
		Value: o.box(s.Name), Name: s.Name, Label: s.Label, Description: s.Description,
		ReadOnly: s.Access == "read", Sensitive: s.Sensitive,
	}
	for _, i := range s.Operations {
		box.Operations = append(box.Operations, view.Operation{Method: o.version.Operations[i].Method, Path: o.version.Operations[i].Path})
	}
	var labels []string
	for _, n := range s.Needs {
		box.Needs = append(box.Needs, o.box(n))
		labels = append(labels, "“"+labelOf(o.version, n)+"”")
	}
	if len(labels) > 0 {
		box.NeedsNote = "Needs " + strings.Join(labels, " and ") + "."
	}
	return box
}

func labelOf(v api.OfferVersion, scope string) string {
	for _, c := range v.Categories {
		for _, s := range c.Scopes {
			if s.Name == scope {
				return s.Label
			}
		}
	}
	return scope
}

// found says whether a search shows a box.
func found(query, category string, box view.ScopeBox) bool {
	if query == "" {
		return true
	}
	words := category + "\n" + box.Name + "\n" + box.Label + "\n" + box.Description
	for _, o := range box.Operations {
		words += "\n" + o.Method + " " + o.Path
	}
	return strings.Contains(strings.ToLower(words), strings.ToLower(query))
}
