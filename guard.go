package counterfoil

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
)

// Secret is a credential. It prints as dots and refuses to be marshalled.
type Secret = token.Secret

// NewSecret takes a credential from where the program keeps it: a file, or the environment. White space
// around it, such as the line end of a file, does not count.
func NewSecret(credential string) Secret { return token.Hold(strings.TrimSpace(credential)) }

// Config says where the authority is and how to judge.
type Config struct {
	Authority      string           // address of the desk: https://desk.example.com; http on loopback only; required
	NodeCredential Secret           // of this process, which the operator listed under nodes; required
	Proxies        []netip.Prefix   // proxies in front of this program that may say who the client is; nil: none
	Console        string           // base of the links in refusals; "" means Authority
	Realm          string           // of the challenge (RFC 9110, section 11.5); "" means counterfoil
	MaxStale       time.Duration    // how long to answer without news; zero means 15 minutes
	Strict         time.Duration    // the same on strict routes; zero means 5 seconds
	Roots          *x509.CertPool   // that vouch for the authority; nil means the system's
	Now            func() time.Time // nil means time.Now; must carry a monotonic reading, as time.Now does
	Log            *slog.Logger     // nil discards
}

// Guard judges requests in this process. It is safe for use by many goroutines.
type Guard struct {
	verifier *verify.Verifier
	source   *verify.Remote
	proxies  []netip.Prefix
	stop     context.CancelFunc
	ended    chan struct{}
	err      error // of the verifier; read after ended is closed
}

// Open connects to the authority and returns once every token, account and catalogue that it knows is in
// force here. It tries until ctx ends, which then is the error; ctx has no part in what follows. Close the
// guard when the program ends.
func Open(ctx context.Context, c Config) (*Guard, error) {
	for _, p := range c.Proxies {
		if !p.IsValid() || p.Bits() == 0 {
			return nil, errors.New("counterfoil: a list of proxies that trusts everybody lets every client choose its address")
		}
	}
	source, err := verify.NewRemote(verify.RemoteConfig{URL: c.Authority, Credential: c.NodeCredential, Roots: c.Roots})
	if err != nil {
		return nil, fmt.Errorf("opening a guard: %w", err)
	}
	if c.Console == "" {
		c.Console = c.Authority
	}
	v, err := verify.New(verify.Config{
		Source: source, Node: "guard", Prefix: source.Prefix(), Console: c.Console, Realm: c.Realm,
		MaxStale: c.MaxStale, Strict: c.Strict, Now: c.Now, Log: c.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("opening a guard: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	g := &Guard{verifier: v, source: source, proxies: c.Proxies, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(g.ended)
		g.err = v.Run(running)
	}()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !g.Ready() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("opening a guard: the authority was not heard: %w", ctx.Err()), g.Close())
		}
	}
	return g, nil
}

// Ready says whether requests are judged: the authority was heard lately. A guard that is not ready refuses
// everything that is not public, with status 503.
func (g *Guard) Ready() bool { return g.verifier.Ready() }

// Middleware judges every request before next, which sees only those that passed, with the caller in the
// context ([CallerFrom]) and in X-Counterfoil headers. What does not pass is answered with a problem document
// (RFC 9457). It must be the outermost handler that looks at the request: what is judged is the request
// target as the client sent it, and whoever changes it afterwards answers for what it becomes.
func (g *Guard) Middleware(next http.Handler) http.Handler {
	return doors.Middleware(g.verifier, g.proxies, next)
}

// Close reports the last uses and ends the guard, which then refuses when its knowledge is too old.
func (g *Guard) Close() error {
	g.stop()
	<-g.ended
	g.source.Close()
	return g.err
}

// Caller is who sent a request that passed, and by what right.
type Caller struct {
	Account   int64  // 0 on a public route without a credential
	SID       string // of the token; "" likewise
	API       string
	Version   string
	Scope     string // the names that opened the operation, parted by spaces
	Brand     int64  // the managed account that is acted on; 0 for none
	RequestID string
}

// CallerFrom is the caller whom [Guard.Middleware] let pass. It is false outside of it.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c, ok := doors.CallerFrom(ctx)
	return Caller(c), ok
}
