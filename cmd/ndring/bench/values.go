package bench

// valueCycle keeps sums far below 2⁵³, where float64 is exact.
const valueCycle = 1024

// frameValue is what frame i is filled with.
func frameValue(i int) float64 { return float64(i % valueCycle) }

// valueSum is the sum of frameValue over count frames from first on.
func valueSum(first, count int) float64 {
	upTo := func(n int) float64 {
		cycles, rest := n/valueCycle, n%valueCycle
		return float64(cycles*(valueCycle*(valueCycle-1)/2) + rest*(rest-1)/2)
	}
	return upTo(first+count) - upTo(first)
}

// fillFrame is Fill with the seed's five values unrolled, as the bare ring does
// it.
func fillFrame(x []float64, value float64) {
	if len(x) == payloadWords {
		x[0], x[1], x[2], x[3], x[4] = value, value, value, value, value
		return
	}
	Fill(x, value)
}

// sumFrame is Sum likewise.
func sumFrame(x []float64) float64 {
	if len(x) == payloadWords {
		return (x[0] + x[1]) + (x[2] + x[3]) + x[4]
	}
	return Sum(x)
}
