package notice_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"counterfoil.dev/counterfoil/internal/notice"
	"counterfoil.dev/counterfoil/internal/seal"
	"counterfoil.dev/counterfoil/internal/store"
)

func TestRefusedForGoodIsNeverTriedAgain(t *testing.T) {
	for name, set := range map[string]func(*postOffice){
		"recipient": func(p *postOffice) { p.rcpt = func(string) error { return refuse(550, "no such user") } },
		"message":   func(p *postOffice) { p.data = func([]byte) error { return refuse(554, "we do not want this") } },
	} {
		t.Run(name, func(t *testing.T) {
			d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
			office.set(set)
			m := d.mailer(t, office.sender(t, notice.StartTLS))
			d.put(t, invitation("nobody@brand.example", "Nobody"))
			d.deliver(t, m)
			row := d.only(t)
			if row.sent || !row.failed || len(row.body) != 0 || !strings.Contains(row.lastError, "55") {
				t.Fatalf("the outbox says %+v", row)
			}
			office.set(func(p *postOffice) { p.rcpt, p.data = nil, nil })
			for range 80 {
				d.pass(time.Hour)
				d.deliver(t, m)
			}
			if n := len(office.letters()); n != 0 {
				t.Errorf("%d letters were sent after a failure for good", n)
			}
		})
	}
}

func TestATemporaryFailureIsTriedWithGrowingPausesForThreeDays(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	office.set(func(p *postOffice) { p.rcpt = func(string) error { return refuse(450, "greylisted") } })
	m := d.mailer(t, office.sender(t, notice.StartTLS))
	start := d.now()
	d.put(t, invitation("grace@brand.example", "Grace"))

	var pauses []time.Duration
	for {
		d.deliver(t, m)
		row := d.only(t)
		if row.sent {
			t.Fatal("sent, although the server refused")
		}
		if row.failed {
			if len(row.body) != 0 || !strings.HasPrefix(row.lastError, "given up: ") {
				t.Errorf("the outbox says %+v", row)
			}
			break
		}
		if len(row.body) == 0 {
			t.Fatal("the message is gone, although it may still be sent")
		}
		pause := row.next.Sub(d.now())
		if pause <= 0 || pause > 150*time.Minute {
			t.Fatalf("pause %v", pause)
		}
		pauses = append(pauses, pause)
		d.pass(pause - time.Microsecond)
		d.deliver(t, m)
		if d.only(t).tries != int64(len(pauses)) {
			t.Fatal("tried before its time")
		}
		d.pass(time.Microsecond)
	}
	if lasted := d.now().Sub(start); lasted != 72*time.Hour {
		t.Errorf("given up after %v, want 72h", lasted)
	}
	if len(pauses) < 20 || pauses[0] > 2*time.Minute || pauses[4] < 8*time.Minute || pauses[12] < time.Hour {
		t.Errorf("pauses %v", pauses)
	}
}

func TestTwoMessagesDoNotComeBackTogether(t *testing.T) {
	d := newDesk(t)
	m := d.mailer(t, senderFunc(func(context.Context, notice.Mail) error { return errors.New("no") }))
	for i := range 20 {
		d.put(t, invitation(fmt.Sprintf("p%d@brand.example", i), ""))
	}
	d.deliver(t, m)
	times := map[time.Time]bool{}
	for _, row := range d.rows(t) {
		times[row.next] = true
	}
	if len(times) < 15 {
		t.Errorf("20 messages that failed at once come back at %d times", len(times))
	}
}

func TestALinkThatHasEndedIsNotSent(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	m := d.mailer(t, office.sender(t, notice.StartTLS))
	d.put(t, store.Message{Kind: store.MessagePassword, To: "g@brand.example", Values: map[string]string{"minutes": "30", "link": link}})
	d.put(t, invitation("grace@brand.example", "Grace"))
	d.pass(4 * 24 * time.Hour) // the program was off; the invitation is still good, and is tried once at least
	d.deliver(t, m)
	letters := office.letters()
	if len(letters) != 1 || letters[0].to[0] != "grace@brand.example" {
		t.Fatalf("letters %v", letters)
	}
	for _, row := range d.rows(t) {
		if row.sent == row.failed || len(row.body) != 0 {
			t.Errorf("the outbox says %+v", row)
		}
	}
}

// A server that takes the connection and then says nothing must not hold a message, or the program.
func TestAServerThatStallsLosesNothing(t *testing.T) {
	for _, stage := range []string{"greeting", "data"} {
		t.Run(stage, func(t *testing.T) {
			d := newDesk(t)
			var sender *notice.SMTP
			short := func(c *notice.SMTPConfig) { c.Timeout = 200 * time.Millisecond }
			office := newPostOffice(t, notice.StartTLS)
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			if stage == "greeting" {
				listener, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := listener.Close(); err != nil {
						t.Error(err)
					}
				})
				sender = (&postOffice{addr: listener.Addr().(*net.TCPAddr), pool: office.pool}).sender(t, notice.StartTLS, short)
			} else {
				office.set(func(p *postOffice) { p.data = func([]byte) error { <-release; return refuse(451, "at last") } })
				sender = office.sender(t, notice.StartTLS, short)
			}
			d.put(t, invitation("grace@brand.example", "Grace"))
			d.deliver(t, d.mailer(t, sender))
			if row := d.only(t); row.sent || row.failed || len(row.body) == 0 || row.lastError == "" {
				t.Fatalf("the outbox says %+v", row)
			}
			office.set(func(p *postOffice) { p.data = nil })
			d.pass(2 * time.Minute)
			d.deliver(t, d.mailer(t, office.sender(t, notice.StartTLS)))
			if len(office.letters()) != 1 || !d.only(t).sent {
				t.Error("it did not arrive once the server was well again")
			}
		})
	}
}

func TestAStallEndsWithTheProgram(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	reached, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	office.set(func(p *postOffice) { p.data = func([]byte) error { close(reached); <-release; return nil } })
	m := d.mailer(t, office.sender(t, notice.StartTLS))
	d.put(t, invitation("grace@brand.example", "Grace"))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	<-reached
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if row := d.only(t); row.sent || row.failed || len(row.body) == 0 {
		t.Errorf("the outbox says %+v", row)
	}
}

// dying passes octets on to a real server and cuts the line: after the server has said some words, or
// before some words of the client reach it.
func dying(t *testing.T, to *net.TCPAddr, after, before string) *net.TCPAddr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.DialTCP("tcp", nil, to)
			if err != nil {
				t.Error(err)
				return
			}
			wg.Go(func() { cut(server, client, after, true) })
			cut(client, server, before, false)
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
	return listener.Addr().(*net.TCPAddr)
}

// cut copies until the source ends or has said the fatal words, which still go through if they may; then
// both lines are dead.
func cut(from, to net.Conn, fatal string, through bool) {
	defer from.Close()
	defer to.Close()
	var seen []byte
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		seen = append(seen, buffer[:n]...)
		dead := fatal != "" && bytes.Contains(seen, []byte(fatal))
		if !dead || through {
			if _, werr := to.Write(buffer[:n]); werr != nil {
				return
			}
		}
		if dead || err != nil {
			return
		}
	}
}

func TestAServerThatDiesMidWayLosesNothing(t *testing.T) {
	// What the server says last, or what of the client never reaches it.
	for name, words := range map[string][2]string{
		"after its banner": {"220 mail.test", ""}, "after what it can": {"ENHANCEDSTATUSCODES", ""}, "after the recipient": {"I'll make sure", ""},
		"before DATA": {"", "DATA\r\n"}, "within the message": {"", "Auto-Submitted"}, "before its end": {"", "\r\n.\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			d, office := newDesk(t), newPostOffice(t, notice.PlainLoopback)
			proxy := &postOffice{addr: dying(t, office.addr, words[0], words[1])}
			d.put(t, invitation("grace@brand.example", "Grace"))
			d.deliver(t, d.mailer(t, proxy.sender(t, notice.PlainLoopback)))
			if row := d.only(t); row.sent || row.failed || len(row.body) == 0 {
				t.Fatalf("the outbox says %+v", row)
			}
			d.pass(2 * time.Minute)
			d.deliver(t, d.mailer(t, office.sender(t, notice.PlainLoopback)))
			if len(office.letters()) != 1 || !d.only(t).sent {
				t.Errorf("%d letters arrived", len(office.letters()))
			}
		})
	}
}

// The server took the message with a 250 and died: it is sent, and a second one would be one too many.
func TestAReceiptCountsAlthoughTheServerDiesAfterIt(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.PlainLoopback)
	proxy := &postOffice{addr: dying(t, office.addr, "250 2.0.0 OK: queued", "")}
	d.put(t, invitation("grace@brand.example", "Grace"))
	m := d.mailer(t, proxy.sender(t, notice.PlainLoopback))
	d.deliver(t, m)
	d.pass(time.Hour)
	d.deliver(t, m)
	if row := d.only(t); !row.sent || len(office.letters()) != 1 {
		t.Errorf("%d letters; the outbox says %+v", len(office.letters()), row)
	}
}

func TestAProcessThatDiesBetweenLeaseAndReceiptSendsTheSameMailAgain(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	smtpSender := office.sender(t, notice.StartTLS)
	d.put(t, invitation("grace@brand.example", "Grace"))
	// The first process sends, and its database is gone before it can note that.
	ctx := t.Context()
	first := d.mailer(t, senderFunc(func(ctx context.Context, m notice.Mail) error {
		if err := smtpSender.Send(ctx, m); err != nil {
			return err
		}
		return d.db.Close()
	}))
	if err := first.Deliver(ctx); err == nil {
		t.Fatal("a receipt that could not be noted was no error")
	}
	var err error
	if d.db, err = store.Open(ctx, "sqlite:"+d.path); err != nil {
		t.Fatal(err)
	}
	second := d.mailer(t, smtpSender)
	d.deliver(t, second)
	if n := len(office.letters()); n != 1 {
		t.Fatalf("%d letters while the lease held", n)
	}
	d.pass(6 * time.Minute)
	d.deliver(t, second)
	letters := office.letters()
	if len(letters) != 2 || !d.only(t).sent {
		t.Fatalf("%d letters, want the repeat", len(letters))
	}
	if diff := cmp.Diff(string(letters[0].body), string(letters[1].body)); diff != "" {
		t.Errorf("the repeat cannot be told as one:\n%s", diff)
	}
}

func TestTwoMailersSendEachMessageOnce(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.PlainLoopback)
	for i := range 60 {
		d.put(t, invitation(fmt.Sprintf("p%02d@brand.example", i), "P"))
	}
	var wg sync.WaitGroup
	for range 3 {
		m := d.mailer(t, office.sender(t, notice.PlainLoopback))
		wg.Go(func() {
			if err := m.Deliver(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := map[string]int{}
	for _, l := range office.letters() {
		got[l.to[0]]++
	}
	if len(got) != 60 || len(office.letters()) != 60 {
		t.Errorf("%d letters to %d people, want 60 to 60", len(office.letters()), len(got))
	}
}

func TestWhatCannotBeOpenedOrIsUnknown(t *testing.T) {
	d, office := newDesk(t), newPostOffice(t, notice.StartTLS)
	lost, err := seal.LoadOrCreate(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(sealed func(string, []byte) []byte, m store.Message) {
		if _, err := d.db.Act(t.Context(), func(tx *store.Tx) error { return tx.Send(t.Context(), sealed, m, d.now()) }); err != nil {
			t.Fatal(err)
		}
	}
	put(lost.Seal, invitation("a@brand.example", "A"))
	put(func(string, []byte) []byte { return []byte("torn") }, invitation("b@brand.example", "B"))
	put(d.key.Seal, store.Message{Kind: "advert", To: "c@brand.example"})
	without := invitation("d@brand.example", "D")
	delete(without.Values, "link")
	put(d.key.Seal, without)
	d.deliver(t, d.mailer(t, office.sender(t, notice.StartTLS)))
	var failed []bool
	for _, row := range d.rows(t) {
		failed = append(failed, row.failed)
	}
	// The key file may come back from a backup; the others will never be readable.
	if diff := cmp.Diff([]bool{false, true, true, true}, failed); diff != "" || len(office.letters()) != 0 {
		t.Errorf("failed for good: %s, letters %v", diff, office.letters())
	}
}
