package notice_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"counterfoil.dev/counterfoil/internal/notice"
	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/store"
)

// desk is an outbox with a clock of its own.
type desk struct {
	db   *store.DB
	path string
	key  *seal.Key
	mu   sync.Mutex
	time time.Time
	log  bytes.Buffer
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{path: filepath.Join(dir, "desk.db"), time: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	var err error
	if d.db, err = store.Open(t.Context(), "sqlite:"+d.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.db.Close(); err != nil {
			t.Error(err)
		}
	})
	if d.key, err = seal.LoadOrCreate(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.time
}

func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.time = d.time.Add(by)
}

// Write is the log's: attempts run side by side.
func (d *desk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func (d *desk) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

func (d *desk) mailer(t *testing.T, sender notice.Sender) *notice.Mailer {
	t.Helper()
	m, err := notice.New(notice.Config{
		DB: d.db, Key: d.key, Sender: sender, From: "desk@platform.example", Now: d.now,
		Log: slog.New(slog.NewJSONHandler(d, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const link = "https://desk.platform.example/invitation?key=QK3V7ZSECRETPARTOFTHELINK5X"

func invitation(to, name string) store.Message {
	return store.Message{Kind: store.MessageInvitation, To: to, Name: name, Values: map[string]string{
		"account": "Brightline Media", "inviter": "Ada Byron", "days": "7", "link": link,
	}}
}

func (d *desk) put(t *testing.T, messages ...store.Message) {
	t.Helper()
	if _, err := d.db.Act(t.Context(), func(tx *store.Tx) error {
		for _, m := range messages {
			if err := tx.Send(t.Context(), d.key.Seal, m, d.now()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) deliver(t *testing.T, m *notice.Mailer) {
	t.Helper()
	if err := m.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// row is a message of the outbox as it lies in the database.
type row struct {
	id, lastError string
	body          []byte
	next          time.Time
	tries         int64
	sent, failed  bool
}

func (d *desk) rows(t *testing.T) []row {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+d.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(t.Context(), `SELECT id, body, next_at, tries, sent_at IS NOT NULL, failed_at IS NOT NULL, last_error FROM outbox ORDER BY created_at, recipient`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var out []row
	for found.Next() {
		var r row
		var next int64
		if err := found.Scan(&r.id, &r.body, &next, &r.tries, &r.sent, &r.failed, &r.lastError); err != nil {
			t.Fatal(err)
		}
		r.next = time.UnixMicro(next).UTC()
		out = append(out, r)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func (d *desk) only(t *testing.T) row {
	t.Helper()
	rows := d.rows(t)
	if len(rows) != 1 {
		t.Fatalf("%d messages in the outbox, want one", len(rows))
	}
	return rows[0]
}

// postOffice is a real SMTP server on a port of its own, whose answers a test sets.
type postOffice struct {
	addr *net.TCPAddr
	pool *x509.CertPool

	mu       sync.Mutex
	arrived  []letter
	sessions int
	mailFrom func(from string) error
	rcpt     func(to string) error
	data     func(body []byte) error
	came     chan struct{} // one for each letter that was taken
	auth     func(user, password string) error
}

type letter struct {
	from string
	to   []string
	body []byte
	tls  bool
	user string
}

func newPostOffice(t *testing.T, mode notice.Security, settings ...func(*smtp.Server)) *postOffice {
	t.Helper()
	p := &postOffice{came: make(chan struct{}, 1000)}
	server := smtp.NewServer(p)
	server.Domain = "mail.test"
	server.ErrorLog = quiet{}
	cert, pool := certificate(t)
	p.pool = pool
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = listener.Addr().(*net.TCPAddr)
	switch mode {
	case notice.StartTLS:
		server.TLSConfig = config
	case notice.ImplicitTLS:
		listener = tls.NewListener(listener, config)
	case notice.PlainLoopback:
		server.AllowInsecureAuth = true
	}
	for _, set := range settings {
		set(server)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	return p
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (p *postOffice) sender(t *testing.T, mode notice.Security, change ...func(*notice.SMTPConfig)) *notice.SMTP {
	t.Helper()
	c := notice.SMTPConfig{Host: "127.0.0.1", Port: p.addr.Port, Security: mode, RootCAs: p.pool, Timeout: 20 * time.Second}
	for _, f := range change {
		f(&c)
	}
	s, err := notice.NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions++
	_, secure := c.TLSConnectionState()
	return &postSession{p: p, now: letter{tls: secure}}, nil
}

func (p *postOffice) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]letter(nil), p.arrived...)
}

func (p *postOffice) set(f func(*postOffice)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

type postSession struct {
	p   *postOffice
	now letter
}

func (s *postSession) Reset()        { s.now.from, s.now.to = "", nil }
func (s *postSession) Logout() error { return nil }

func (s *postSession) answer(pick func(*postOffice) error) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	return pick(s.p)
}

func (s *postSession) Mail(from string, _ *smtp.MailOptions) error {
	s.now.from = from
	return s.answer(func(p *postOffice) error {
		if p.auth != nil && s.now.user == "" {
			return smtp.ErrAuthRequired
		}
		if p.mailFrom == nil {
			return nil
		}
		return p.mailFrom(from)
	})
}

func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.now.to = append(s.now.to, to)
	return s.answer(func(p *postOffice) error {
		if p.rcpt == nil {
			return nil
		}
		return p.rcpt(to)
	})
}

func (s *postSession) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	judge := s.p.data
	s.p.mu.Unlock()
	if judge != nil {
		if err := judge(body); err != nil {
			return err
		}
	}
	s.now.body = body
	return s.answer(func(p *postOffice) error {
		p.arrived = append(p.arrived, s.now)
		p.came <- struct{}{}
		return nil
	})
}

func (s *postSession) AuthMechanisms() []string {
	if s.p.auth == nil {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *postSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if err := s.p.auth(user, password); err != nil {
			return err
		}
		s.now.user = user
		return nil
	}), nil
}

// certificate is a server's own, for 127.0.0.1, made for this test.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// opened is a mail as a reader's program takes it apart.
type opened struct {
	header mail.Header
	parts  map[string]string
}

func open(t *testing.T, raw []byte) opened {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, raw)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q: %v", msg.Header.Get("Content-Type"), err)
	}
	out := opened{header: msg.Header, parts: map[string]string{}}
	reader := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(part.Header.Get("Content-Type"), ";")
		out.parts[kind] = string(body)
	}
}

// senderFunc is a Sender that a test writes in place.
type senderFunc func(ctx context.Context, m notice.Mail) error

func (f senderFunc) Send(ctx context.Context, m notice.Mail) error { return f(ctx, m) }
