package decide

// Field is one field of a request, with all its values. Requests carry a list and no map, since walking a
// map of eight fields takes as long as all the rest of [Table.Match].
type Field struct {
	Name   string
	Values []string
}

// AppendFields appends to list the fields of a header that [Table.Match] may want to see: those whose names
// are as long as one that is watched.
func (t *Table) AppendFields(list []Field, header map[string][]string) []Field {
	for name, values := range header {
		if t.fields.lengths>>(len(name)&63)&1 == 1 {
			list = append(list, Field{name, values})
		}
	}
	return list
}

// note is one place where a request names something that is watched.
type note struct {
	name  uint8 // index in the list of watched names
	odd   bool  // an alias spelling, or several values at once
	value string
}

// notes are the places found in one request. A request that has more of them than fit is refused.
type notes struct {
	list [8]note
	n    int
	full bool
}

func (n *notes) reset() { n.n, n.full = 0, false }

func (n *notes) add(name int, odd bool, value string) {
	if n.n == len(n.list) {
		n.full = true
		return
	}
	n.list[n.n] = note{uint8(name), odd, value}
	n.n++
}

// has reports whether the name with that index was seen.
func (n *notes) has(name int) bool {
	for i := range n.n {
		if int(n.list[i].name) == name {
			return true
		}
	}
	return false
}

// fields are the names of the request fields that may change how a request is read.
type fields struct {
	names   []string
	lengths uint64 // bit n: some name has n bytes
}

// methodFields are the fields by which servers let a client replace the method. Every request that has one
// is refused unless the API declares it (SECURITY.md, class 8): a door cannot strip it.
var methodFields = [...]string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"}

const maxWatched = 200

// watch returns the index of name, adding it if need be.
func (f *fields) watch(name string) int {
	for i, known := range f.names {
		if equalFold(known, name) {
			return i
		}
	}
	f.names = append(f.names, name)
	f.lengths |= 1 << (len(name) & 63)
	return len(f.names) - 1
}

// scan notes which watched fields are in list. CGI, nginx and others read X_Method and X.Method as
// X-Method, so such an alias beside or instead of the field is noted as odd (SECURITY.md, class 13).
func (f *fields) scan(list []Field, notes *notes) {
	for i := range list {
		key, values := list[i].Name, list[i].Values
		if f.lengths>>(len(key)&63)&1 == 0 {
			continue
		}
		for k, name := range f.names {
			if len(name) != len(key) || !sameField(key, name) {
				continue
			}
			value := ""
			if len(values) > 0 {
				value = values[0]
			}
			notes.add(k, len(values) != 1 || !equalFold(key, name), value)
		}
	}
}

// sameField compares field names as the most careless server does.
func sameField(a, b string) bool {
	for i := range len(a) {
		if foldedField(a[i]) != foldedField(b[i]) {
			return false
		}
	}
	return true
}

func foldedField(c byte) byte {
	if c == '_' || c == '.' {
		return '-'
	}
	return lower(c)
}
