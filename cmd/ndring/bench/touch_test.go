package bench

import (
	"slices"
	"testing"
)

// Check that filling, summing and copying reach every element and nothing
// beside them, at all lengths around the unrolled loop and the copied piece.
func TestTouch(t *testing.T) {
	const piece = 64 << 10 / 8
	lengths := []int{piece - 1, piece, piece + 1, 2 * piece, 2*piece + 3}
	for n := range 40 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		src, dst := make([]float64, n+1), make([]float64, n+1)
		Fill(src[:n], 3)
		if sum := Sum(src[:n]); sum != float64(3*n) || src[n] != 0 {
			t.Fatalf("n = %d: sum is %v, element behind is %v", n, sum, src[n])
		}
		CopyFloats(dst[:n], src[:n])
		if !slices.Equal(dst, src) {
			t.Fatalf("n = %d: the copy differs", n)
		}
	}
}

// Check that each element counts once in a sum.
func TestSumOfDifferentValues(t *testing.T) {
	src := make([]float64, 1003)
	for i := range src {
		src[i] = float64(i)
	}
	if got := Sum(src); got != 1002*1003/2 {
		t.Errorf("sum is %v, want %d", got, 1002*1003/2)
	}
}
