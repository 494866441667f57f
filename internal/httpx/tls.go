package httpx

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is a certificate with its key in two files. Whoever renews it replaces the files, and the
// next connection gets the new one. While the files do not belong together, or cannot be read, the former
// certificate stays in use: half of a renewal must not take the listener down.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	tried   [2]stamp // of the files when they were last read, whether that went well or not
}

// stamp tells a file that was replaced. Links are followed, since what renews certificates often moves one.
type stamp struct {
	changed time.Time
	size    int64
}

// LoadCertificate reads the files, which must be there and belong together.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	tried, err := c.stamps()
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	c.tried = tried
	read, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	c.current = &read
	return c, nil
}

// Config is how a listener presents the certificate: TLS 1.2 and later, HTTP/2 and HTTP/1.1.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}

// get looks at the files at every handshake: that costs two system calls, and a handshake a hundred times as
// much.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, err := c.stamps()
	if now == c.tried {
		return c.current, nil
	}
	c.tried = now // so that each fault is told once
	if err == nil {
		var read tls.Certificate
		if read, err = tls.LoadX509KeyPair(c.certFile, c.keyFile); err == nil {
			c.current = &read
			c.log.Info("a new certificate is in use", "file", c.certFile)
			return c.current, nil
		}
	}
	c.log.Warn("the certificate cannot be read; the former one stays in use", "file", c.certFile, "err", err)
	return c.current, nil
}

// stamps are zero for files that are not there.
func (c *Certificate) stamps() (stamps [2]stamp, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, statErr := os.Stat(name)
		if statErr != nil {
			return [2]stamp{}, statErr
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}
