package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// figureFunc is a figure that needs no processes.
type figureFunc struct {
	name    string
	measure func() ([]Sample, error)
}

func (f figureFunc) Name() string { return f.name }

func (f figureFunc) Measure(context.Context, *Host) ([]Sample, error) { return f.measure() }

func constant(name string, value float64) Figure {
	return figureFunc{name, func() ([]Sample, error) {
		return []Sample{{Name: name + "_a", Unit: "ns", Value: value}, {Name: name + "_b", Unit: "ns", Value: -value}}, nil
	}}
}

// Check that rounds are interleaved and every other one runs backwards, while
// the results keep the order of the figures.
func TestPlanInterleaves(t *testing.T) {
	var order []string
	plan := Plan{
		Figures:  []Figure{constant("x", 1), constant("y", 2), constant("z", 3)},
		Rounds:   3,
		Progress: func(round int, figure string) { order = append(order, fmt.Sprint(round, figure)) },
	}
	results, err := plan.Run(t.Context(), &Host{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"0x", "0y", "0z", "1z", "1y", "1x", "2x", "2y", "2z"}; !slices.Equal(order, want) {
		t.Errorf("order is %v, want %v", order, want)
	}
	var names []string
	for _, m := range results.Measurements {
		names = append(names, m.Name)
		if len(m.Rounds) != 3 {
			t.Errorf("%s has %d rounds, want 3", m.Name, len(m.Rounds))
		}
	}
	if want := []string{"x_a", "x_b", "y_a", "y_b", "z_a", "z_b"}; !slices.Equal(names, want) {
		t.Errorf("measurements are %v, want %v", names, want)
	}
	if m, found := results.Find("y_b"); !found || m.Median() != -2 || m.Unit != "ns" {
		t.Errorf("y_b is %+v, %v", m, found)
	}
}

// Check that a skipped figure is named once with its reason, is not tried
// again, and does not stop the others.
func TestPlanSkips(t *testing.T) {
	tries := 0
	skipping := figureFunc{"s", func() ([]Sample, error) {
		tries++
		return nil, fmt.Errorf("%w: no such device", ErrSkipped)
	}}
	results, err := Plan{Figures: []Figure{skipping, constant("x", 1)}, Rounds: 2}.Run(t.Context(), &Host{})
	if err != nil {
		t.Fatal(err)
	}
	if tries != 1 || len(results.Skipped) != 1 || results.Skipped[0].Figure != "s" {
		t.Errorf("%d tries, skipped %+v", tries, results.Skipped)
	}
	if m, _ := results.Find("x_a"); len(m.Rounds) != 2 {
		t.Errorf("the other figure has %d rounds, want 2", len(m.Rounds))
	}
}

// Check that an error ends the run and names figure and round.
func TestPlanFails(t *testing.T) {
	cause := errors.New("cause")
	failing := figureFunc{"f", func() ([]Sample, error) { return nil, cause }}
	_, err := Plan{Figures: []Figure{failing}, Rounds: 2}.Run(t.Context(), &Host{})
	if !errors.Is(err, cause) || err.Error() != "measure f in round 0: cause" {
		t.Errorf("error is %v", err)
	}
}

// Check that a plan without rounds is refused instead of yielding nothing.
func TestPlanWithoutRounds(t *testing.T) {
	if _, err := (Plan{}).Run(t.Context(), &Host{}); err == nil {
		t.Error("no error")
	}
}
