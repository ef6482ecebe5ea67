package quantity

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are the suffixes of sizes. Powers of 1024 are what rings are made of, so
// the single letter means those.
var units = []struct {
	name  string
	bytes float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40},
	{"b", 1},
}

// ParseBytes reads a size such as 65536, 64KiB, 1.5GiB or 10MB. The error names
// the value and what is accepted.
func ParseBytes(s string) (uint64, error) {
	number, unit := strings.ToLower(strings.TrimSpace(s)), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	if n, err := strconv.ParseUint(number, 10, 64); err == nil && float64(n)*unit < 1<<62 {
		return n * uint64(unit), nil
	}
	x, err := strconv.ParseFloat(number, 64)
	if bytes := x * unit; err == nil && bytes >= 0 && bytes < 1<<62 && bytes == math.Trunc(bytes) {
		return uint64(bytes), nil
	}
	return 0, fmt.Errorf("size %q: give bytes as in 65536, 64KiB, 256MiB or 2GiB", s)
}

// Bytes writes a size with the largest binary unit that keeps it at 1 or more.
func Bytes(n uint64) string {
	const names = "KMGTPE"
	if n < 1<<10 {
		return strconv.FormatUint(n, 10) + " B"
	}
	x, i := float64(n)/1024, 0
	for ; x >= 1024 && i < len(names)-1; i++ {
		x /= 1024
	}
	return number(x) + " " + names[i:i+1] + "iB"
}

// number writes x with three digits and no trailing zeros.
func number(x float64) string {
	digits := 0
	switch {
	case x < 10:
		digits = 2
	case x < 100:
		digits = 1
	}
	s := strconv.FormatFloat(x, 'f', digits, 64)
	if digits == 0 {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// Rate writes events a second with a decimal prefix, such as "1.2 M/s".
func Rate(perSecond float64) string {
	switch {
	case perSecond >= 1e9:
		return number(perSecond/1e9) + " G/s"
	case perSecond >= 1e6:
		return number(perSecond/1e6) + " M/s"
	case perSecond >= 1e4:
		return number(perSecond/1e3) + " k/s"
	}
	return number(perSecond) + " /s"
}
