package bench

import (
	"encoding/json"
	"math"
	"slices"
)

// Measurement is one quantity over all rounds of a run, in the order of the
// rounds. Its statistics are those of the rounds that nothing disturbed, if at
// least half of them are such; otherwise those of all rounds.
type Measurement struct {
	Figure string // what measured it
	Name   string
	Unit   string
	Rounds []float64

	// Disturbed tells for each round whether other programs took CPU time from it;
	// nil means that none did.
	Disturbed []bool
}

// quiet are the rounds that nothing disturbed.
func (m Measurement) quiet() []float64 {
	var quiet []float64
	for i, v := range m.Rounds {
		if !m.disturbed(i) {
			quiet = append(quiet, v)
		}
	}
	return quiet
}

// counted are the rounds that the statistics are made of.
func (m Measurement) counted() []float64 {
	if quiet := m.quiet(); 2*len(quiet) >= len(m.Rounds) {
		return quiet
	}
	return m.Rounds
}

// Median is the middle of the rounds, the mean of the two middle ones when
// their number is even, and NaN without rounds.
func (m Measurement) Median() float64 { return m.quantile(0.5) }

// Low is the smallest round, NaN without rounds.
func (m Measurement) Low() float64 { return m.quantile(0) }

// High is the largest round, NaN without rounds.
func (m Measurement) High() float64 { return m.quantile(1) }

// Spread is the distance between the quartiles relative to the median: half
// of the rounds lie in a band this wide. It is NaN without rounds and when
// the median is zero.
func (m Measurement) Spread() float64 {
	median := m.Median()
	if median == 0 {
		return math.NaN()
	}
	return (m.quantile(0.75) - m.quantile(0.25)) / math.Abs(median)
}

// quantile interpolates linearly between the two rounds next to rank
// q·(n-1), as NumPy's default does.
func (m Measurement) quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(m.counted()))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	rank := q * float64(n-1)
	below := int(rank)
	fraction := rank - float64(below)
	if fraction == 0 {
		return sorted[below] // also where the next one is infinite
	}
	return sorted[below] + fraction*(sorted[below+1]-sorted[below])
}

// Ratio divides round by round. Both measurements come from one run, so that
// what slows a whole round falls out. Surplus rounds of either are left out.
func Ratio(name string, numerator, denominator Measurement) Measurement {
	n := min(len(numerator.Rounds), len(denominator.Rounds))
	ratio := Measurement{Name: name, Unit: "×", Rounds: make([]float64, n), Disturbed: make([]bool, n)}
	for i := range n {
		ratio.Rounds[i] = numerator.Rounds[i] / denominator.Rounds[i]
		ratio.Disturbed[i] = numerator.disturbed(i) || denominator.disturbed(i)
	}
	return ratio
}

func (m Measurement) disturbed(round int) bool {
	return round < len(m.Disturbed) && m.Disturbed[round]
}

// MarshalJSON writes median, low, high and spread beside the rounds, and how many
// of these nothing disturbed. What is
// not a number, or infinite, becomes null.
func (m Measurement) MarshalJSON() ([]byte, error) {
	rounds := make([]*float64, len(m.Rounds))
	for i, v := range m.Rounds {
		rounds[i] = finite(v)
	}
	return json.Marshal(struct {
		Name   string     `json:"name"`
		Unit   string     `json:"unit"`
		Median *float64   `json:"median"`
		Low    *float64   `json:"low"`
		High   *float64   `json:"high"`
		Spread *float64   `json:"spread"`
		Rounds []*float64 `json:"rounds"`
		Quiet  int        `json:"quiet_rounds"`
	}{m.Name, m.Unit, finite(m.Median()), finite(m.Low()), finite(m.High()), finite(m.Spread()), rounds, len(m.quiet())})
}

// finite is nil for what JSON has no number for.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
