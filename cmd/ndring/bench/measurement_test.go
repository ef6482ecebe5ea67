package bench

import (
	"encoding/json"
	"math"
	"testing"
)

// Check that the median takes the middle of any number of rounds in any order.
func TestMedian(t *testing.T) {
	for _, c := range []struct {
		rounds []float64
		want   float64
	}{
		{[]float64{4}, 4},
		{[]float64{9, 1, 5}, 5},
		{[]float64{8, 2, 4, 6}, 5},
		{[]float64{math.Inf(1), 1, 2}, 2},
	} {
		if got := (Measurement{Rounds: c.rounds}).Median(); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.rounds, got, c.want)
		}
	}
}

// Check that computing statistics leaves the rounds in their order.
func TestMedianKeepsRounds(t *testing.T) {
	m := Measurement{Rounds: []float64{3, 1, 2}}
	m.Median()
	if m.Rounds[0] != 3 || m.Rounds[1] != 1 || m.Rounds[2] != 2 {
		t.Errorf("rounds became %v", m.Rounds)
	}
}

// Check that the spread is the interquartile range over the median: NumPy's
// percentile of 1…5 gives quartiles 2 and 4.
func TestSpread(t *testing.T) {
	m := Measurement{Rounds: []float64{5, 3, 1, 4, 2}}
	if got, want := m.Spread(), 2.0/3; math.Abs(got-want) > 1e-15 {
		t.Errorf("spread is %v, want %v", got, want)
	}
	if m.Low() != 1 || m.High() != 5 {
		t.Errorf("range is %v to %v, want 1 to 5", m.Low(), m.High())
	}
}

// Check that a measurement without rounds, or around zero, has no statistics
// instead of wrong ones.
func TestNoStatistics(t *testing.T) {
	var none Measurement
	for _, v := range []float64{none.Median(), none.Low(), none.High(), none.Spread()} {
		if !math.IsNaN(v) {
			t.Errorf("statistic of no rounds is %v, want NaN", v)
		}
	}
	if s := (Measurement{Rounds: []float64{-1, 0, 1}}).Spread(); !math.IsNaN(s) {
		t.Errorf("spread around zero is %v, want NaN", s)
	}
}

// Check that a ratio is taken round by round: here every round has ratio 2
// although the medians of the two measurements have ratio 200.
func TestRatioPairsRounds(t *testing.T) {
	r := Ratio("k", Measurement{Rounds: []float64{2, 200, 200, 9}}, Measurement{Rounds: []float64{1, 100, 100}})
	if len(r.Rounds) != 3 || r.Low() != 2 || r.High() != 2 || r.Name != "k" {
		t.Errorf("ratio is %+v, want three rounds of 2", r)
	}
}

// Check that values JSON cannot express become null and the rest survives.
func TestMeasurementJSON(t *testing.T) {
	text, err := json.Marshal(Measurement{Name: "n", Unit: "ns", Rounds: []float64{1, math.Inf(1), 3}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"n","unit":"ns","median":3,"low":1,"high":null,"spread":null,"rounds":[1,null,3],"quiet_rounds":3}`
	if string(text) != want {
		t.Errorf("JSON is %s, want %s", text, want)
	}
}

// Check that disturbed rounds do not count while at least half of them are quiet,
// that all count otherwise, and that a ratio is as disturbed as its parts.
func TestDisturbedRounds(t *testing.T) {
	m := Measurement{Rounds: []float64{1, 100, 3, 200}, Disturbed: []bool{false, true, false, true}}
	if got := m.Median(); got != 2 {
		t.Errorf("median is %v, want 2, that of the quiet rounds", got)
	}
	if got := m.High(); got != 3 {
		t.Errorf("highest round is %v, want 3", got)
	}
	m.Disturbed[0] = true
	if got := m.Median(); got != 51.5 {
		t.Errorf("median is %v, want 51.5, that of all rounds", got)
	}
	one := Measurement{Rounds: []float64{1, 1, 1, 1}, Disturbed: []bool{false, false, true, false}}
	r := Ratio("k", Measurement{Rounds: []float64{1, 2, 3, 4}, Disturbed: []bool{true, false, false, false}}, one)
	if got := r.Median(); got != 3 || len(r.quiet()) != 2 {
		t.Errorf("median of the ratio is %v over %v, want 3 over two rounds", got, r.quiet())
	}
}
