package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ndring/ndring/cmd/ndring/bench"
)

// Check that every workload runs through every peer of this build between
// real processes, and that each quantity of the report has a value.
func TestEveryPeerCarriesEveryWorkload(t *testing.T) {
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			if p.missing != "" {
				t.Skip(p.missing)
			}
			var failures []failure
			figures, _ := comparisons([]peer{p}, 2*time.Millisecond, &failures)
			host := testHost(t)
			var names []string
			for _, f := range figures {
				samples, err := f.Measure(t.Context(), host)
				if err != nil {
					t.Fatalf("%s: %v", f.Name(), err)
				}
				for _, s := range samples {
					if s.Value <= 0 {
						t.Errorf("%s is %v %s", s.Name, s.Value, s.Unit)
					}
					names = append(names, strings.TrimPrefix(s.Name, p.name+"."))
				}
			}
			for _, q := range quantities() {
				if p.only == "" && !slices.Contains(names, q.name) {
					t.Errorf("nothing measures %s", q.name)
				}
			}
		})
	}
}

// Check that a peer that fails is reported with its name and left out, and
// that the others are still measured.
func TestFailureLeavesTheOthers(t *testing.T) {
	unix, _ := findPeer(peers(), "unix")
	unix.only = smallRate
	o := options{rounds: 2, time: time.Millisecond}
	r, failed, err := compare(t.Context(), testHost(t), []peer{{name: "broken", only: smallRate}, unix}, o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if failed == nil || !strings.Contains(failed.Error(), "broken."+smallRate) {
		t.Errorf("the failure is %v", failed)
	}
	if n := len(r.figure("unix", smallRate).Rounds); n != 2 {
		t.Errorf("%d rounds of the other peer, want 2", n)
	}
	if len(r.skipped) != 1 || len(r.figure("broken", smallRate).Rounds) != 0 {
		t.Errorf("the report leaves out %v", r.skipped)
	}
}

// Check that a run that is interrupted ends with the reason and is not taken
// for failures of the peers.
func TestInterruptedRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	unix, _ := findPeer(peers(), "unix")
	_, failed, err := compare(ctx, testHost(t), []peer{unix}, options{rounds: 1, time: time.Millisecond}, io.Discard)
	if !errors.Is(err, context.Canceled) || failed != nil {
		t.Errorf("the run ends with %v, failures %v", err, failed)
	}
}

// Check that a peer this build lacks is left out once, with what to install,
// and makes no figure.
func TestMissingPeerIsLeftOut(t *testing.T) {
	figures, missing := comparisons([]peer{{name: "zmq", missing: "install it"}}, time.Second, nil)
	if len(figures) != 0 || len(missing) != 1 || missing[0] != (bench.Skip{Figure: "zmq", Reason: "install it"}) {
		t.Errorf("%d figures, left out: %v", len(figures), missing)
	}
}

// Check that each process has a CPU of its own while they last, and that
// nobody is pinned when there is one for all.
func TestPlaces(t *testing.T) {
	const free = bench.Unpinned
	for _, c := range []struct {
		cpus []int
		n    int
		want []int
	}{
		{nil, 2, []int{free, free}},
		{[]int{4}, 2, []int{free, free}},
		{[]int{4, 5}, 2, []int{4, 5}},
		{[]int{4, 5}, 3, []int{4, 5, free}},
		{[]int{4, 5, 6, 7}, 3, []int{4, 5, 6}},
	} {
		if got := places(c.cpus, c.n); !slices.Equal(got, c.want) {
			t.Errorf("%d processes on %v lie on %v, want %v", c.n, c.cpus, got, c.want)
		}
	}
}
