package doors_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"counterfoil.dev/counterfoil/api"
	"counterfoil.dev/counterfoil/internal/decide"
	"counterfoil.dev/counterfoil/internal/doors"
	"counterfoil.dev/counterfoil/internal/token"
	"counterfoil.dev/counterfoil/internal/verify"
	"counterfoil.dev/counterfoil/internal/verify/verifytest"
)

func small(b *testing.B) (http.Handler, verifytest.Token) {
	a := verifytest.NewAuthority()
	a.Account(api.AccountFacts{Account: 7})
	a.Publish(decide.Catalogue{APIs: []decide.API{{
		Name: "agency", Title: "Agency API", Base: "/Agencies/{AccountSID}", Bind: decide.BindSID, Hosts: []string{"api.example.com"},
		Versions: []decide.Version{{
			Name: "3", State: "current", Scopes: []decide.ScopeWords{{Name: "jobs.list", Category: "Jobs", Label: "List"}},
			Routes: []decide.Route{{Method: "GET", Template: "/Jobs", Needs: [][]string{{"jobs.list"}}}},
		}},
	}}})
	tok := verifytest.Mint(b, token.Access, 7, api.Pin{API: "agency", Version: "3", Scopes: []string{"jobs.list"}})
	a.Put(tok.Grant)
	handler, err := doors.New(doors.Config{Verifier: a.Start(b, verify.Config{})})
	if err != nil {
		b.Fatal(err)
	}
	return handler, tok
}

// BenchmarkAuthorize is a whole question at the door, without sockets.
func BenchmarkAuthorize(b *testing.B) {
	handler, tok := small(b)
	r := question(doors.AuthorizePath, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/Agencies/"+tok.SID+"/Jobs", "X-Forwarded-Host", "api.example.com",
		"Authorization", "Bearer "+tok.AuthToken, "User-Agent", "curl/8.5", "Accept", "*/*")
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		w.status = 200
		handler.ServeHTTP(w, r)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkOverHTTP asks the door and an empty handler the same question over one connection. The
// processor time of both ends is reported; the difference is what the door adds.
func BenchmarkOverHTTP(b *testing.B) {
	door, tok := small(b)
	empty := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	raw := "GET " + doors.AuthorizePath + " HTTP/1.1\r\nHost: verifier.internal\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /Agencies/" + tok.SID +
		"/Jobs\r\nX-Forwarded-Host: api.example.com\r\nX-Forwarded-For: 192.0.2.7\r\nAuthorization: Bearer " + tok.AuthToken + "\r\nUser-Agent: curl/8.5\r\n\r\n"
	for name, handler := range map[string]http.Handler{"empty": empty, "authorize": door} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(handler)
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			began := processTime(b)
			for b.Loop() {
				if _, err := io.WriteString(conn, raw); err != nil {
					b.Fatal(err)
				}
				status, err := in.ReadSlice('\n')
				if err != nil || !strings.HasPrefix(string(status), "HTTP/1.1 20") {
					b.Fatalf("%s %v", status, err)
				}
				for len(status) > 2 {
					if status, err = in.ReadSlice('\n'); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(processTime(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

func processTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
