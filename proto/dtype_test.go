package proto

import (
	"encoding/json"
	"strings"
	"testing"
)

// Check that codes, names and sizes are the ones of the contract: a changed code
// would make old frames mean something else.
func TestDTypeTable(t *testing.T) {
	want := []struct {
		d           DType
		code        uint8
		name, descr string
		size        int
	}{
		{F64, 1, "f64", "<f8", 8}, {F32, 2, "f32", "<f4", 4}, {F16, 3, "f16", "<f2", 2},
		{I8, 4, "i8", "|i1", 1}, {I16, 5, "i16", "<i2", 2}, {I32, 6, "i32", "<i4", 4}, {I64, 7, "i64", "<i8", 8},
		{U8, 8, "u8", "|u1", 1}, {U16, 9, "u16", "<u2", 2}, {U32, 10, "u32", "<u4", 4}, {U64, 11, "u64", "<u8", 8},
		{Bool, 12, "bool", "|b1", 1}, {C64, 13, "c64", "<c8", 8}, {C128, 14, "c128", "<c16", 16},
	}
	for _, w := range want {
		if uint8(w.d) != w.code || w.d.String() != w.name || w.d.Descr() != w.descr || w.d.Size() != w.size || !w.d.Valid() {
			t.Errorf("%v: code %d, descr %q, size %d, valid %v; want %+v", w.d, w.d, w.d.Descr(), w.d.Size(), w.d.Valid(), w)
		}
	}
}

// Check that every code outside the table is invalid, has size 0 and panics nowhere.
func TestDTypeInvalidCodes(t *testing.T) {
	for c := 0; c < 256; c++ {
		d := DType(c)
		if c >= 1 && c <= 14 {
			continue
		}
		if d.Valid() || d.Size() != 0 || d.Descr() != "" || !strings.HasPrefix(d.String(), "dtype(") {
			t.Errorf("code %d: valid %v, size %d, descr %q, string %q", c, d.Valid(), d.Size(), d.Descr(), d)
		}
		if _, err := d.MarshalText(); err == nil {
			t.Errorf("code %d: MarshalText succeeded", c)
		}
	}
}

// Check that each spelling of each type is read back as that type, and that
// NumPy's eight-byte "<i8" is not the eight-bit "i8".
func TestParseDType(t *testing.T) {
	for d := F64; d.Valid(); d++ {
		for _, s := range []string{d.String(), d.Descr(), dtypes[d].long} {
			if got, err := ParseDType(s); err != nil || got != d {
				t.Errorf("ParseDType(%q) = %v, %v; want %v", s, got, err, d)
			}
		}
	}
	for s, want := range map[string]DType{"i8": I8, "<i8": I64, "u8": U8, "<u8": U64, "<u1": U8, "<i1": I8, "<b1": Bool} {
		if got, err := ParseDType(s); err != nil || got != want {
			t.Errorf("ParseDType(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
}

// Check that an unknown name is refused with the names that exist, and a
// big-endian one with its reason.
func TestParseDTypeRefuses(t *testing.T) {
	for _, s := range []string{"", "f8", "F64", "f64 ", "<f3", "|f8", "object", "|O", "<U4", "=f8", "<1", "\x00"} {
		_, err := ParseDType(s)
		if err == nil || !strings.Contains(err.Error(), "f64") || !strings.Contains(err.Error(), "c128") {
			t.Errorf("ParseDType(%q): %v; want an error listing the types", s, err)
		}
	}
	if _, err := ParseDType(">f8"); err == nil || !strings.Contains(err.Error(), "big-endian") {
		t.Errorf("ParseDType(>f8): %v; want a word on byte order", err)
	}
}

// Check that JSON carries names, and that a bad name leaves the value alone.
func TestDTypeText(t *testing.T) {
	b, err := json.Marshal([]DType{F64, Bool})
	if err != nil || string(b) != `["f64","bool"]` {
		t.Fatalf("marshal: %s, %v", b, err)
	}
	var back []DType
	if err := json.Unmarshal(b, &back); err != nil || back[0] != F64 || back[1] != Bool {
		t.Fatalf("unmarshal: %v, %v", back, err)
	}
	d := I16
	if err := d.UnmarshalText([]byte("nope")); err == nil || d != I16 {
		t.Fatalf("bad name: %v, value %v", err, d)
	}
}
