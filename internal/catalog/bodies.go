package catalog

import (
	"slices"
	"strings"
)

// maxBodySteps bounds the walk through the schemas of request bodies of one version.
const maxBodySteps = 2_000_000

// bodies finds parameters of a request's body or query that look like the brand of a passthrough.
// Reach is judged from the path alone, so such an operation may act on brands that the token does not
// reach; the publisher and the page say so. This is the one place that follows references inside
// schemas, each at most once for each body.
func (v *builtVersion) bodies() {
	var brands []string
	for _, p := range v.api.passthrough {
		brands = append(brands, folded(p.brand))
	}
	if len(brands) == 0 {
		return
	}
	b := &bodyReader{refs: v.reader.refs, brands: brands, known: map[*node][]string{}, left: maxBodySteps}
	for _, o := range v.ops {
		names := slices.Clone(b.names(o.body))
		for _, q := range o.queries {
			if b.brandLike(q) {
				names = append(names, cleanLine(q, maxLabel))
			}
		}
		if names = sortedSet(names); len(names) > 0 {
			o.bodyNames = names
			v.trouble(o.place, "%s %s takes %s in its body or query, which reach cannot see", o.method, short(o.path), strings.Join(names, ", "))
		}
	}
	if b.left < 0 {
		v.trouble(v.fileVersion.place, "the request bodies of version %s are too large to look for brands in all of them", v.name)
	}
}

type bodyReader struct {
	refs
	brands []string
	known  map[*node][]string // by body
	left   int
}

// folded compares AdvertiserId, advertiser_id and advertiser-ids as one word.
func folded(s string) string {
	s = strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
	return strings.TrimSuffix(s, "s")
}

func (b *bodyReader) brandLike(name string) bool { return slices.Contains(b.brands, folded(name)) }

func (b *bodyReader) names(body located) []string {
	if body.node == nil {
		return nil
	}
	if names, ok := b.known[body.node]; ok {
		return names
	}
	var out []string
	seen := map[*node]bool{}
	body.get("content").each(func(_ string, _ int, media *node) {
		b.schema(body.in(media.get("schema")), seen, &out, 0)
	})
	b.known[body.node] = out
	return out
}

// schema walks properties and everything that schemas are made of.
func (b *bodyReader) schema(n located, seen map[*node]bool, out *[]string, depth int) {
	if n.node == nil || depth > maxDepth {
		return
	}
	n, _, err := b.follow(n)
	if b.left--; err != nil || b.left < 0 || seen[n.node] {
		return // a reference that leads nowhere is of no interest here
	}
	seen[n.node] = true
	n.get("properties").each(func(name string, _ int, p *node) {
		if b.brandLike(name) {
			*out = append(*out, cleanLine(name, maxLabel))
		}
		b.schema(n.in(p), seen, out, depth+1)
	})
	for _, key := range []string{"items", "additionalProperties"} {
		b.schema(n.in(n.get(key)), seen, out, depth+1)
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		for _, s := range n.get(key).list() {
			b.schema(n.in(s), seen, out, depth+1)
		}
	}
}
