package bench

import (
	"errors"
	"slices"
	"testing"
)

// Check that every floor runs between processes, finds its data whole (each
// verifies its sums) and yields its quantities. The ring's frames go round
// several times.
func TestFloors(t *testing.T) {
	latency := func(name string) []string { return []string{name + "_p50", name + "_p99", name + "_p999"} }
	for _, c := range []struct {
		figure Figure
		want   []string
	}{
		{LineRoundTrip{RoundTrips: 50}, latency("line_rtt")},
		{SlotRoundTrip{RoundTrips: 50}, latency("slot_rtt")},
		{SocketRoundTrip{RoundTrips: 50, Placement: Together}, latency("seqpacket_rtt_one_cpu")},
		{SocketRoundTrip{RoundTrips: 50, Placement: Apart}, latency("seqpacket_rtt_two_cpus")},
		{SlotRing{Frames: 3*slotCount + 5}, []string{"slot_ring_rate"}},
		{SharedFillSum{BufferBytes: 4096, Passes: 20}, []string{"shared_fill_sum"}},
		{SharedCopy{BufferBytes: 4096, Passes: 20}, []string{"shared_copy"}},
	} {
		t.Run(c.figure.Name(), func(t *testing.T) {
			samples, err := c.figure.Measure(t.Context(), testHost(t))
			if errors.Is(err, ErrSkipped) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range samples {
				names = append(names, s.Name)
				if !(s.Value > 0) || s.Unit == "" {
					t.Errorf("%s is %v %q", s.Name, s.Value, s.Unit)
				}
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("samples are %v, want %v", names, c.want)
			}
		})
	}
}

// Check that no two figures of a full run share a name.
func TestFiguresHaveDistinctNames(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range (Suite{}).Figures() {
		if seen[f.Name()] {
			t.Errorf("two figures are called %s", f.Name())
		}
		seen[f.Name()] = true
	}
}

// Check that one missed or repeated value is found.
func TestSumsTellDamage(t *testing.T) {
	for _, frames := range []uint64{1, 2, 7, 100_000} {
		var sum uint64
		for frame := range frames {
			sum += 5*frame + 10
		}
		if err := checkSlotSum(sum, frames); err != nil {
			t.Errorf("%d frames: %v", frames, err)
		}
		if err := checkSlotSum(sum+1, frames); !errors.Is(err, ErrMismatch) {
			t.Errorf("%d frames: error is %v, want ErrMismatch", frames, err)
		}
	}
	if err := checkSum(80, 8, 10); err != nil {
		t.Error(err)
	}
	if err := checkSum(70, 8, 10); !errors.Is(err, ErrMismatch) {
		t.Errorf("error is %v, want ErrMismatch", err)
	}
}

// Check that an exchange of nothing, or of part of a line, is refused before
// anything is started.
func TestExchangeRefuses(t *testing.T) {
	for _, f := range []Figure{
		SharedFillSum{BufferBytes: 0, Passes: 1},
		SharedCopy{BufferBytes: 72, Passes: 1},
		SharedCopy{BufferBytes: 64, Passes: 0},
	} {
		if _, err := f.Measure(t.Context(), nil); err == nil {
			t.Errorf("%+v is not refused", f)
		}
	}
}
