package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client speaks to the management API of one installation: one method per operation. It is safe for use
// by many goroutines. What the API refuses is an [*Error]; anything else is a fault on the way.
type Client struct {
	base    string
	auth    *string // "Bearer ..."; a pointer, since fmt prints the fields of structs (SECURITY.md, class 43)
	http    *http.Client
	account int64
}

const (
	clientTimeout = time.Minute
	maxAnswer     = 64 << 20 // octets of an answer that is read whole (SECURITY.md, class 44b)
)

// NewClient makes a client of the installation at baseURL, for example https://desk.example.com. The token
// is an API-zero token; [Client.Whoami] and [Client.ExplainRequest] take any live one. A nil hc means one
// with a time limit of a minute. Redirects are never followed, and plain http is refused except to the own
// machine: either would hand the token to whoever listens.
func NewClient(baseURL, token string, hc *http.Client) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the address of Counterfoil is not of the form https://desk.example.com")
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !loopback(base.Hostname())) {
		return nil, fmt.Errorf("the address %s is not https: the token would be readable on the way", base.Redacted())
	}
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the token is empty or holds a character that no token has")
	}
	own := http.Client{Timeout: clientTimeout}
	if hc != nil {
		own = *hc
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	auth := "Bearer " + token
	return &Client{base: strings.TrimSuffix(base.String(), "/"), auth: &auth, http: &own}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// For returns a client that acts for an account, for the operator's tokens. 0 means the token's own.
func (c *Client) For(account int64) *Client {
	other := *c
	other.account = account
	return &other
}

// call is one request. Parts are path segments behind /api/v1.
type call struct {
	method string
	parts  []string
	query  url.Values
	body   any    // nil for none
	once   string // idempotency key
	owned  bool   // the resource belongs to an account, so the account acted for is named
}

func (c *Client) get(ctx context.Context, out any, owned bool, query url.Values, parts ...string) error {
	return c.do(ctx, call{method: http.MethodGet, parts: parts, query: query, owned: owned}, out)
}

// do sends a call and reads its answer into out, which may be nil.
func (c *Client) do(ctx context.Context, what call, out any) (err error) {
	answer, err := c.send(ctx, what)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	raw, err := readAnswer(answer.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", what, err)
	}
	return nil
}

func (w call) String() string { return w.method + " /api/v1/" + strings.Join(w.parts, "/") }

// send returns an answer with a status of success; its body is the caller's to close.
func (c *Client) send(ctx context.Context, what call) (*http.Response, error) {
	request, err := c.request(ctx, what)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("calling Counterfoil: %w", err)
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	refusal := refused(what, answer)
	return nil, errors.Join(refusal, answer.Body.Close())
}

func (c *Client) request(ctx context.Context, what call) (*http.Request, error) {
	target := c.base + "/api/v1"
	for _, part := range what.parts {
		target += "/" + url.PathEscape(part)
	}
	query := what.query
	if what.owned && c.account != 0 {
		if query == nil {
			query = url.Values{}
		}
		query.Set("account", strconv.FormatInt(c.account, 10))
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var body io.Reader
	if what.body != nil {
		raw, err := json.Marshal(what.body)
		if err != nil {
			return nil, fmt.Errorf("encoding the body of %s: %w", what, err)
		}
		body = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, what.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", what, err)
	}
	request.Header.Set("Authorization", *c.auth)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "counterfoil-client")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if what.once != "" {
		request.Header.Set("Idempotency-Key", what.once)
	}
	return request, nil
}

// refused reads a refusal. Only a problem document of ours becomes an [*Error]: the words of a proxy in
// between are not the desk's.
func refused(what call, answer *http.Response) error {
	if media, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err == nil && media == "application/problem+json" {
		raw, err := readAnswer(answer.Body)
		if err != nil {
			return err
		}
		refusal := new(Error)
		if err := json.Unmarshal(raw, refusal); err == nil && refusal.Code != "" {
			refusal.Status = answer.StatusCode
			return refusal
		}
	}
	return fmt.Errorf("%s was answered %s by something that is not Counterfoil's management API; check the address", what, answer.Status)
}

func readAnswer(body io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(raw) > maxAnswer {
		return nil, fmt.Errorf("the answer is longer than %d octets", maxAnswer)
	}
	return raw, nil
}

// filter collects query parameters and leaves out what is not set.
type filter struct{ url.Values }

func newFilter() filter { return filter{url.Values{}} }

func (f filter) text(name, value string) {
	if value != "" {
		f.Set(name, value)
	}
}

func (f filter) number(name string, value int) {
	if value != 0 {
		f.Set(name, strconv.Itoa(value))
	}
}

func (f filter) flag(name string, value bool) {
	if value {
		f.Set(name, "true")
	}
}

func (f filter) time(name string, value time.Time) {
	if !value.IsZero() {
		f.Set(name, value.UTC().Format(time.RFC3339Nano))
	}
}

func number(id int64) string { return strconv.FormatInt(id, 10) }
