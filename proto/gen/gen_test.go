package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Check that the committed constants of other languages are what the Go source of
// the contract gives now.
func TestGeneratedFilesAreFresh(t *testing.T) {
	all, err := outputs("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		have, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(have, want) {
			t.Errorf("%s is stale: run make generate", name)
		}
	}
}

// Check that names are split at words, and that the two compound words are one.
func TestUnderscored(t *testing.T) {
	for name, want := range map[string]string{
		"IdRingID": "ID_RING_ID", "SlPID": "SL_PID", "AnyNDim": "ANY_NDIM", "DescDTypeShift": "DESC_DTYPE_SHIFT",
		"WrReserved0": "WR_RESERVED0", "C128": "C128", "IdCRC": "ID_CRC", "WrBlockedNs": "WR_BLOCKED_NS", "HePID": "HE_PID",
	} {
		if got := underscored(name); got != want {
			t.Errorf("%s becomes %s, want %s", name, got, want)
		}
	}
}

// Check that no two constants of the contract get the same name in other languages.
func TestNamesAreUnique(t *testing.T) {
	files, err := readConstants("..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, f := range files {
		for _, c := range f.constants {
			if other, taken := seen[c.name]; taken {
				t.Errorf("%s stands in %s and %s", c.name, other, f.name)
			}
			seen[c.name] = f.name
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d constants, the contract has more", len(seen))
	}
}
