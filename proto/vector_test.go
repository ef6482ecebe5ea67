package proto

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// vector is one case of a file in testdata; testdata/README.md has the format.
type vector struct {
	name   string
	line   int
	fields map[string][]string
}

func readVectors(t testing.TB, file string) []vector {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []vector
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		key, value, ok := strings.Cut(text, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || len(all) == 0 && key != "case" {
			t.Fatalf("%s:%d: %q is not a key and a value of a case", file, n, text)
		}
		if key == "case" {
			all = append(all, vector{name: value, line: n, fields: map[string][]string{}})
			continue
		}
		v := &all[len(all)-1]
		v.fields[key] = append(v.fields[key], value)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("%s: no case", file)
	}
	return all
}

// eachVector runs f as a subtest for each case of file.
func eachVector(t *testing.T, file string, f func(t *testing.T, v vector)) {
	for _, v := range readVectors(t, file) {
		t.Run(fmt.Sprintf("%d %s", v.line, v.name), func(t *testing.T) { f(t, v) })
	}
}

func (v *vector) has(key string) bool { return len(v.fields[key]) > 0 }

func (v *vector) text(t testing.TB, key string) string {
	t.Helper()
	if len(v.fields[key]) != 1 {
		t.Fatalf("line %d: case has %d lines %q, want 1", v.line, len(v.fields[key]), key)
	}
	return v.fields[key][0]
}

// number is the value of key, decimal or 0x, and 0 when the case leaves it out.
func (v *vector) number(t testing.TB, key string) uint64 {
	t.Helper()
	if !v.has(key) {
		return 0
	}
	return parseNumber(t, v.text(t, key))
}

func parseNumber(t testing.TB, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// bytes joins all lines of key, each hexadecimal with blanks and repeats.
func (v *vector) bytes(t testing.TB, key string) []byte {
	t.Helper()
	b := []byte{}
	for _, line := range v.fields[key] {
		b = append(b, parseHex(t, line)...)
	}
	return b
}

func parseHex(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for _, word := range strings.Fields(s) {
		digits, times, repeated := strings.Cut(word, "*")
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("hexadecimal %q: %v", word, err)
		}
		n := uint64(1)
		if repeated {
			n = parseNumber(t, times)
		}
		for range n {
			out = append(out, b...)
		}
	}
	return out
}

// patch applies the lines "at: OFFSET HEX" to dst.
func (v *vector) patch(t testing.TB, key string, dst []byte) {
	t.Helper()
	for _, line := range v.fields[key] {
		off, digits, _ := strings.Cut(line, " ")
		at, b := parseNumber(t, off), parseHex(t, digits)
		if at+uint64(len(b)) > uint64(len(dst)) {
			t.Fatalf("line %d: %d bytes at %d, there are %d", v.line, len(b), at, len(dst))
		}
		copy(dst[at:], b)
	}
}

// sentinels are the names of errors that vectors use.
var sentinels = map[string]error{
	"magic": ErrMagic, "endian": ErrEndian, "version": ErrVersion, "feature": ErrFeature,
	"not-ready": ErrNotReady, "checksum": ErrChecksum, "truncated": ErrTruncated,
	"geometry": ErrGeometry, "header": ErrHeader, "message": ErrMessage,
	"chunk": ErrChunk, "name": ErrName, "shape": ErrShape,
}

// failed checks err against the case's error line, and reports whether the case
// is one that fails.
func (v *vector) failed(t *testing.T, err error) bool {
	t.Helper()
	if !v.has("error") {
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return false
	}
	name := v.text(t, "error")
	want, known := sentinels[name]
	if !known {
		t.Fatalf("line %d: unknown error name %q", v.line, name)
	}
	wantOnly(t, err, want)
	return true
}

// wantOnly checks that err wraps want and no other sentinel.
func wantOnly(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want one that wraps %q", err, want)
	}
	for name, other := range sentinels {
		if other != want && errors.Is(err, other) {
			t.Fatalf("error %v wraps %q too, want only %q", err, name, want)
		}
	}
}

// want checks a decoded number against the case.
func (v *vector) want(t *testing.T, key string, got uint64) {
	t.Helper()
	if want := v.number(t, key); got != want {
		t.Errorf("%s is %d (%#x), want %d (%#x)", key, got, got, want, want)
	}
}
