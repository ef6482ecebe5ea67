package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tinyFigures are all figures of a run at the smallest counts that make sense.
func tinyFigures() []Figure {
	return []Figure{
		RingRoundTrip{RoundTrips: 20, PayloadBytes: 40},
		RingRoundTrip{RoundTrips: 20, PayloadBytes: 40, Late: true},
		RingRoundTrip{RoundTrips: 20, PayloadBytes: 1 << 10},
		RingRoundTrip{RoundTrips: 20, PayloadBytes: 40, Parked: true, Placement: Together},
		RingRoundTrip{RoundTrips: 20, PayloadBytes: 40, Parked: true, Placement: Apart},
		RingRate{Frames: 3000, PayloadBytes: 40, Touch: true, Capacity: 64 << 10},
		RingRate{Frames: 300, PayloadBytes: 1 << 10, Capacity: 64 << 10},
		RingRate{Frames: 300, PayloadBytes: 64, Touch: true, Capacity: 64 << 10, Label: "other"},
		RingRate{Frames: 3000, PayloadBytes: 40, Touch: true, Capacity: 64 << 10, Batch: 64},
		FlatSize{RoundTrips: 8, SmallBytes: 64, LargeBytes: 64 << 10},
		FanOut{Readers: 1, Frames: 200, PeriodNs: 1000},
		FanOut{Readers: 16, Frames: 200, PeriodNs: 1000},
		Kernels{Elements: 1},
		StageRate{Frames: 200, PayloadBytes: 40},
		Bridge{Chunks: 10, RoundTrips: 10},
		Bridge{Chunks: 10, RoundTrips: 10, Stage: true},
		TCPEcho{RoundTrips: 10},
	}
}

// Check that every figure runs between processes, finds its data whole, yields
// positive values with units, and leaves no directory behind.
func TestFigures(t *testing.T) {
	host := testHost(t)
	for _, f := range tinyFigures() {
		t.Run(f.Name(), func(t *testing.T) {
			samples, err := f.Measure(t.Context(), host)
			if errors.Is(err, ErrSkipped) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				if _, isFanOut := f.(FanOut); s.Unit == "" || !(s.Value > 0) && !isFanOut {
					t.Errorf("%s is %v %q", s.Name, s.Value, s.Unit)
				}
			}
		})
	}
	left, _ := filepath.Glob(filepath.Join(host.Dir, fmt.Sprintf("ndring-bench-%d-*", os.Getpid())))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Check that what the ratios are made of is measured under the names they use.
func TestRatiosFindTheirParts(t *testing.T) {
	var r Results
	for _, f := range (Suite{}).Figures() {
		for _, name := range samplesOf(f) {
			r.add(f.Name(), Sample{Name: name, Unit: "ns", Value: 1}, false)
		}
	}
	for _, m := range r.Ratios() {
		if len(m.Rounds) != 1 || m.Median() != 1 {
			t.Errorf("%s is %v", m.Name, m.Rounds)
		}
	}
}

// samplesOf are the names of a figure's samples.
func samplesOf(f Figure) []string {
	name := f.Name()
	quantiles := func(name string) []string { return []string{name + "_p50", name + "_p99", name + "_p999"} }
	switch f := f.(type) {
	case LineRoundTrip, SlotRoundTrip, SocketRoundTrip, TCPEcho, RingRoundTrip:
		return quantiles(name)
	case RingRate, StageRate:
		return []string{name, name + "_bytes"}
	case FlatSize:
		return append(quantiles("handover_64B"), quantiles("handover_64MiB")...)
	case FanOut:
		return []string{name + "_writer"}
	case Kernels:
		return []string{"arcsec_1e5", "arcsec_5"}
	case Bridge:
		return append(quantiles(name+"_rtt"), name+"_chunks")
	default:
		_ = f
		return []string{name}
	}
}

// Check that the JSON of a run holds every ratio by its key, null where nothing
// was measured, and limits and figures apart.
func TestRunJSON(t *testing.T) {
	suite := Suite{Quick: true, Rounds: 1, Only: regexp.MustCompile("^(line_rtt|tcp_echo_rtt|kernels)$")}
	report, err := suite.Run(t.Context(), testHost(t))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := report.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Machine struct{ Load []float64 }
		Ratios  map[string]*float64
		Limits  []struct{ Name string }
		Figures []struct{ Name string }
	}
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"spin_rtt", "park_rtt", "small_rate", "small_rate_single", "flat_size", "fill_sum", "fanout_16",
		"arcsec_1e5_ns", "arcsec_5_ns", "bridge_vs_tcp_echo", "bridge_chunks_per_s",
	} {
		value, there := got.Ratios[key]
		if !there {
			t.Errorf("ratio %s is missing", key)
		}
		if measured := strings.HasPrefix(key, "arcsec"); measured != (value != nil) {
			t.Errorf("ratio %s is %v, measured: %v", key, value, measured)
		}
	}
	if len(got.Machine.Load) != 2 || len(got.Limits) == 0 || len(got.Figures) == 0 || strings.HasPrefix(got.Figures[0].Name, "line") {
		t.Errorf("limits %v, figures %v, load %v", got.Limits, got.Figures, got.Machine.Load)
	}
}

// Check that the better and the worse of two are chosen, and the one there is.
func TestChoices(t *testing.T) {
	of := func(name string, value float64) Measurement {
		return Measurement{Name: name, Rounds: []float64{value}}
	}
	c := choice{"k", [2]string{"a", "b"}, func(a, b float64) bool { return a > b }}
	if m := c.from([]Measurement{of("a", 1), of("b", 2)}); m.Name != "k" || m.Median() != 2 {
		t.Errorf("choice is %+v", m)
	}
	if m := c.from([]Measurement{{Name: "a"}, of("b", 2)}); m.Median() != 2 {
		t.Errorf("choice is %+v", m)
	}
	if m := c.from([]Measurement{of("a", 1), {Name: "b"}}); m.Median() != 1 {
		t.Errorf("choice is %+v", m)
	}
}

// Check that the table replaces what stands between the markers and nothing else,
// and that a file without markers is refused.
func TestUpdateFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.md")
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + tableBegin + "old\n" + tableEnd + "after\n")
	if err := CheckFile(name); err != nil {
		t.Fatal(err)
	}
	if err := sampleReport().UpdateFile(name); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(name)
	if s := string(text); !strings.HasPrefix(s, "before\n"+tableBegin) || !strings.HasSuffix(s, tableEnd+"after\n") || !strings.Contains(s, "ring_rtt_p50") || strings.Contains(s, "old") {
		t.Errorf("file is %q", s)
	}
	write("no table here\n")
	if err := sampleReport().UpdateFile(name); err == nil {
		t.Error("a file without markers is accepted")
	}
	if err := CheckFile(name); err == nil {
		t.Error("a file without markers passes the check")
	}
	if err := CheckFile(name + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the check of no file says %v", err)
	}
	if err := CheckFile(os.DevNull); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("the check of a device, which may have no end, says %v", err)
	}
}

// Check that the directories of runs that are dead go, and those of this one stay.
func TestSweep(t *testing.T) {
	host := &Host{Dir: t.TempDir()}
	// The first is beyond the largest pid.
	names := []string{"ndring-bench-1073741824-1", "ndring-bench-1-1", "ndring-bench-x-1", "other"}
	for _, n := range names {
		if err := os.Mkdir(filepath.Join(host.Dir, n), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	host.sweep()
	var left []string
	entries, _ := os.ReadDir(host.Dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if slices.Sort(names[1:]); !slices.Equal(left, names[1:]) {
		t.Errorf("left are %v, want %v", left, names[1:])
	}
}

// Check that who chooses a figure gets what its ratio is divided by, and no more.
func TestChosenWithDivisors(t *testing.T) {
	for only, want := range map[string][]string{
		"^spinning_rtt_40B$":        {"line_rtt", "spinning_rtt_40B"},
		"^frames_40B_touched_batch": {"slot_ring_rate", "frames_40B_touched_batch"},
		"^fanout_16$":               {"fanout_1", "fanout_16"},
		"^bridge$":                  {"tcp_echo_rtt", "bridge"},
		"^line_rtt$|^kernels$":      {"line_rtt", "kernels"},
	} {
		suite := Suite{Only: regexp.MustCompile(only)}
		var got []string
		for _, f := range suite.chosen(suite.Figures()) {
			got = append(got, f.Name())
		}
		if !slices.Equal(got, want) {
			t.Errorf("--only %s measures %q, want %q", only, got, want)
		}
	}
}
