// Package measure compares how much processor time things take, for the benchmarks of the check. Numbers of
// two runs on a machine that others use too cannot be compared; so a floor (what nothing can be faster than:
// one SHA-256, an empty handler) and the subjects are measured in turn within one run, many short rounds of
// each, and what is reported is the median and its ratio to the floor of the same round.
//
// [Alternate] is the loop and the table (alternate.go). What is asked over sockets is asked by a second
// process, so that only the server's time is counted: [Start] runs the test binary again, which turns into
// the asking side in its TestMain by [Serve] (load.go).
//
// Tests alone import this package.
package measure
