package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// file builds a file of any version around any header text.
func file(major, minor byte, text string, data []byte) []byte {
	b := append([]byte(magic), major, minor)
	if major == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	}
	return append(append(b, text...), data...)
}

const plain = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }\n"

func dict(descr, fortran, shape string) string {
	return "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + "}"
}

// Check that each malformed file is refused with the error of its kind, by Parse
// and Read alike.
func TestRefuses(t *testing.T) {
	data := make([]byte, 64)
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"other magic":         {[]byte("PK\x03\x04 and so on, long enough"), ErrMagic},
		"version 0":           {file(0, 0, plain, data), ErrVersion},
		"version 1.1":         {file(1, 1, plain, data), ErrVersion},
		"version 4":           {file(4, 0, plain, data), ErrVersion},
		"header 4 GiB":        {append([]byte(magic), 2, 0, 255, 255, 255, 255, '{'), ErrHeader},
		"header 64 KiB":       {file(2, 0, plain+strings.Repeat(" ", 1<<16), data), ErrHeader},
		"empty header":        {file(1, 0, "", data), ErrHeader},
		"no dict":             {file(1, 0, "[1]", data), ErrHeader},
		"empty dict":          {file(1, 0, "{}", data), ErrHeader},
		"dict not closed":     {file(1, 0, plain[:50], data), ErrHeader},
		"behind the dict":     {file(1, 0, plain+"x", data), ErrHeader},
		"NUL behind":          {file(1, 0, plain+"\x00", data), ErrHeader},
		"second dict":         {file(1, 0, plain+plain, data), ErrHeader},
		"descr missing":       {file(1, 0, "{'fortran_order': False, 'shape': (2,)}", data), ErrHeader},
		"order missing":       {file(1, 0, "{'descr': '<i4', 'shape': (2,)}", data), ErrHeader},
		"shape missing":       {file(1, 0, "{'descr': '<i4', 'fortran_order': False}", data), ErrHeader},
		"key twice":           {file(1, 0, "{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (2,)}", data), ErrHeader},
		"shape twice":         {file(1, 0, "{'shape': (1,2,3,4), 'shape': (1,2,3,4,5), 'descr': '<i4', 'fortran_order': False}", data), ErrHeader},
		"unknown key":         {file(1, 0, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), 'x': 1}", data), ErrHeader},
		"two commas":          {file(1, 0, "{'descr': '<i4',, 'fortran_order': False, 'shape': (2,)}", data), ErrHeader},
		"only a comma":        {file(1, 0, "{,}", data), ErrHeader},
		"no comma":            {file(1, 0, "{'descr': '<i4' 'fortran_order': False, 'shape': (2,)}", data), ErrHeader},
		"no colon":            {file(1, 0, "{'descr' '<i4'}", data), ErrHeader},
		"key is a number":     {file(1, 0, "{1: 2}", data), ErrHeader},
		"string not closed":   {file(1, 0, "{'descr", data), ErrHeader},
		"string with escape":  {file(1, 0, dict(`'<i4\x00'`, "False", "(2,)"), data), ErrHeader},
		"string with newline": {file(1, 0, dict("'<i4\n'", "False", "(2,)"), data), ErrHeader},
		"quotes mixed":        {file(1, 0, dict(`'<i4"`, "False", "(2,)"), data), ErrHeader},
		"descr a number":      {file(1, 0, dict("4", "False", "(2,)"), data), ErrHeader},
		"order a number":      {file(1, 0, dict("'<i4'", "0", "(2,)"), data), ErrHeader},
		"order misspelt":      {file(1, 0, dict("'<i4'", "Falsey", "(2,)"), data), ErrHeader},
		"order in lower case": {file(1, 0, dict("'<i4'", "false", "(2,)"), data), ErrHeader},
		"shape a list":        {file(1, 0, dict("'<i4'", "False", "[2]"), data), ErrHeader},
		"shape a number":      {file(1, 0, dict("'<i4'", "False", "(2)"), data), ErrHeader},
		"shape negative":      {file(1, 0, dict("'<i4'", "False", "(-2,)"), data), ErrHeader},
		"shape a float":       {file(1, 0, dict("'<i4'", "False", "(2.0,)"), data), ErrHeader},
		"shape in hex":        {file(1, 0, dict("'<i4'", "False", "(0x2,)"), data), ErrHeader},
		"shape leading zero":  {file(1, 0, dict("'<i4'", "False", "(02,)"), data), ErrHeader},
		"shape grouped":       {file(1, 0, dict("'<i4'", "False", "(1_0,)"), data), ErrHeader},
		"shape only a comma":  {file(1, 0, dict("'<i4'", "False", "(,)"), data), ErrHeader},
		"shape two commas":    {file(1, 0, dict("'<i4'", "False", "(1,,2)"), data), ErrHeader},
		"shape not closed":    {file(1, 0, "{'shape': (2,", data), ErrHeader},
		"long in version 3":   {file(3, 0, dict("'<i4'", "False", "(2L,)"), data), ErrHeader},
		"nine dimensions":     {file(1, 0, dict("'<i4'", "False", "(1,1,1,1,1,1,1,1,1)"), data), proto.ErrShape},
		"dimension 2^64":      {file(1, 0, dict("'|u1'", "False", "(18446744073709551616,)"), data), proto.ErrShape},
		"dimension 2^64+4":    {file(1, 0, dict("'|u1'", "False", "(18446744073709551620,)"), data), proto.ErrShape},
		"dimension 10^30":     {file(1, 0, dict("'|u1'", "False", "(1"+strings.Repeat("0", 30)+",)"), data), proto.ErrShape},
		"dimension 2^64-1":    {file(1, 0, dict("'|u1'", "False", "(18446744073709551615,)"), data), proto.ErrShape},
		"product 2^64":        {file(1, 0, dict("'|u1'", "False", "(4294967296, 4294967296)"), data), proto.ErrShape},
		"bytes 2^64":          {file(1, 0, dict("'<f8'", "False", "(2305843009213693952,)"), data), proto.ErrShape},
		"product behind zero": {file(1, 0, dict("'|u1'", "True", "(0, 4294967296, 4294967296)"), data), proto.ErrShape},
		"no byte order":       {file(1, 0, dict("'i4'", "False", "(2,)"), data), ErrDType},
		"our own name":        {file(1, 0, dict("'f64'", "False", "(2,)"), data), ErrDType},
		"native order":        {file(1, 0, dict("'=i4'", "False", "(2,)"), data), ErrDType},
		"order of no meaning": {file(1, 0, dict("'|i4'", "False", "(2,)"), data), ErrDType},
		"empty descr":         {file(1, 0, dict("''", "False", "(2,)"), data), ErrDType},
		"objects":             {file(1, 0, dict("'|O'", "False", "(2,)"), data), ErrDType},
		"strings":             {file(1, 0, dict("'<U4'", "False", "(2,)"), data), ErrDType},
		"long double":         {file(1, 0, dict("'<f16'", "False", "(2,)"), data), ErrDType},
		"big-endian unknown":  {file(1, 0, dict("'>f3'", "False", "(2,)"), data), ErrDType},
		"structured":          {file(1, 0, dict("[('x', '<f8')]", "False", "(2,)"), data), ErrDType},
	} {
		if _, err := Parse(c.b); !errors.Is(err, c.want) {
			t.Errorf("parse %s: %v; want %v", name, err, c.want)
		}
		if _, err := Read(bytes.NewReader(c.b)); !errors.Is(err, c.want) {
			t.Errorf("read %s: %v; want %v", name, err, c.want)
		}
	}
}

// Check that a file cut at any byte is refused as truncated, or as ended when
// nothing of it is there, and that missing data is named with both sizes.
func TestTruncated(t *testing.T) {
	for _, major := range []byte{1, 2, 3} {
		whole := file(major, 0, plain, make([]byte, 8))
		for n := range len(whole) {
			if _, err := Parse(whole[:n]); !errors.Is(err, proto.ErrTruncated) {
				t.Fatalf("parse %d of %d bytes: %v", n, len(whole), err)
			}
			want := proto.ErrTruncated
			if n == 0 {
				want = io.EOF
			}
			if _, err := Read(bytes.NewReader(whole[:n])); !errors.Is(err, want) || n > 0 && errors.Is(err, io.EOF) {
				t.Fatalf("read %d of %d bytes: %v", n, len(whole), err)
			}
		}
		for _, err := range []error{second(Parse(whole[:len(whole)-3])), second(Read(bytes.NewReader(whole[:len(whole)-3])))} {
			if s := err.Error(); !strings.Contains(s, "8 bytes") || !strings.Contains(s, "5 present") {
				t.Errorf("message %q names not both sizes", s)
			}
		}
	}
}

func second(_ nd.Array, err error) error { return err }

// Check that a header that promises 2^47 bytes is answered with the size that
// came, and takes no memory of that order.
func TestPromisedButAbsent(t *testing.T) {
	b := file(1, 0, dict("'<f8'", "False", "(17592186044416,)"), make([]byte, 9<<20))
	_, err := Read(bytes.NewReader(b))
	if !errors.Is(err, proto.ErrTruncated) || !strings.Contains(err.Error(), "140737488355328") || !strings.Contains(err.Error(), "9437184") {
		t.Fatalf("%v", err)
	}
}

// Check that an error of the stream comes through, at the header and in the data.
func TestStreamError(t *testing.T) {
	broken := errors.New("broken")
	whole := file(1, 0, plain, make([]byte, 8))
	for _, n := range []int{0, 3, 9, 40, len(whole) - 8, len(whole) - 1} {
		r := io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken))
		if _, err := Read(r); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// Check that arrays larger than the first piece of memory arrive whole, from a
// stream that gives a few bytes at a time, and are aligned.
func TestReadLarge(t *testing.T) {
	a, err := nd.Make(proto.U64, 3, 700_001)
	if err != nil {
		t.Fatal(err)
	}
	s, err := nd.Slice[uint64](a)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s {
		s[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
	var buf bytes.Buffer
	if err := Write(&buf, a); err != nil {
		t.Fatal(err)
	}
	back, err := Read(iotest.HalfReader(&buf))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := nd.Slice[uint64](back); err != nil || !slices.Equal(got, s) {
		t.Fatalf("differs: %v", err)
	}
}

// Check that arrays written one behind the other are read one by one, each
// consuming its own bytes only, until io.EOF.
func TestSeveralInOneStream(t *testing.T) {
	var buf bytes.Buffer
	all := vectors(t)
	for _, v := range all {
		buf.Write(v.file)
	}
	r := iotest.OneByteReader(&buf)
	for _, v := range all {
		a, err := Read(r)
		if err != nil || !bytes.Equal(packed(t, a), v.want) {
			t.Fatalf("%s: %v", v.name, err)
		}
	}
	if _, err := Read(r); err != io.EOF {
		t.Fatalf("behind the last: %v, want io.EOF", err)
	}
}

// Check that single bytes have no order: a big-endian mark is accepted and the
// data shared as it is.
func TestBigEndianBytes(t *testing.T) {
	b := file(1, 0, dict("'>i1'", "False", "(2,)"), []byte{1, 0xff})
	h, err := ParseHeader(b)
	if err != nil || h.BigEndian || h.Desc.DType != proto.I8 {
		t.Fatalf("%+v, %v", h, err)
	}
	a, err := Parse(b)
	if err != nil || a.String() != "i8[2] 1 -1" {
		t.Fatalf("%v, %v", a, err)
	}
	b[len(b)-1] = 7
	if a.String() != "i8[2] 1 7" {
		t.Fatalf("%v does not share", a)
	}
}

// Check that a header tells where the data begins, so that a buffer of several
// arrays can be walked.
func TestParseHeaderWalks(t *testing.T) {
	var b []byte
	all := vectors(t)
	for _, v := range all {
		b = append(b, v.file...)
	}
	for _, v := range all {
		h, err := ParseHeader(b)
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		a, err := Parse(b)
		if err != nil || !bytes.Equal(packed(t, a), v.want) || h.DataBytes() != len(v.want) {
			t.Fatalf("%s: %v, %d bytes of data, want %d", v.name, err, h.DataBytes(), len(v.want))
		}
		b = b[h.Bytes+h.DataBytes():]
	}
	if len(b) != 0 {
		t.Fatalf("%d bytes left", len(b))
	}
}

// Check that strided views, small and larger than the packing buffer, are
// written as their packed copy.
func TestWriteStrided(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	for _, shape := range [][]int{{4, 6}, {3, 1, 5}, {900, 400}, {2, 150_000}, {300_000, 2}, {2, 3, 70_000}} {
		a, err := nd.Make(proto.F64, shape...)
		if err != nil {
			t.Fatal(err)
		}
		s, err := nd.Slice[float64](a)
		if err != nil {
			t.Fatal(err)
		}
		for i := range s {
			s[i] = r.Float64()
		}
		transposed, err := a.Transpose()
		if err != nil {
			t.Fatal(err)
		}
		reversed, err := a.Slice(0, a.Dim(0)-1, -1, -1)
		if err != nil {
			t.Fatal(err)
		}
		gapped, err := a.Slice(len(shape)-1, 0, a.Dim(len(shape)-1), 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []nd.Array{transposed, reversed, gapped} {
			var strided, direct bytes.Buffer
			if err := Write(&strided, v); err != nil {
				t.Fatal(err)
			}
			if err := Write(&direct, v.Clone()); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(strided.Bytes(), direct.Bytes()) {
				t.Errorf("%s of %v: strided and packed differ", v.Desc(), shape)
			}
		}
	}
}

// Check that the zero Array and a failing writer are errors.
func TestWriteErrors(t *testing.T) {
	if err := Write(io.Discard, nd.Array{}); !errors.Is(err, proto.ErrShape) {
		t.Errorf("zero array: %v", err)
	}
	a, err := nd.Make(proto.F64, 40, 3)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := a.Transpose()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 128} {
		for _, v := range []nd.Array{a, tr} {
			if err := Write(&limited{n}, v); !errors.Is(err, io.ErrShortWrite) {
				t.Errorf("%s, writer full after %d: %v", v.Desc(), n, err)
			}
		}
	}
}

// limited takes whole writes until its bytes are used up.
type limited struct{ left int }

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.left {
		return 0, io.ErrShortWrite
	}
	l.left -= len(b)
	return len(b), nil
}

// Check that arbitrary bytes never panic, that Parse and Read agree on them, and
// that what was read is written and read back the same.
func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		if len(v.file) < 300 {
			f.Add(v.file)
		}
	}
	f.Add(file(1, 0, dict("'|O'", "False", "(2,)"), nil))
	f.Add(file(2, 0, dict("'<f8'", "True", "(0, 4294967296)"), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Parse(b)
		r, readErr := Read(bytes.NewReader(b))
		if (err == nil) != (readErr == nil) {
			t.Fatalf("parse: %v, read: %v", err, readErr)
		}
		if err != nil {
			return
		}
		if a.Desc() != r.Desc() || !bytes.Equal(packed(t, a), packed(t, r)) {
			t.Fatalf("parse %v, read %v", a, r)
		}
		var out bytes.Buffer
		if err := Write(&out, a); err != nil {
			t.Fatal(err)
		}
		back, err := Parse(out.Bytes())
		if err != nil || !bytes.Equal(packed(t, back), packed(t, a)) || back.Desc().String() != a.Desc().String() {
			t.Fatalf("%v written and read back: %v, %v", a, back, err)
		}
	})
}
