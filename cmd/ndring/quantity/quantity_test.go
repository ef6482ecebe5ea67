package quantity

import (
	"errors"
	"slices"
	"testing"

	"github.com/ndring/ndring/proto"
)

// Check that sizes are read with every kind of unit, exactly.
func TestParseBytes(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "65536": 65536, "64KiB": 65536, "64k": 65536, "1.5GiB": 3 << 29, "10MB": 10_000_000,
		"2 GiB": 2 << 30, "7b": 7, "1t": 1 << 40,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
}

// Check that what is no size is refused with an error that quotes it.
func TestParseBytesRefuses(t *testing.T) {
	for _, text := range []string{"", "KiB", "-1", "-1k", "1.5", "99999999999999999999", "9999999999t", "5 parsecs", "NaN", "Inf", "0x10"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
		}
	}
}

// Check that sizes are written with the largest unit that keeps them readable.
func TestBytes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1 << 10: "1 KiB", 1536: "1.5 KiB", 64 << 20: "64 MiB", 1<<64 - 1: "16 EiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

// Check that shapes are read in each notation.
func TestParseShape(t *testing.T) {
	for text, want := range map[string][]int{
		"5": {5}, "3,224,224": {3, 224, 224}, "3x4": {3, 4}, "(2, 3)": {2, 3}, "": {}, "()": {}, "0": {0},
	} {
		got, err := ParseShape(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseShape(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

// Check that what is no shape is refused.
func TestParseShapeRefuses(t *testing.T) {
	for _, text := range []string{"-1", "a", "3,b", "1,1,1,1,1,1,1,1,1", "99999999999999999999", ",", "1.5"} {
		if got, err := ParseShape(text); !errors.Is(err, proto.ErrShape) {
			t.Errorf("ParseShape(%q) = %v, %v, want ErrShape", text, got, err)
		}
	}
}

// Check that a list with anything but numbers in it is refused.
func TestNumbers(t *testing.T) {
	if got, err := Numbers("1, 2.5,-3e2"); err != nil || !slices.Equal(got, []float64{1, 2.5, -300}) {
		t.Errorf("Numbers = %v, %v", got, err)
	}
	if got, err := Numbers("1,,2"); err == nil {
		t.Errorf("Numbers of a gap = %v, want an error", got)
	}
}
