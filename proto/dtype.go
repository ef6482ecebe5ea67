package proto

import (
	"fmt"
	"strings"
)

// DType is the element type of a frame as it stands in the frame header: one
// byte. The codes are part of the contract and never change their meaning; 0 is
// invalid, so that a zeroed header names no type. Elements are little-endian.
type DType uint8

// The element types. Complex numbers are two floats, the real part first; a bool
// is one byte, 0 or 1.
const (
	F64  DType = 1
	F32  DType = 2
	F16  DType = 3
	I8   DType = 4
	I16  DType = 5
	I32  DType = 6
	I64  DType = 7
	U8   DType = 8
	U16  DType = 9
	U32  DType = 10
	U64  DType = 11
	Bool DType = 12
	C64  DType = 13
	C128 DType = 14
)

// dtypes is indexed by code. A longer table is a minor version: older readers
// find the new code invalid and refuse the frame.
var dtypes = [...]struct {
	name, long, descr string
	sizeBytes         uint8
}{
	F64:  {"f64", "float64", "<f8", 8},
	F32:  {"f32", "float32", "<f4", 4},
	F16:  {"f16", "float16", "<f2", 2},
	I8:   {"i8", "int8", "|i1", 1},
	I16:  {"i16", "int16", "<i2", 2},
	I32:  {"i32", "int32", "<i4", 4},
	I64:  {"i64", "int64", "<i8", 8},
	U8:   {"u8", "uint8", "|u1", 1},
	U16:  {"u16", "uint16", "<u2", 2},
	U32:  {"u32", "uint32", "<u4", 4},
	U64:  {"u64", "uint64", "<u8", 8},
	Bool: {"bool", "bool", "|b1", 1},
	C64:  {"c64", "complex64", "<c8", 8},
	C128: {"c128", "complex128", "<c16", 16},
}

// Valid reports whether d is one of the element types above.
func (d DType) Valid() bool { return d != 0 && int(d) < len(dtypes) }

// Size returns the bytes of one element, 0 when d is invalid.
func (d DType) Size() int {
	if int(d) >= len(dtypes) {
		return 0
	}
	return int(dtypes[d].sizeBytes)
}

// String returns the short name, such as "f64"; an invalid code reads "dtype(99)".
func (d DType) String() string {
	if !d.Valid() {
		return fmt.Sprintf("dtype(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Descr returns NumPy's type string, such as "<f8", and "" when d is invalid.
func (d DType) Descr() string {
	if !d.Valid() {
		return ""
	}
	return dtypes[d].descr
}

// ParseDType reads a short name ("f64"), a long one ("float64") or NumPy's type
// string with its byte-order mark ("<f8", "|u1"). The mark is what tells NumPy's
// "<i8", eight bytes, from the short name "i8", eight bits. Big-endian type
// strings are an error: elements are little-endian.
func ParseDType(s string) (DType, error) {
	want := s
	if len(s) == 3 && s[0] == '<' && s[2] == '1' {
		want = "|" + s[1:] // one byte has no order, so "<u1" is "|u1"
	}
	for d := F64; d.Valid(); d++ {
		t := &dtypes[d]
		if want == t.name || want == t.long || want == t.descr {
			return d, nil
		}
	}
	if strings.HasPrefix(s, ">") {
		return 0, fmt.Errorf("dtype %q is big-endian: elements are little-endian, swap them first", s)
	}
	return 0, fmt.Errorf("unknown dtype %q: use one of %s", s, knownDTypes())
}

func knownDTypes() string {
	var names []string
	for d := F64; d.Valid(); d++ {
		names = append(names, d.String())
	}
	return strings.Join(names, " ")
}

// MarshalText returns the short name, so that JSON shows "f64" and not a code.
func (d DType) MarshalText() ([]byte, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("marshal dtype: code %d is not a dtype", uint8(d))
	}
	return []byte(d.String()), nil
}

// UnmarshalText sets d to what ParseDType makes of b; d is unchanged on error.
func (d *DType) UnmarshalText(b []byte) error {
	v, err := ParseDType(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}
