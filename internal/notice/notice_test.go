package notice_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/notice"
	"counterfoil.dev/counterfoil/internal/store"
)

func refuse(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: text}
}

func TestAMessageArrivesOnceOverEverySecurity(t *testing.T) {
	for name, mode := range map[string]notice.Security{"starttls": notice.StartTLS, "tls": notice.ImplicitTLS, "plain": notice.PlainLoopback} {
		t.Run(name, func(t *testing.T) {
			d, office := newDesk(t), newPostOffice(t, mode)
			m := d.mailer(t, office.sender(t, mode))
			d.put(t, invitation("grace@brand.example", "Grace Hopper"))
			d.deliver(t, m)
			d.pass(4 * 24 * time.Hour)
			d.deliver(t, m)

			letters := office.letters()
			if len(letters) != 1 {
				t.Fatalf("%d letters arrived, want one", len(letters))
			}
			got := letters[0]
			if got.from != "desk@platform.example" || !slices.Equal(got.to, []string{"grace@brand.example"}) || got.tls != (mode != notice.PlainLoopback) {
				t.Errorf("envelope: from %s to %v, TLS %v", got.from, got.to, got.tls)
			}
			read := open(t, got.body)
			for kind, text := range read.parts {
				for _, want := range []string{"Grace Hopper", "Ada Byron", "Brightline Media", link, "7 days"} {
					if !strings.Contains(text, want) {
						t.Errorf("the %s part lacks %q:\n%s", kind, want, text)
					}
				}
			}
			row := d.only(t)
			if !row.sent || row.failed || len(row.body) != 0 || row.tries != 1 {
				t.Errorf("the outbox says %+v", row)
			}
			if want := "<" + row.id + "@platform.example>"; read.header.Get("Message-Id") != want {
				t.Errorf("Message-ID %s, want %s", read.header.Get("Message-Id"), want)
			}
			if strings.Contains(d.logged(), "SECRETPART") || !strings.Contains(d.logged(), row.id) {
				t.Errorf("the log:\n%s", d.logged())
			}
		})
	}
}

func TestAPasswordMessageArrives(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	d.put(t, store.Message{Kind: store.MessagePassword, To: "g@brand.example", Values: map[string]string{"minutes": "30", "link": link}})
	d.deliver(t, d.mailer(t, office.sender(t, notice.StartTLS)))
	letters := office.letters()
	if len(letters) != 1 {
		t.Fatalf("%d letters", len(letters))
	}
	for kind, text := range open(t, letters[0].body).parts {
		if !strings.Contains(text, "30 minutes") || !strings.Contains(text, link) || !strings.Contains(text, "Hello,") {
			t.Errorf("the %s part:\n%s", kind, text)
		}
	}
}

// The attack: a man in the middle strips STARTTLS from the server's greeting, and the link, and the
// password of the mail account, travel in clear.
func TestNothingIsSentInClearWhenTheServerOffersNoTLS(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.PlainLoopback)
	asked := false
	office.set(func(p *postOffice) { p.auth = func(string, string) error { asked = true; return nil } })
	m := d.mailer(t, office.sender(t, notice.StartTLS, func(c *notice.SMTPConfig) { c.User, c.Password = "desk", notice.NewPassword("hunter2") }))
	d.put(t, invitation("grace@brand.example", "Grace"))
	d.deliver(t, m)
	if len(office.letters()) != 0 || asked {
		t.Error("something was sent in clear")
	}
	if row := d.only(t); row.sent || row.failed || !strings.Contains(row.lastError, "STARTTLS") {
		t.Errorf("the outbox says %+v", row)
	}
}

func TestACertificateThatNobodyVouchesForIsRefused(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	_, other := certificate(t)
	m := d.mailer(t, office.sender(t, notice.StartTLS, func(c *notice.SMTPConfig) { c.RootCAs = other }))
	d.put(t, invitation("grace@brand.example", "Grace"))
	d.deliver(t, m)
	if row := d.only(t); len(office.letters()) != 0 || row.sent || !strings.Contains(row.lastError, "certificate") {
		t.Errorf("the outbox says %+v", row)
	}
}

func TestSigningInAtTheServer(t *testing.T) {
	for name, mode := range map[string]notice.Security{"starttls": notice.StartTLS, "tls": notice.ImplicitTLS, "plain": notice.PlainLoopback} {
		t.Run(name, func(t *testing.T) {
			d, office := newDesk(t), newPostOffice(t, mode)
			office.set(func(p *postOffice) {
				p.auth = func(user, password string) error {
					if user != "desk" || password != "correct horse" {
						return errors.New("wrong")
					}
					return nil
				}
			})
			with := func(password string) func(*notice.SMTPConfig) {
				return func(c *notice.SMTPConfig) { c.User, c.Password = "desk", notice.NewPassword(password) }
			}
			d.put(t, invitation("grace@brand.example", "Grace"))
			d.deliver(t, d.mailer(t, office.sender(t, mode, with("battery staple"))))
			// 535 is a 5xx, but not the recipient's: the operator mends the password, and the message goes.
			if row := d.only(t); row.sent || row.failed || len(row.body) == 0 {
				t.Fatalf("after a refused sign-in the outbox says %+v", row)
			}
			d.pass(2 * time.Minute)
			d.deliver(t, d.mailer(t, office.sender(t, mode, with("correct horse"))))
			if letters := office.letters(); len(letters) != 1 || letters[0].user != "desk" {
				t.Fatalf("letters %v", letters)
			}
			if log := d.logged(); strings.Contains(log, "battery staple") || strings.Contains(log, "correct horse") {
				t.Errorf("a password is in the log:\n%s", log)
			}
		})
	}
}

func TestAWakeUpSendsAtOnce(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	m, err := notice.New(notice.Config{DB: d.db, Key: d.key, Sender: office.sender(t, notice.StartTLS), From: "desk@platform.example", Poll: time.Hour, Now: d.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	for i := range 3 {
		d.put(t, invitation(fmt.Sprintf("p%d@brand.example", i), "P"))
		m.Wake()
		select {
		case <-office.came:
		case <-time.After(20 * time.Second):
			t.Fatal("nothing came")
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// SECURITY.md, class 38d: names, addresses and values that carry line breaks, encoded words or a second
// recipient. The message parses to exactly the headers that we write, and to the one recipient.
func TestNobodyWritesAHeaderButUs(t *testing.T) {
	hostile := []string{
		"Eve\r\nBcc: victim@other.example", "Eve\nSubject: hello", "Eve\rX: y", "Eve\x00", "Eve\u2028Bcc: v@o.example",
		"=?utf-8?q?Eve=0D=0ABcc:_v@o.example?=", "=?utf-8?b?RXZlDQpCY2M6IHZAby5leGFtcGxl?=", `Eve" <victim@other.example>, "x`,
		"Eve <victim@other.example>", "Eve, victim@other.example", strings.Repeat("Ädä ", 400), strings.Repeat("x", 3000),
		"\u202eevE", "(comment)", `\`, "Eve;group:", "<svg onload=alert(1)>", "{{.link}}", "",
	}
	for i, name := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
			in := invitation("grace@brand.example", name)
			in.Values["account"], in.Values["inviter"] = "A"+name, "I"+name
			d.put(t, in)
			d.deliver(t, d.mailer(t, office.sender(t, notice.StartTLS)))
			letters := office.letters()
			if len(letters) != 1 || !slices.Equal(letters[0].to, []string{"grace@brand.example"}) {
				t.Fatalf("letters %v", letters)
			}
			read := open(t, letters[0].body)
			var names []string
			for h, values := range read.header {
				if len(values) != 1 {
					t.Errorf("%d headers %s", len(values), h)
				}
				names = append(names, h)
			}
			slices.Sort(names)
			if diff := cmp.Diff([]string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}, names); diff != "" {
				t.Error(diff)
			}
			to, err := read.header.AddressList("To")
			if err != nil || len(to) != 1 || to[0].Address != "grace@brand.example" {
				t.Fatalf("To %q: %v %v", read.header.Get("To"), to, err)
			}
			if strings.ContainsAny(to[0].Name, "\r\n\x00\u2028\u202e") || strings.Contains(to[0].Name, "=?") || len([]rune(to[0].Name)) > 100 {
				t.Errorf("the display name reads %q", to[0].Name)
			}
			if got := read.header.Get("Subject"); got != "Your invitation to Counterfoil" {
				t.Errorf("Subject %q", got)
			}
			if strings.Contains(read.parts["text/html"], "<svg") {
				t.Error("a name is markup in the HTML part")
			}
			for _, line := range bytes.Split(letters[0].body, []byte("\r\n")) {
				if len(line) > 998 {
					t.Errorf("a line of %d octets (RFC 5322, section 2.1.1: 998 at most)", len(line))
				}
			}
		})
	}
}

func TestWhatIsNotOnePlainAddressIsRefusedForGood(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	bad := []string{
		"", "grace", "@brand.example", "grace@", "grace@brand.example\r\nBcc: v@o.example", "grace@brand.example\nRCPT TO:<v@o.example>",
		"grace@brand.example, v@o.example", "Grace <grace@brand.example>", "<grace@brand.example>", "gr ace@brand.example",
		`"a b"@brand.example`, "grace@[127.0.0.1]", "grace@brand.example\x00", "grace@brand.example>", "a@b@\u202ebrand.example", "grace@brand..example",
		"grace@brand.example SIZE=1",
	}
	for _, to := range bad {
		d.put(t, invitation(to, "Grace"))
	}
	d.deliver(t, d.mailer(t, office.sender(t, notice.StartTLS)))
	if n := len(office.letters()); n != 0 || office.sessions != 0 {
		t.Errorf("%d letters in %d sessions went to: %v", n, office.sessions, office.letters())
	}
	for _, row := range d.rows(t) {
		if !row.failed || len(row.body) != 0 || strings.Contains(row.lastError, "SECRETPART") {
			t.Errorf("the outbox says %+v", row)
		}
	}
}

func TestAnInternationalDomainIsWrittenAsTheWireHasIt(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	d.put(t, invitation("grace@müller.example", "Grace Müller"))
	d.deliver(t, d.mailer(t, office.sender(t, notice.StartTLS)))
	letters := office.letters()
	if len(letters) != 1 || letters[0].to[0] != "grace@xn--mller-kva.example" {
		t.Fatalf("letters %v", letters)
	}
	if to, err := open(t, letters[0].body).header.AddressList("To"); err != nil || to[0].Name != "Grace Müller" {
		t.Errorf("To %v: %v", to, err)
	}
}

// SECURITY.md, class 43: a filter that quotes the link in its refusal must not put it into the log, where
// it would be as good as the e-mail itself.
func TestALinkThatTheServerQuotesIsInNoLogAndNoRow(t *testing.T) {
	for _, code := range []int{451, 554} {
		d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
		office.set(func(p *postOffice) {
			p.data = func([]byte) error {
				return refuse(code, "spam: "+link+" and QK3V7ZSECRETPARTOFTHELINK5X and HTTPS://DESK/x?key=QK3V7ZSECRETPARTOFTHELINK5X")
			}
		})
		d.put(t, invitation("grace@brand.example", "Grace"))
		d.deliver(t, d.mailer(t, office.sender(t, notice.StartTLS)))
		row := d.only(t)
		if row.lastError == "" || strings.Contains(row.lastError+d.logged(), "SECRETPART") {
			t.Errorf("%d: the outbox says %q, the log:\n%s", code, row.lastError, d.logged())
		}
	}
}

func TestAFolderKeepsWholeMailsThatOnlyTheOwnerReads(t *testing.T) {
	d := newDesk(t)
	dir := filepath.Join(t.TempDir(), "mail")
	folder, err := notice.NewFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	d.put(t, invitation("grace@brand.example", "Grace Hopper"))
	d.deliver(t, d.mailer(t, folder))
	row := d.only(t)
	path := filepath.Join(dir, row.id+".eml")
	raw, err := os.ReadFile(path)
	if err != nil || !row.sent {
		t.Fatalf("%v; the outbox says %+v", err, row)
	}
	if read := open(t, raw); !strings.Contains(read.parts["text/plain"], link) {
		t.Errorf("the file:\n%s", raw)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files beside it: %v", len(entries), err)
	}
}

func TestAFolderThatCannotBeWrittenLosesNothing(t *testing.T) {
	d := newDesk(t)
	dir := filepath.Join(t.TempDir(), "mail")
	folder, err := notice.NewFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	d.put(t, invitation("grace@brand.example", "Grace"))
	m := d.mailer(t, folder)
	d.deliver(t, m)
	if row := d.only(t); row.sent || row.failed {
		t.Fatalf("the outbox says %+v", row)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.pass(2 * time.Minute)
	d.deliver(t, m)
	if !d.only(t).sent {
		t.Error("it was not written once it could be")
	}
}

func TestMailsAndPasswordsPrintAsNothing(t *testing.T) {
	m := notice.Mail{ID: "ID1", To: mail.Address{Address: "a@b.example"}, Text: link, HTML: link}
	p := notice.NewPassword("hunter2")
	type holder struct{ M, P any }
	for _, s := range []string{
		fmt.Sprint(m), fmt.Sprintf("%+v %#v %q", m, m, m), fmt.Sprint(p), fmt.Sprintf("%+v %#v %s", p, p, p), fmt.Sprintf("%+v", holder{m, p}),
		fmt.Sprintf("%+v", notice.SMTPConfig{Password: p}),
	} {
		if strings.Contains(s, "SECRETPART") || strings.Contains(s, "hunter2") {
			t.Errorf("prints as %s", s)
		}
	}
	for _, v := range []any{m, p} {
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%T marshals as %s", v, b)
		}
	}
}

func TestAConfigurationThatIsHalfOrUnsafeIsRefused(t *testing.T) {
	pw := notice.NewPassword("x")
	for name, c := range map[string]notice.SMTPConfig{
		"no host":               {},
		"plain to elsewhere":    {Host: "mail.example.com", Security: notice.PlainLoopback},
		"plain to an address":   {Host: "192.0.2.1", Security: notice.PlainLoopback},
		"a user alone":          {Host: "mail.example.com", User: "desk"},
		"a password alone":      {Host: "mail.example.com", Password: pw},
		"an empty password":     {Host: "mail.example.com", User: "desk", Password: notice.NewPassword("")},
		"no such security":      {Host: "mail.example.com", Security: 9},
		"a port":                {Host: "mail.example.com", Port: 70000},
		"longer than the lease": {Host: "mail.example.com", Timeout: time.Hour},
	} {
		if _, err := notice.NewSMTP(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := notice.NewSMTP(notice.SMTPConfig{Host: "mail.example.com", User: "desk", Password: pw}); err != nil {
		t.Error(err)
	}
	d := newDesk(t)
	folder, err := notice.NewFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"", "desk", "a@b.example, c@d.example", "desk@b.example\r\nBcc: x@y.example"} {
		if _, err := notice.New(notice.Config{DB: d.db, Key: d.key, Sender: folder, From: from}); err == nil {
			t.Errorf("From %q was taken", from)
		}
	}
}
