package catalog

import "strings"

// nest puts the operations of other APIs under the passthrough prefixes of a.
func (b *builder) nest(a *builtAPI) {
	for _, p := range a.passthrough {
		prefix, err := parseTemplate(p.prefix)
		inner := b.find(p.api)
		if err != nil || inner == nil || inner == a {
			continue // was fatal when the file was read
		}
		for _, v := range inner.versions {
			tree := v.nestUnder(a, p, prefix)
			for _, own := range a.versions {
				own.nests = append(own.nests, tree)
				own.ownWins(v, tree, prefix)
			}
		}
	}
}

func (b *builder) find(name string) *builtAPI {
	for _, a := range b.apis {
		if a.name == name {
			return a
		}
	}
	return nil
}

// nestUnder replaces the base of every operation by the prefix. Nothing nests at the prefix itself:
// that place is the outer API's own.
func (v *builtVersion) nestUnder(a *builtAPI, p filePassthrough, prefix template) *tree {
	tree := &tree{}
	count := 0
	for _, o := range v.ops {
		switch full := append(append(template{}, prefix...), o.rel...); {
		case o.outside:
		case len(o.rel) == 0:
			v.note(o.place, "%s %s does not nest under %s of API %s: nothing nests at the prefix itself", o.method, short(o.path), p.prefix, a.name)
		case len(full) > maxSegments:
			v.fatal(o.place, "%s %s under %s of API %s would have more than %d segments", o.method, short(o.path), p.prefix, a.name, maxSegments)
		default:
			count++
			o.nested = append(o.nested, NestedPath{a.name, full.String()})
			tree.plant(full, o)
		}
	}
	v.nested = max(v.nested, count)
	return tree
}

// ownWins tells the pairs of an own and a nested template that can match one path. The own one wins,
// so the nested one cannot be reached there.
func (v *builtVersion) ownWins(inner *builtVersion, nested *tree, prefix template) {
	left := maxPairs
	told := map[string]bool{}
	var walk func(t *tree, o *built, depth int)
	walk = func(t *tree, o *built, depth int) {
		if left--; left < 0 {
			return
		}
		if depth == len(o.full) {
			if len(t.here) > 0 && !told[o.full.shape()+" "+t.here[0].rel.shape()] {
				told[o.full.shape()+" "+t.here[0].rel.shape()] = true
				v.trouble(o.place, "%s wins over %s of %s %s, which is then not reached under %s",
					short(o.path), short(t.here[0].path), inner.api.name, inner.name, prefix)
			}
			return
		}
		s := o.full[depth]
		if depth == len(prefix)-1 && s.literal() && !decimal(s.before) {
			return // no brand has such an id
		}
		for _, k := range t.meets(s) {
			walk(k, o, depth+1)
		}
	}
	for _, o := range v.ops {
		if len(o.full) > len(prefix) {
			walk(nested, o, 0)
		}
	}
	if left < 0 {
		v.fatal(v.fileVersion.place, "the templates of version %s meet those of %s %s in too many ways to compare", v.name, inner.api.name, inner.name)
	}
}

// decimal reports a canonical decimal number, as account ids are written in paths.
func decimal(s string) bool {
	return s != "" && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}
