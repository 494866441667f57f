package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"counterfoil.dev/counterfoil/api"
)

var (
	kills    = flag.Int("kills", 20, "how often TestKilledAtAnyMoment kills")
	killSeed = flag.Uint64("kill-seed", 0, "seed of the moments; 0: another one each time")
)

func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run again with -kill-seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

const (
	hands     = 4                      // callers of the management API at once
	workFor   = 350 * time.Millisecond // at most, between a start and a kill
	startWait = 500 * time.Millisecond // within which a start is killed, now and then
)

// SIGKILL at random moments, while tokens are made and changed as fast as can be: what was acknowledged is
// there afterwards exactly as acknowledged, the one act of each caller that was under way is there whole
// or not at all, and nothing is half-made (SECURITY.md, 3.3 and class 22).
func TestKilledAtAnyMoment(t *testing.T) {
	random := seeded(t)
	folder, base := filepath.Join(t.TempDir(), "demo"), freePorts(t)
	d := startDemo(t, folder, base)
	ledgers := make([]*ledger, hands)
	for i := range ledgers {
		ledgers[i] = &ledger{name: fmt.Sprintf("hand %d", i), random: rand.New(rand.NewPCG(random.Uint64(), 0))}
	}
	console := newBrowser(t)
	console.open(d.file.SignIn)
	console.send("Sign in", nil)
	console.expect(http.StatusOK)
	person := &wizardHand{browser: console}

	killed, stops := 0, 0
	for killed < *kills && !t.Failed() {
		if random.IntN(6) == 0 { // an end that was asked for loses nothing either, and is clean under load
			work(t, d, ledgers, person, upTo(random, workFor), d.stop)
			stops++
		} else {
			work(t, d, ledgers, person, upTo(random, workFor), d.kill)
			killed++
		}
		for random.IntN(5) == 0 { // a start is a moment like any other
			p := start(t, "demo", "--data", folder, "--port-base", fmt.Sprint(base))
			select {
			case <-time.After(upTo(random, startWait)):
			case <-p.ended:
				t.Fatalf("a start ended: %s", p.faults.String())
			}
			p.kill()
			killed++
		}
		d = startDemo(t, folder, base)
		inspect(t, d, killed%10 == 0)
		settle(t, d, ledgers, person, false)
	}
	settle(t, d, ledgers, person, true)
	inspect(t, d, true)
	d.stop()
	var sum tally
	for _, l := range ledgers {
		sum = sum.plus(l.tally)
	}
	t.Logf("%d kills and %d stops; %d acts acknowledged by the API and %d tokens made in the wizard; of the acts under way %d were whole, %d had not begun",
		killed, stops, sum.acknowledged, len(person.made), sum.whole+person.whole, sum.undone+person.undone)
	if sum.acknowledged < *kills {
		t.Errorf("only %d acts in %d kills: this proved nothing", sum.acknowledged, *kills)
	}
}

// work lets all hands act for a while, and then ends the process under them.
func work(t *testing.T, d *demonstration, ledgers []*ledger, person *wizardHand, length time.Duration, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := d.client(d.file.ManagementToken)
	var busy sync.WaitGroup
	for _, l := range ledgers {
		busy.Go(func() {
			for ctx.Err() == nil && l.act(ctx, t, client) {
			}
		})
	}
	busy.Go(func() {
		for ctx.Err() == nil && person.act(t) {
		}
	})
	select {
	case <-time.After(length):
	case <-d.ended:
		t.Errorf("the program ended by itself: %s", d.faults.String())
	}
	end()
	busy.Wait()
}

// settle compares what the hands hold with what the program says after its start.
func settle(t *testing.T, d *demonstration, ledgers []*ledger, person *wizardHand, all bool) {
	t.Helper()
	for _, l := range ledgers {
		l.settle(t, d, all)
	}
	person.settle(t, d, all)
}

// A demo that is killed while it makes its sample data starts whole the next time.
func TestDemoKilledWhileItIsMade(t *testing.T) {
	random := seeded(t)
	base := freePorts(t)
	began := time.Now()
	startDemo(t, filepath.Join(t.TempDir(), "unkilled"), base).kill()
	whole := time.Since(began)
	for range max(4, *kills/4) {
		folder := filepath.Join(t.TempDir(), "demo")
		for range 1 + random.IntN(2) {
			p := start(t, "demo", "--data", folder, "--port-base", fmt.Sprint(base))
			select {
			case <-time.After(upTo(random, whole)):
			case <-p.ended:
				t.Fatalf("ended by itself: %s", p.faults.String())
			}
			p.kill()
		}
		d := startDemo(t, folder, base)
		curlsWork(t, d)
		inspect(t, d, true)
		if len(d.file.Tokens) != 4 {
			t.Errorf("%d sample tokens", len(d.file.Tokens))
		}
		if _, err := os.Stat(filepath.Join(folder, halfMade)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a whole demo is marked as half-made: %v", err)
		}
		d.kill()
	}
}

// cut says that an error is of the connection, as when the other side was killed: then nothing was
// acknowledged. What the API says in words is no such error.
func cut(err error) bool {
	var refusal *api.Error
	return err != nil && !errors.As(err, &refusal)
}
