package proto

import (
	"errors"
	"strings"
	"testing"
)

// Check which names are usable: they become file names and are printed.
func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "Z", "0", "_", "a.b", "a-b", "a_", "a.", "a..b", "x.ring", "0.-_", strings.Repeat("n", MaxNameBytes)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", ".a", "-a", "--help", "a/b", "/a", "a b", " a", "a\n", "a\x00", "a\x7f", "é", "a\xff", "a:b", "a*", "a,b", "\u202ea",
		strings.Repeat("n", MaxNameBytes+1),
	} {
		if err := CheckName(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v, want %v", name, err, ErrName)
		}
	}
}

// Check that the error names the byte that is not allowed, quoted, so that it
// can be printed.
func TestCheckNameError(t *testing.T) {
	err := CheckName("a\x1b[2J")
	if err == nil || !strings.Contains(err.Error(), `'\x1b'`) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%v: want the escape quoted", err)
	}
}
