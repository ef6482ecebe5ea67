package kernel

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// Check that every kind of bad model is refused with the offending place named.
func TestModelRefused(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		model Model
		says  string
	}{
		{Model{}, "no points"},
		{Model{Fx: []float64{1, 2}, Fy: []float64{1}}, "fx has 2 values and fy 1"},
		{Model{Fy: []float64{1}}, "fx has 0 values and fy 1"},
		{Model{Fx: []float64{1, nan}, Fy: []float64{1, 2}}, "point 1 is (NaN, 2)"},
		{Model{Fx: []float64{1, 2}, Fy: []float64{-inf, 2}}, "point 0 is (1, -Inf)"},
		{Model{Fx: []float64{1, 2, 2}, Fy: []float64{1, 2, 3}}, "fx[2] = 2 does not exceed fx[1] = 2"},
	} {
		err := c.model.Validate()
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: error %v, want ErrModel saying %q", c.model, err, c.says)
		}
	}
}

// Check that models that only some kernels cannot use are refused by those.
func TestModelRefusedByKernel(t *testing.T) {
	steep := Params{Model: Model{Fx: []float64{0, 5e-324}, Fy: []float64{0, 1}}}
	huge := constantModel(1.5e308)
	for _, c := range []struct {
		name   string
		params Params
		want   error
	}{
		{"interp", steep, ErrModel}, {"arcsec", steep, nil},
		{"arcsec", huge, ErrModel}, {"asec", huge, ErrModel}, {"interp", huge, nil},
		{"affine", Params{Scale: math.Inf(1)}, ErrParams}, {"affine", Params{Offset: math.NaN()}, ErrParams},
	} {
		if _, err := New(c.name, c.params); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

// Check that the mean is exact where a plain sum cancels.
func TestMeanCancels(t *testing.T) {
	if got := mean([]float64{1e100, 1, -1e100, 2}); got != 0.75 {
		t.Errorf("mean = %v, want 0.75", got)
	}
}
