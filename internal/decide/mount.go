package decide

// mount puts an API's trees where its base, its outside routes and its passthroughs are.
func (k *compiler) mount(a *api) {
	k.put(&mount{front: a, prefix: a.base, api: a, tree: a.inside, bindAt: a.bindAt})
	if hasOutside(a.API) {
		k.put(&mount{front: a, api: a, tree: a.outside, bindAt: -1})
	}
	var taken []template
	for i := range a.Passthrough {
		p := &a.Passthrough[i]
		where := "API " + a.Name + ", passthrough " + p.Prefix
		prefix := k.prefix(where, a, p)
		nested := k.table.byName[p.API]
		if prefix == nil || nested == nil {
			continue
		}
		for _, other := range taken {
			if prefix.startsLike(other) {
				k.fault(where, "a path can be under two passthroughs")
			}
		}
		taken = append(taken, prefix)
		k.put(&mount{
			front: a, prefix: prefix, api: nested, tree: nested.inside, bindAt: a.bindAt,
			through: &through{Passthrough: p, brandAt: len(prefix) - 1, text: len(nested.prefixes)},
		})
		nested.prefixes = append(nested.prefixes, p.Prefix)
	}
}

func hasOutside(spec *API) bool {
	for i := range spec.Versions {
		for j := range spec.Versions[i].Routes {
			if spec.Versions[i].Routes[j].Outside {
				return true
			}
		}
	}
	return false
}

// prefix reads a passthrough's prefix, which extends the base and ends in the brand.
func (k *compiler) prefix(where string, a *api, p *Passthrough) template {
	if p.API == a.Name || k.table.byName[p.API] == nil {
		k.fault(where, "nests API %q, which is not another API of the catalogue", p.API)
	}
	prefix, err := parseTemplate(p.Prefix)
	if err != nil {
		k.fault(where, "the prefix %v", err)
		return nil
	}
	if !prefix.extends(a.base) || len(prefix) == len(a.base) {
		k.fault(where, "the prefix does not extend the base %s", a.Base)
		return nil
	}
	if last := prefix[len(prefix)-1]; last.kind != parameter || last.name != p.Brand {
		k.fault(where, "the prefix does not end in the brand parameter {%s}", p.Brand)
		return nil
	}
	return prefix
}

// put files a mount under the first segment of its prefix.
func (k *compiler) put(m *mount) {
	for _, at := range m.prefix.parameters() {
		m.names |= 1 << at
	}
	group := &k.table.anywhere
	if len(m.prefix) > 0 && m.prefix[0].kind == literal {
		found := false
		if group, found = k.table.mounts.get(m.prefix[0].before); !found {
			group = new(mounts)
			k.table.mounts.put(m.prefix[0].before, group)
		}
	}
	if m.through == nil {
		group.own = append(group.own, m)
	} else {
		group.through = append(group.through, m)
	}
}
