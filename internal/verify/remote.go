package verify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/token"
)

// RemoteConfig says where the authority is.
type RemoteConfig struct {
	URL        string         // https://desk.example.com; http on loopback only, since digests travel
	Credential token.Secret   // of this node; required
	Roots      *x509.CertPool // that vouch for the authority; nil means the system's
}

// Remote is the [Source] of a verifier on another machine than the authority's: its feed over HTTP. It does
// not try again, which is [Verifier.Run]'s part, and it bounds every answer, in octets and in time
// (SECURITY.md, class 44b): an authority, or what stands in its place, must not be able to fill a verifier.
type Remote struct {
	base       string
	credential token.Secret
	prefix     token.Prefix
	client     *http.Client
}

// Limits of answers.
const (
	remoteDial     = 5 * time.Second
	remoteAnswer   = 30 * time.Second // for the head of an answer
	remoteShort    = 10 * time.Second // for a short answer in all
	remoteSilence  = 10 * time.Second // a feed that says nothing for so long is dead: it has a line every second
	remoteProblem  = 64 << 10         // octets of a refusal
	remoteGrant    = 1 << 20          // of one grant
	remoteLine     = 256 << 20        // of one line, which may hold the catalogue or the accounts
	remoteSnapshot = 16 << 30         // of a whole snapshot
	remoteBatch    = 500              // entries that are applied at once
	remoteHead     = 64 << 10         // octets of the fields of an answer
)

// NewRemote checks what it is given. It connects to nothing yet.
func NewRemote(c RemoteConfig) (*Remote, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Path != "" && base.Path != "/" || base.RawQuery != "" || base.User != nil || base.Fragment != "" {
		return nil, errors.New("verify: the authority's address is scheme://host or scheme://host:port and nothing more")
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !isLoopback(base.Hostname())) {
		return nil, errors.New("verify: the authority's address must begin with https; http is allowed on loopback only")
	}
	prefix, err := nodePrefix(c.Credential)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: remoteDial, KeepAlive: 15 * time.Second}
	return &Remote{
		base: base.Scheme + "://" + base.Host + "/api/v1/feed", credential: c.Credential, prefix: prefix,
		client: &http.Client{
			Transport: &http.Transport{
				DialContext: dialer.DialContext, TLSHandshakeTimeout: remoteDial, ResponseHeaderTimeout: remoteAnswer,
				TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots}, ForceAttemptHTTP2: true,
				MaxResponseHeaderBytes: remoteHead, DisableCompression: true, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 8,
			},
			// A redirect would carry the credential to whoever is named.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// nodePrefix is the operator's prefix as the credential itself shows it.
func nodePrefix(credential token.Secret) (token.Prefix, error) {
	word, _, _ := strings.Cut(credential.Reveal(), "_")
	const kind = "node"
	prefix, err := token.ParsePrefix(strings.TrimSuffix(word, kind))
	if err == nil && strings.HasSuffix(word, kind) {
		if parsed, fault := prefix.Parse(credential.Reveal()); fault == token.NoFault && parsed.Kind == token.Node {
			return prefix, nil
		}
	}
	return "", errors.New("verify: this is no node credential, or not the whole of one")
}

// Prefix is the operator's prefix, which the credential begins with.
func (r *Remote) Prefix() token.Prefix { return r.prefix }

// Close drops idle connections.
func (r *Remote) Close() { r.client.CloseIdleConnections() }

// ask sends one question. The caller closes the body of the answer, which is one of success.
func (r *Remote) ask(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, reader)
	if err != nil {
		return nil, fmt.Errorf("asking the authority: %w", err)
	}
	request.Header.Set("Authorization", bearer+r.credential.Reveal())
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the authority: %w", err)
	}
	if answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusNoContent {
		return answer, nil
	}
	return nil, errors.Join(refused(answer), answer.Body.Close())
}

// refused is what a refusal says: an [api.Error] if the authority itself wrote it, and otherwise, from a
// proxy in between, its status alone.
func refused(answer *http.Response) error {
	if answer.Header.Get("Content-Type") == "application/problem+json" {
		raw, err := io.ReadAll(io.LimitReader(answer.Body, remoteProblem))
		problem := new(api.Error)
		if err == nil && json.Unmarshal(raw, problem) == nil && problem.Status == answer.StatusCode {
			return fmt.Errorf("the authority answered: %w", problem)
		}
	}
	return fmt.Errorf("the authority, or what stands before it, answered %d", answer.StatusCode)
}

// Snapshot implements [Source].
func (r *Remote) Snapshot(ctx context.Context) (_ *api.Snapshot, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	answer, err := r.ask(ctx, http.MethodGet, "/snapshot", nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	in := newLineReader(answer.Body, stop)
	defer in.close()
	var s *api.Snapshot
	for {
		text, err := in.next()
		if err != nil {
			return nil, broke(ctx, "reading a snapshot", err)
		}
		var line api.SnapshotLine
		if err := json.Unmarshal(text, &line); err != nil {
			return nil, fmt.Errorf("reading a line of a snapshot: %w", err)
		}
		switch {
		case line.Head != nil && s == nil:
			s = line.Head
			s.Grants = nil
		case line.Grant != nil && s != nil:
			s.Grants = append(s.Grants, *line.Grant)
		case line.End != nil && s != nil && line.End.Grants == len(s.Grants):
			return s, nil
		default:
			return nil, errors.New("reading a snapshot: a line that does not belong there")
		}
		if in.octets > remoteSnapshot {
			return nil, errors.New("reading a snapshot: it does not end")
		}
	}
}

// Follow implements [Source].
func (r *Remote) Follow(ctx context.Context, after api.Seq, apply func([]api.Entry) error) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	answer, err := r.ask(ctx, http.MethodGet, "?after="+strconv.FormatInt(int64(after), 10), nil)
	var problem *api.Error
	if errors.As(err, &problem) && problem.Code == api.CodeConflict {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	in := newLineReader(answer.Body, stop)
	defer in.close()
	for {
		entries, err := in.entries(after)
		if err != nil {
			return broke(ctx, "reading the feed", err)
		}
		if err := apply(entries); err != nil {
			return err
		}
		if len(entries) > 0 {
			after = entries[len(entries)-1].Seq
		}
	}
}

// Grant implements [Source]. Only the authority's own word says that there is no such token: a proxy's page
// must not make one unknown.
func (r *Remote) Grant(ctx context.Context, sid string) (grant *api.Grant, err error) {
	ctx, stop := context.WithTimeout(ctx, remoteShort)
	defer stop()
	answer, err := r.ask(ctx, http.MethodGet, "/grants/"+url.PathEscape(sid), nil)
	var problem *api.Error
	if errors.As(err, &problem) && problem.Code == api.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, remoteGrant))
	if err != nil {
		return nil, fmt.Errorf("reading a grant: %w", err)
	}
	grant = new(api.Grant)
	if err := json.Unmarshal(raw, grant); err != nil {
		return nil, fmt.Errorf("reading a grant: %w", err)
	}
	return grant, nil
}

// Report implements [Source].
func (r *Remote) Report(ctx context.Context, batch *api.UsageBatch) error {
	return r.tell(ctx, "/usage", batch)
}

// Confirm implements [Source]. The authority knows the node by its credential.
func (r *Remote) Confirm(ctx context.Context, _ string, seq api.Seq) error {
	return r.tell(ctx, "/confirm", api.Confirmation{Seq: seq})
}

func (r *Remote) tell(ctx context.Context, path string, what any) error {
	ctx, stop := context.WithTimeout(ctx, remoteShort)
	defer stop()
	body, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("writing to the authority: %w", err)
	}
	answer, err := r.ask(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	if err := answer.Body.Close(); err != nil {
		return fmt.Errorf("writing to the authority: %w", err)
	}
	return nil
}
