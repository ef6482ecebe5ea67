package kernel

import (
	"fmt"
	"math"
)

// Model is a table of points (Fx[i], Fy[i]). interp draws lines through them;
// arcsec and asec use only the mean of Fy and carry Fx along.
type Model struct {
	Fx, Fy []float64
}

// DefaultModel returns the model of the seed protocol: fx = 1, 2, … 10 and
// fy = ten equidistant values from 10 to 20, whose mean is 15.
func DefaultModel() Model {
	const points = 10
	m := Model{Fx: make([]float64, points), Fy: make([]float64, points)}
	step := 10.0 / (points - 1)
	for i := range points {
		m.Fx[i] = float64(i + 1)
		m.Fy[i] = float64(float64(i)*step) + 10
	}
	m.Fy[points-1] = 20
	return m
}

// Validate returns nil when Fx and Fy have the same length of at least one,
// hold finite numbers only and Fx increases strictly; otherwise an error that
// wraps [ErrModel] and names the first offending index and value.
func (m Model) Validate() error {
	if len(m.Fx) != len(m.Fy) {
		return fmt.Errorf("%w: fx has %d values and fy %d: give both the same number", ErrModel, len(m.Fx), len(m.Fy))
	}
	if len(m.Fx) == 0 {
		return fmt.Errorf("%w: no points: give at least one", ErrModel)
	}
	for i := range m.Fx {
		if !finite(m.Fx[i]) || !finite(m.Fy[i]) {
			return fmt.Errorf("%w: point %d is (%v, %v): give finite numbers", ErrModel, i, m.Fx[i], m.Fy[i])
		}
		if i > 0 && m.Fx[i] <= m.Fx[i-1] {
			return fmt.Errorf("%w: fx[%d] = %v does not exceed fx[%d] = %v: sort the points by fx", ErrModel, i, m.Fx[i], i-1, m.Fx[i-1])
		}
	}
	return nil
}

// mean returns the mean of fy. Its sum carries the rounding errors along
// (Neumaier's summation), so the order of the points does not matter in practice.
func mean(fy []float64) float64 {
	var sum, low float64
	for _, v := range fy {
		t := sum + v
		if math.Abs(sum) >= math.Abs(v) {
			low += (sum - t) + v
		} else {
			low += (v - t) + sum
		}
		sum = t
	}
	return (sum + low) / float64(len(fy))
}

func finite(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }
