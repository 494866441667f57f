package decide

// method is one of the methods that are judged at all. The zero value is none.
type method uint8

// TRACE and CONNECT are no methods of an API: the first hands a credential back to whoever may read the
// answer, the second makes a tunnel (SECURITY.md, class 19).
const (
	_ method = iota
	methodGet
	methodHead
	methodPost
	methodPut
	methodPatch
	methodDelete
	methodOptions
	methodCount
)

var methodNames = [methodCount]string{
	methodGet: "GET", methodHead: "HEAD", methodPost: "POST", methodPut: "PUT",
	methodPatch: "PATCH", methodDelete: "DELETE", methodOptions: "OPTIONS",
}

func (m method) String() string { return methodNames[m] }

// parseMethod knows a fixed set. Methods are case-sensitive (RFC 9110, section 9.1): "get" is none of
// them, although some backends fold it, and neither is a whole request line in :method (class 20).
func parseMethod(s string) (method, bool) {
	switch s {
	case "GET":
		return methodGet, true
	case "HEAD":
		return methodHead, true
	case "POST":
		return methodPost, true
	case "PUT":
		return methodPut, true
	case "PATCH":
		return methodPatch, true
	case "DELETE":
		return methodDelete, true
	case "OPTIONS":
		return methodOptions, true
	}
	return 0, false
}

// KnownMethod reports whether a route may have this method.
func KnownMethod(s string) bool {
	_, known := parseMethod(s)
	return known
}

// methodSet is a set of methods, for the Allow field of a 405 (RFC 9110, section 10.2.1).
type methodSet uint8

func (s methodSet) with(m method) methodSet { return s | 1<<m }

func (s methodSet) has(m method) bool { return s>>m&1 == 1 }

func (s methodSet) String() string {
	var out []byte
	for m := methodGet; m < methodCount; m++ {
		if s.has(m) {
			if len(out) > 0 {
				out = append(out, ", "...)
			}
			out = append(out, methodNames[m]...)
		}
	}
	return string(out)
}
