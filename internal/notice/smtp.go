package notice

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/wneessen/go-mail"
)

// Security is how a connection to the mail server is protected. The zero value is the strict way.
type Security uint8

// Ways to protect a connection.
const (
	StartTLS      Security = iota // STARTTLS, or nothing is sent; port 587
	ImplicitTLS                   // TLS from the first octet (RFC 8314); port 465
	PlainLoopback                 // none, and therefore only to a server on this machine; port 25
)

// Password prints as dots and refuses to be marshalled. The zero Password is none.
type Password struct{ text *string }

// NewPassword keeps a password.
func NewPassword(s string) Password { return Password{&s} }

// Format is dots for every verb.
func (p Password) Format(f fmt.State, _ rune) { fmt.Fprint(f, "••••••••") }

// LogValue is dots.
func (p Password) LogValue() slog.Value { return slog.StringValue("••••••••") }

// MarshalJSON refuses.
func (p Password) MarshalJSON() ([]byte, error) {
	return nil, errors.New("notice: a password cannot be marshalled")
}

// SMTPConfig says which server takes our mails.
type SMTPConfig struct {
	Host     string // required: name or address
	Port     int    // zero means the usual one of the security
	Security Security
	User     string // "" means no sign-in
	Password Password
	RootCAs  *x509.CertPool // nil means the system's
	Timeout  time.Duration  // of one mail, from dialling to the server's last word; zero means a minute, at most 4
}

// SMTP sends mails to one server (RFC 5321), a connection for each.
type SMTP struct {
	c    SMTPConfig
	opts []mail.Option
}

// NewSMTP checks a configuration. The server is not asked yet.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	usual := map[Security]int{StartTLS: 587, ImplicitTLS: 465, PlainLoopback: 25}
	switch {
	case c.Host == "":
		return nil, errors.New("mail server: a host is required")
	case c.Security > PlainLoopback:
		return nil, fmt.Errorf("mail server: no such security %d", c.Security)
	case c.Port < 0 || c.Port > 65535:
		return nil, fmt.Errorf("mail server: port %d, want 1 to 65535", c.Port)
	case (c.User == "") != (c.Password.text == nil || *c.Password.text == ""):
		return nil, errors.New("mail server: user and password go together; give both or none")
	case c.Security == PlainLoopback && !loopbackName(c.Host):
		return nil, errors.New("mail server: plain is allowed only to localhost, since links would travel in clear; use starttls or tls")
	case c.Timeout < 0 || c.Timeout > maxAttempt:
		return nil, fmt.Errorf("mail server: time-out %v, want at most %v", c.Timeout, maxAttempt)
	}
	if c.Port == 0 {
		c.Port = usual[c.Security]
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	s := &SMTP{c: c}
	config := &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs}
	s.opts = []mail.Option{
		mail.WithPort(c.Port), mail.WithTimeout(c.Timeout), mail.WithTLSConfig(config),
		mail.WithDialContextFunc(s.dial(config)), mail.WithoutNoop(),
	}
	switch c.Security {
	case ImplicitTLS:
		s.opts = append(s.opts, mail.WithSSL())
	case PlainLoopback:
		s.opts = append(s.opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		s.opts = append(s.opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.User != "" {
		ways := []mail.SMTPAuthType{mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin}
		if c.Security == PlainLoopback {
			ways = []mail.SMTPAuthType{mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlainNoEnc, mail.SMTPAuthLoginNoEnc}
		}
		s.opts = append(s.opts, mail.WithOpportunisticSMTPAuth(ways...), mail.WithUsername(c.User), mail.WithPassword(*c.Password.text))
	}
	if _, err := mail.NewClient(c.Host, s.opts...); err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	return s, nil
}

// dial connects so that the end of the context ends the connection, whatever the library is waiting
// for. Without TLS the address itself must be of this machine: a name can lead anywhere.
func (s *SMTP) dial(config *tls.Config) mail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		whole, ok := ctx.Value(attempt{}).(context.Context)
		if !ok {
			whole = ctx
		}
		raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(whole, func() { raw.Close() }) // it may be closed already, which is as good
		if s.c.Security == PlainLoopback {
			to, err := netip.ParseAddrPort(raw.RemoteAddr().String())
			if err != nil || !to.Addr().Unmap().IsLoopback() {
				return nil, errors.Join(errors.New("the mail server is not on this machine, and the connection is plain"), raw.Close())
			}
		}
		if s.c.Security != ImplicitTLS {
			return raw, nil
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		return conn, nil
	}
}

// attempt is the key under which the context of a whole attempt travels to the dialler, which the
// library gives one of its own that ends with the dialling.
type attempt struct{}

// Send delivers one mail, or says why not. [ErrRefused] is for good.
func (s *SMTP) Send(ctx context.Context, m Mail) error {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	client, err := mail.NewClient(s.c.Host, s.opts...)
	if err != nil {
		return fmt.Errorf("preparing to send a mail: %w", err)
	}
	msg := m.message()
	err = client.DialAndSendWithContext(context.WithValue(ctx, attempt{}, ctx), msg)
	if err == nil || msg.IsDelivered() { // a server that hangs up after its 250 has the mail all the same
		return nil
	}
	var sent *mail.SendError
	if errors.As(err, &sent) && sent.ErrorCode() >= 500 {
		switch sent.Reason {
		case mail.ErrSMTPRcptTo, mail.ErrSMTPData, mail.ErrSMTPDataClose:
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("sending a mail: %w: %w", ctx.Err(), err)
	}
	return fmt.Errorf("sending a mail: %w", err)
}

func loopbackName(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
