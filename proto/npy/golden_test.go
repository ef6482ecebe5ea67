package npy

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// vector is a line of index.txt with its file.
type vector struct {
	name, dtype string
	shape       []int
	want, file  []byte
}

func vectors(t testing.TB) []vector {
	t.Helper()
	dir := filepath.Join("..", "testdata", "npy")
	index, err := os.ReadFile(filepath.Join(dir, "index.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for line := range strings.Lines(string(index)) {
		f := strings.Fields(line)
		v := vector{name: f[0], dtype: f[1]}
		if f[2] != "-" {
			for s := range strings.SplitSeq(f[2], ",") {
				n, err := strconv.Atoi(s)
				if err != nil {
					t.Fatal(err)
				}
				v.shape = append(v.shape, n)
			}
		}
		if f[3] != "-" {
			if v.want, err = hex.DecodeString(f[3]); err != nil {
				t.Fatal(err)
			}
		}
		if v.file, err = os.ReadFile(filepath.Join(dir, v.name)); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func packed(t testing.TB, a nd.Array) []byte {
	t.Helper()
	b := make([]byte, a.Bytes())
	if _, err := a.Copy(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// Check that every file made by NumPy reads as the type, shape and elements it
// was made of, in place and from a stream.
func TestReadsNumPy(t *testing.T) {
	for _, v := range vectors(t) {
		parsed, err := Parse(v.file)
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		r := bytes.NewReader(v.file)
		read, err := Read(r)
		if err != nil || r.Len() != 0 {
			t.Errorf("%s: read: %v, %d bytes left", v.name, err, r.Len())
			continue
		}
		want := nd.Desc{}
		dt, err := proto.ParseDType(v.dtype)
		if err == nil {
			want, err = nd.Contiguous(dt, v.shape...)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []nd.Array{parsed, read} {
			if a.Desc().String() != want.String() || !bytes.Equal(packed(t, a), v.want) {
				t.Errorf("%s: %s % x, want %s % x", v.name, a.Desc(), packed(t, a), want, v.want)
			}
		}
	}
}

// Check that Parse shares the caller's bytes, and that swapped data does not.
func TestParseShares(t *testing.T) {
	for _, v := range vectors(t) {
		a, err := Parse(v.file)
		if err != nil || a.Len() == 0 {
			continue
		}
		before := packed(t, a)
		v.file[len(v.file)-1] ^= 1
		shares := !bytes.Equal(before, packed(t, a))
		if want := !bytes.Contains(v.file[:64], []byte("'>")); shares != want {
			t.Errorf("%s: shares memory: %v, want %v", v.name, shares, want)
		}
	}
}

// Check that Write makes the very bytes that NumPy made, for each C-order
// little-endian file of version 1.0 that NumPy wrote.
func TestWritesAsNumPy(t *testing.T) {
	n := 0
	for _, v := range vectors(t) {
		byNumPy := bytes.Contains(v.file, []byte("{'descr': '")) && len(v.file) >= 128
		if !byNumPy || v.file[6] != 1 || bytes.Contains(v.file, []byte("True")) || bytes.Contains(v.file, []byte("'>")) || v.name == "python2.npy" {
			continue
		}
		a, err := Parse(v.file)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Write(&out, a); err != nil || !bytes.Equal(out.Bytes(), v.file) {
			t.Errorf("%s: %v\n%q, want\n%q", v.name, err, out.Bytes(), v.file)
		}
		n++
	}
	if n < 25 {
		t.Errorf("only %d files compared", n)
	}
}

// line is how index.txt and the interpreter print an array.
func line(dtype string, shape []int, data []byte) string {
	dims, elems := "-", "-"
	if len(shape) > 0 {
		s := make([]string, len(shape))
		for i, n := range shape {
			s[i] = strconv.Itoa(n)
		}
		dims = strings.Join(s, ",")
	}
	if len(data) > 0 {
		elems = hex.EncodeToString(data)
	}
	return dtype + " " + dims + " " + elems
}
