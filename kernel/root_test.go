package kernel

import (
	"math"
	"math/big"
	"testing"
)

// hardRoots returns values z = (1−q)/2 of the arccosine's second case whose root
// lies within about limit·2^-109, relative to it, of the middle between two
// neighbouring float64: where a root by approximation and correction rounds
// wrongly first.
//
// In the binade √z ∈ [2^(-k-1), 2^-k) such a middle is M·2^-(k+54) with M odd and
// 2^53 < M < 2^54, and z is a multiple of 2^-54, so the distance of the squares is
// r = M² − Z·2^(54+2k) for integers r and Z. Each odd square is 1 mod 8; for each
// such r the four M that solve M² = r modulo that power are found bit by bit.
func hardRoots(limit int64) []float64 {
	var list []float64
	for k := 1; k <= 7; k++ {
		bits := uint(54 + 2*k)
		for r := -(limit/8)*8 + 1; r <= limit; r += 8 {
			for _, m := range oddRoots(r, bits) {
				if m.BitLen() != 54 {
					continue
				}
				z := new(big.Int).Mul(m, m)
				z.Sub(z, big.NewInt(r)).Rsh(z, bits)
				list = append(list, math.Ldexp(float64(z.Int64()), -54))
			}
		}
	}
	return list
}

// oddRoots returns the m below 2^bits with m² = r modulo 2^bits, for r = 1 mod 8.
func oddRoots(r int64, bits uint) []*big.Int {
	m, target := big.NewInt(1), big.NewInt(r)
	for b := uint(3); b < bits; b++ {
		// m² = r modulo 2^b; if not modulo 2^(b+1), then (m + 2^(b-1))² is.
		e := new(big.Int).Mul(m, m)
		if e.Sub(e, target); e.Bit(int(b)) == 1 {
			m.SetBit(m, int(b-1), m.Bit(int(b-1))^1)
		}
	}
	whole := new(big.Int).Lsh(big.NewInt(1), bits)
	middle := new(big.Int).Rsh(whole, 1)
	var list []*big.Int
	for _, v := range []*big.Int{m, new(big.Int).Neg(m)} {
		for _, w := range []*big.Int{v, new(big.Int).Add(v, middle)} {
			list = append(list, new(big.Int).Mod(w, whole))
		}
	}
	return list
}

// Check that the root that AVX-512 computes from an estimate is the correctly
// rounded one where that is hardest.
func TestVectorRootHardCases(t *testing.T) {
	var x []float64
	for _, z := range hardRoots(1 << 14) {
		q := 1 - 2*z
		if q < half || q > 1/clipMin {
			continue
		}
		// Not every q is the rounded quotient of some x.
		for _, v := range []float64{math.Nextafter(1/q, 0), 1 / q, math.Nextafter(1/q, 2)} {
			if 1/v == q {
				x = append(x, v)
			}
		}
	}
	if len(x) < 1000 {
		t.Fatalf("only %d hard cases", len(x))
	}
	t.Logf("%d hard cases", len(x))
	for len(x)%24 != 0 {
		x = append(x, 1.5)
	}
	forEachLevel(t, func(t *testing.T, reference, vector Kernel) {
		want, got := make([]float64, len(x)), make([]float64, len(x))
		reference.Apply(want, x)
		vector.Apply(got, x)
		compareFloats(t, reference.Name(), x, got, want)
	})
}
