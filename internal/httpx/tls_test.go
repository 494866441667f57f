package httpx

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair is a self-signed certificate for 127.0.0.1 with its key, as PEM.
func pair(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})
}

func replace(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name+".next", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".next", name); err != nil {
		t.Fatal(err)
	}
}

// TestARenewedCertificateIsSeenWithoutARestart, and half of a renewal changes nothing.
func TestARenewedCertificateIsSeenWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert, key := pair(t, 1)
	replace(t, certFile, cert)
	replace(t, keyFile, key)
	j := &journal{}
	certificate, err := LoadCertificate(certFile, keyFile, j.logger())
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }), Limits{}, j.logger())
	server.TLSConfig = certificate.Config()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, server, listener, time.Second) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	// serial asks over a new connection, by HTTP/2 or HTTP/1.1.
	serial := func(h2 bool) int64 {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport}).Get("https://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		proto, err := io.ReadAll(answer.Body)
		if want := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[h2]; err != nil || string(proto) != want {
			t.Errorf("by %q, want %s: %v", proto, want, err)
		}
		return answer.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	check := func(what string, want int64) {
		t.Helper()
		for _, h2 := range []bool{true, false} {
			if got := serial(h2); got != want {
				t.Errorf("%s: certificate %d, want %d", what, got, want)
			}
		}
	}
	check("at first", 1)
	cert, key = pair(t, 2)
	replace(t, certFile, cert)
	check("half of a renewal", 1)
	replace(t, keyFile, key)
	check("a renewal", 2)
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	check("no file", 2)
	replace(t, certFile, []byte("nonsense"))
	check("nonsense", 2)
	cert, key = pair(t, 3)
	replace(t, keyFile, key)
	replace(t, certFile, cert)
	check("put right", 3)
	conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

func TestACertificateThatCannotBeReadIsNoStart(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for _, what := range []string{"no file", "no certificate", "another's key"} {
		switch what {
		case "no certificate":
			replace(t, certFile, []byte("x"))
			replace(t, keyFile, []byte("x"))
		case "another's key":
			cert, _ := pair(t, 1)
			_, key := pair(t, 2)
			replace(t, certFile, cert)
			replace(t, keyFile, key)
		}
		if _, err := LoadCertificate(certFile, keyFile, (&journal{}).logger()); err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
