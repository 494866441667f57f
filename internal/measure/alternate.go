package measure

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Case is one thing to be measured.
type Case struct {
	Name string
	Do   func(n int) // does it n times
}

// Clock reads a processor time.
type Clock int32

// Clocks. They are exact, as those of getrusage(2) are not.
const (
	Process Clock = unix.CLOCK_PROCESS_CPUTIME_ID // of all threads
	Thread  Clock = unix.CLOCK_THREAD_CPUTIME_ID  // of the caller, for what runs in its own goroutine alone
)

func (c Clock) read(tb testing.TB) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(int32(c), &now); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(now.Nano())
}

// Alternate measures the cases in turn, so many rounds of about slice each, prints the table, and reports
// the ratio of every case to the first one, the floor.
func Alternate(b *testing.B, clock Clock, rounds int, slice time.Duration, cases ...Case) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	counts := make([]int, len(cases))
	for i, c := range cases {
		counts[i] = fitting(c, slice)
	}
	took := make([][]float64, len(cases)) // nanoseconds an operation, by round
	for range rounds {
		for i, c := range cases {
			began := clock.read(b)
			c.Do(counts[i])
			took[i] = append(took[i], float64(clock.read(b)-began)/float64(counts[i]))
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%d rounds of %v, medians\n%-28s %10s %10s %10s %16s\n", rounds, slice, "", "least ns", "cpu ns", "ratio", "quartiles")
	for i, c := range cases {
		ratios := make([]float64, rounds)
		for round := range ratios {
			ratios[round] = took[i][round] / took[0][round]
		}
		slices.Sort(ratios)
		slices.Sort(took[i])
		ratio := ratios[rounds/2]
		fmt.Fprintf(&table, "%-28s %10.1f %10.1f %10.2f %8.2f to %.2f\n", c.Name, took[i][0], took[i][rounds/2], ratio, ratios[rounds/4], ratios[rounds*3/4])
		b.ReportMetric(ratio, strings.ReplaceAll(c.Name, " ", "-")+"-ratio")
	}
	b.ReportMetric(0, "ns/op") // the wall clock of all rounds together says nothing
	b.Log(table.String())
}

// fitting is how often c is done in about slice.
func fitting(c Case, slice time.Duration) int {
	for n := 1; ; n *= 2 {
		began := time.Now()
		c.Do(n)
		if took := time.Since(began); took > slice/4 {
			return max(1, int(float64(n)*float64(slice)/float64(took)))
		}
	}
}
