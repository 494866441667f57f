package httpx

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
)

// Config says how a listener treats its requests.
type Config struct {
	Listener string       // name in the log: people, doors, gateway
	Log      *slog.Logger // required
	Proxies  Proxies      // peers that may say who the client is; nil means nobody
	MaxBody  int64        // octets of a request body; zero means 1 MiB, negative no limit
	// JudgesTargets says that the handler judges methods and targets itself and has answers of its own
	// for bad ones, as doors and the gateway do.
	JudgesTargets bool
}

// RequestIDHeader carries the id of the request in every answer. One that comes in is not looked at:
// whoever could choose it could make two requests one in the log.
const RequestIDHeader = "X-Request-Id"

const (
	maxTarget    = 8 << 10
	defaultBody  = 1 << 20
	maxLogged    = 512
	maxPlainPart = 32
)

// facts are what Wrap found out about a request.
type facts struct {
	id     string
	client netip.Addr
	known  netip.Addr
	log    *slog.Logger
}

type factsKey struct{}

func factsOf(ctx context.Context) facts {
	f, ok := ctx.Value(factsKey{}).(facts)
	if !ok {
		return facts{log: slog.Default()}
	}
	return f
}

// RequestID is the id of the request under way: 26 characters, 128 random bits; "" outside of [Wrap].
func RequestID(ctx context.Context) string { return factsOf(ctx).id }

// ClientAddr is who sent the request under way, by the rules of [Proxies.Client]; the zero Addr
// outside of [Wrap] and for a peer without an address.
func ClientAddr(ctx context.Context) netip.Addr { return factsOf(ctx).client }

// KnownClient is ClientAddr by the rules of [Proxies.KnownBehind], for whoever lets clients in by it.
func KnownClient(ctx context.Context) netip.Addr { return factsOf(ctx).known }

// Wrap goes around all handlers of a listener.
func Wrap(next http.Handler, c Config) http.Handler {
	limit := c.MaxBody
	if limit == 0 {
		limit = defaultBody
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		f := facts{id: newRequestID(), client: c.Proxies.Client(r), known: c.Proxies.KnownBehind(peer(r), r.Header), log: c.Log}
		r = r.WithContext(context.WithValue(r.Context(), factsKey{}, f))
		out := &recorder{ResponseWriter: w}
		out.Header().Set(RequestIDHeader, f.id)
		defer func() {
			c.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("listener", c.Listener), slog.String("request_id", f.id), slog.String("method", logged(r.Method)),
				slog.String("path", loggedPath(r)), slog.Int("status", out.status), slog.Int64("octets", out.octets),
				slog.Duration("took", time.Since(began)), slog.String("client", clientText(f.client)))
		}()
		defer refusePanic(out, r)
		if !c.JudgesTargets {
			if refusal := refuseTarget(r); refusal != nil {
				WriteError(out, r, refusal)
				return
			}
		}
		if limit > 0 && r.Body != nil {
			r.Body = http.MaxBytesReader(out, r.Body, limit)
		}
		next.ServeHTTP(out, r)
		if out.status == 0 {
			out.WriteHeader(http.StatusOK) // what net/http is about to do: the log should say it too
		}
	})
}

// refuseTarget refuses what no handler of ours takes: methods that make tunnels or echo credentials
// (OWASP ASVS 5.0, 13.4.4), and targets longer than 8 KiB (SECURITY.md, class 44b).
func refuseTarget(r *http.Request) error {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return &api.Error{
			Code: api.CodeUnsupported, Status: http.StatusMethodNotAllowed, Title: "Method not taken",
			Detail: "CONNECT and TRACE are never answered here.",
		}
	}
	if len(r.RequestURI) > maxTarget {
		return &api.Error{
			Code: api.CodeUnsupported, Status: http.StatusRequestURITooLong, Title: "Address too long",
			Detail: "A path with its query may be 8 KiB long.",
		}
	}
	return nil
}

// refusePanic is deferred: a panic is a refusal (SECURITY.md, class 45). When part of an answer is out
// already, the connection is cut, so that nobody takes the part for the whole.
func refusePanic(w *recorder, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause != http.ErrAbortHandler {
		log := factsOf(r.Context()).log
		log.ErrorContext(r.Context(), "panic", "request_id", RequestID(r.Context()), "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		if w.status == 0 {
			writeProblem(w, r, internal())
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// recorder knows what was answered. ResponseController finds the real writer through Unwrap.
type recorder struct {
	http.ResponseWriter
	status int
	octets int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.octets += int64(n)
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

var idDigits = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

func newRequestID() string {
	var raw [16]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
	return idDigits.EncodeToString(raw[:])
}

// loggedPath is the path without the query, which is never logged, and without long segments: those of
// one-time links are secrets (SECURITY.md, class 43). Our own ids have 22 characters.
func loggedPath(r *http.Request) string {
	segments := strings.Split(logged(r.URL.EscapedPath()), "/")
	for i, s := range segments {
		if len(s) > maxPlainPart && !isWords(s) {
			segments[i] = "…"
		}
	}
	return strings.Join(segments, "/")
}

// isWords says whether a segment is spelled like our own pages: lower-case words with hyphens.
func isWords(s string) bool {
	for i := range len(s) {
		if s[i] != '-' && (s[i] < 'a' || s[i] > 'z') {
			return false
		}
	}
	return true
}

func logged(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged]
	}
	return s
}

func clientText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}
