package kernel

// level is a set of vector instructions.
type level uint8

const (
	levelGo     level = iota // none: plain Go
	levelAVX2                // AVX2 with FMA
	levelAVX512              // AVX-512 F and DQ besides
)

// String returns the name of l as benchmarks and Level write it.
func (l level) String() string { return [...]string{"go", "avx2", "avx512"}[l] }

// Level returns the name of the vector instructions that [New] uses on this
// machine: "avx512", "avx2" or "go". Results have the same bits with each.
func Level() string { return bestLevel().String() }
