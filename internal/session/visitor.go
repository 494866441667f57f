package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/internal/httpx"
)

// Visitor is whoever sends a request, before it is known who that is.
type Visitor struct {
	Address   string // as httpx believes it
	Agent     string // User-Agent, at most 200 octets
	RequestID string
	network   string // what limits count by: the address, or the /64 of an IPv6 address
	ticket    Ticket // the cookies that came along
}

// Ticket is what a browser is given to keep: the session, and a mark by which a device on which
// somebody signed in before is known again. It prints as dots and holds pointers.
type Ticket struct{ session, device *string }

const dots = "••••••••"

// String is dots.
func (t Ticket) String() string { return dots }

// GoString is dots.
func (t Ticket) GoString() string { return dots }

// Format is dots for every verb.
func (t Ticket) Format(f fmt.State, _ rune) { fmt.Fprint(f, dots) }

// LogValue is dots.
func (t Ticket) LogValue() slog.Value { return slog.StringValue(dots) }

// MarshalJSON refuses.
func (t Ticket) MarshalJSON() ([]byte, error) {
	return nil, errors.New("session: a ticket cannot be marshalled")
}

// Cookie names; with https each has the prefix __Host-, so that no sibling host can set one.
const (
	cookieSession = "counterfoil"
	cookieForm    = "counterfoil-form"
	cookieDevice  = "counterfoil-device"

	deviceLife = 365 * 24 * time.Hour
	maxAgent   = 200
	maxCookie  = 1024
)

func (p *People) cookieName(name string) string {
	if p.secure {
		return "__Host-" + name
	}
	return name
}

// cookie reads one cookie of ours. Two of one name mean that somebody else set one: none is believed.
func (p *People) cookie(r *http.Request, name string) *string {
	found := r.CookiesNamed(p.cookieName(name))
	if len(found) != 1 || found[0].Value == "" || len(found[0].Value) > maxCookie {
		return nil
	}
	return &found[0].Value
}

// setCookie sets a cookie for this host, all paths, out of reach of scripts and of other sites' forms
// (OWASP ASVS 5.0, 3.3.1 to 3.3.4). Without a life it goes with the browser; a negative one drops it.
func (p *People) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	age := int(life / time.Second)
	if life < 0 {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: p.cookieName(name), Value: value, Path: "/", MaxAge: age,
		Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// Visitor reads where a request comes from.
func (p *People) Visitor(r *http.Request) Visitor {
	addr := httpx.ClientAddr(r.Context())
	v := Visitor{
		RequestID: httpx.RequestID(r.Context()), network: network(addr),
		ticket: Ticket{session: p.cookie(r, cookieSession), device: p.cookie(r, cookieDevice)},
	}
	if addr.IsValid() {
		v.Address = addr.String()
	}
	v.Agent = r.UserAgent()
	if len(v.Agent) > maxAgent {
		v.Agent = v.Agent[:maxAgent]
	}
	v.Agent = strings.ToValidUTF8(v.Agent, "")
	return v
}

// network is what one party can be taken to hold: an IPv4 address, or a /64, since who has one IPv6
// address has 2^64 of them.
func network(addr netip.Addr) string {
	if !addr.IsValid() {
		return "none"
	}
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}

// SetCookies hands a ticket to the browser. The session's cookie goes with the browser, and its life is
// kept on the server.
func (p *People) SetCookies(w http.ResponseWriter, t Ticket) {
	if t.session != nil {
		p.setCookie(w, cookieSession, *t.session, 0)
	}
	if t.device != nil {
		p.setCookie(w, cookieDevice, *t.device, deviceLife)
	}
}

// DropCookies takes the session's cookie from the browser; the device stays known.
func (p *People) DropCookies(w http.ResponseWriter) { p.setCookie(w, cookieSession, "", -1) }

// devicePurpose binds a sealed cookie to its use.
const devicePurpose = "session device"

// newDevice marks this device as one on which the owner of an address signed in. Outsiders who guess
// that address's password use up the attempts of strangers, not those of this device, so they cannot
// lock the owner out (class 41b).
func (p *People) newDevice(emailKey string) *string {
	sealed := base64.RawURLEncoding.EncodeToString(p.key.Seal(devicePurpose, []byte(emailKey+"\x00"+rand.Text())))
	return &sealed
}

// knownDevice gives the id of a device on which the owner of an address signed in, or "".
func (p *People) knownDevice(t Ticket, emailKey string) string {
	if t.device == nil {
		return ""
	}
	sealed, err := base64.RawURLEncoding.DecodeString(*t.device)
	if err != nil {
		return ""
	}
	plain, err := p.key.Open(devicePurpose, sealed)
	if err != nil {
		return ""
	}
	owner, id, found := strings.Cut(string(plain), "\x00")
	if !found || owner != emailKey {
		return ""
	}
	return id
}

// FormToken is the token that a form of somebody who is not signed in must carry, and sets the cookie
// that it belongs to. Signing in is an act too: without this another site could sign a browser in as
// somebody else (class 37).
func (p *People) FormToken(w http.ResponseWriter, r *http.Request) string {
	value := p.cookie(r, cookieForm)
	if value == nil {
		fresh := randomText()
		value = &fresh
		p.setCookie(w, cookieForm, fresh, 0)
	}
	return formToken(*value)
}

// FormOK says whether a form of somebody who is not signed in carries its token.
func (p *People) FormOK(r *http.Request, sent string) bool {
	value := p.cookie(r, cookieForm)
	return value != nil && subtle.ConstantTimeCompare([]byte(sent), []byte(formToken(*value))) == 1
}

func formToken(cookie string) string {
	sum := sha256.Sum256([]byte("counterfoil form\x00" + cookie))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// randomText is 256 random bits.
func randomText() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
