package nd

import (
	"math"
	"math/rand/v2"
	"testing"
)

// value16 is the textbook value of finite bits, computed in float64.
func value16(h Float16) float64 {
	exp, frac := int(h>>10&0x1f), float64(h&0x3ff)
	v := math.Ldexp(frac, -24)
	if exp > 0 {
		v = math.Ldexp(1024+frac, exp-25)
	}
	if h&0x8000 != 0 {
		return -v
	}
	return v
}

// Check that all 65536 bit patterns become the right float32 and come back as
// themselves, NaN payloads included.
func TestFloat16Exhaustive(t *testing.T) {
	for i := range 1 << 16 {
		h := Float16(i)
		f := h.Float32()
		switch {
		case h&0x7fff == 0x7c00:
			if !math.IsInf(float64(f), 1-2*int(h>>15)) {
				t.Fatalf("%#04x: %v, want infinity", i, f)
			}
		case h&0x7c00 == 0x7c00:
			if f == f {
				t.Fatalf("%#04x: %v, want NaN", i, f)
			}
		case float64(f) != value16(h) || math.Signbit(float64(f)) != (h>>15 == 1):
			t.Fatalf("%#04x: %v, want %v", i, f, value16(h))
		}
		if back := FromFloat32(f); back != h {
			t.Fatalf("%#04x: %v comes back as %#04x", i, f, uint16(back))
		}
		if f == f && FromFloat64(float64(f)) != h {
			t.Fatalf("%#04x: %v comes back as %#04x from float64", i, f, uint16(FromFloat64(float64(f))))
		}
	}
}

// Check that between each two neighbours the halfway point goes to the even one,
// and its float32 and float64 neighbours to the nearer one; 65520 and up go to
// infinity.
func TestFloat16RoundsToNearestEven(t *testing.T) {
	for h := Float16(0); h < 0x7c00; h++ {
		low, high := value16(h), value16(h+1)
		if h+1 == 0x7c00 {
			high = 65536
		}
		mid := (low + high) / 2
		even := h + h&1
		f := float32(mid)
		if float64(f) != mid {
			t.Fatalf("%#04x: the halfway point %v is no float32", uint16(h), mid)
		}
		below, above := math.Nextafter32(f, 0), math.Nextafter32(f, math.MaxFloat32)
		for _, sign := range []Float16{0, 0x8000} {
			s := float32(1 - 2*int(sign>>15))
			if a, b, c := FromFloat32(s*f), FromFloat32(s*below), FromFloat32(s*above); a != even|sign || b != h|sign || c != (h+1)|sign {
				t.Fatalf("around %v: %#04x %#04x %#04x, want %#04x %#04x %#04x", mid, a, b, c, even|sign, h|sign, (h+1)|sign)
			}
			d := float64(s)
			b, c := FromFloat64(d*math.Nextafter(mid, 0)), FromFloat64(d*math.Nextafter(mid, math.MaxFloat64))
			if a := FromFloat64(d * mid); a != even|sign || b != h|sign || c != (h+1)|sign {
				t.Fatalf("float64 around %v: %#04x %#04x %#04x, want %#04x %#04x %#04x", mid, a, b, c, even|sign, h|sign, (h+1)|sign)
			}
		}
	}
}

// Check the ends: zeros keep their sign, the tiny vanish, the huge overflow, and
// a NaN whose upper payload is zero does not turn into infinity.
func TestFloat16Ends(t *testing.T) {
	for _, c := range []struct {
		f    float64
		want Float16
	}{
		{0, 0}, {math.Copysign(0, -1), 0x8000}, {0x1p-25, 0}, {-0x1p-25, 0x8000}, {0x1.000002p-25, 1}, {0x1p-1074, 0}, {-0x1p-149, 0x8000},
		{65519.996, 0x7bff}, {65520, 0x7c00}, {-65520, 0xfc00}, {1e39, 0x7c00}, {-1e308, 0xfc00}, {math.MaxFloat32, 0x7c00}, {math.Inf(-1), 0xfc00},
	} {
		if got := FromFloat64(c.f); got != c.want {
			t.Errorf("%v: %#04x, want %#04x", c.f, uint16(got), uint16(c.want))
		}
		if got := FromFloat32(float32(c.f)); got != c.want {
			t.Errorf("float32 %v: %#04x, want %#04x", float32(c.f), uint16(got), uint16(c.want))
		}
	}
	for _, bits := range []uint32{0x7f800001, 0x7fc00000, 0xff800001, 0xffffffff} {
		h := FromFloat32(math.Float32frombits(bits))
		if h&0x7c00 != 0x7c00 || h&0x3ff == 0 || uint32(h>>15) != bits>>31 {
			t.Errorf("NaN %#x: %#04x", bits, uint16(h))
		}
	}
	if h := FromFloat64(math.NaN()); h&0x7fff <= 0x7c00 {
		t.Errorf("NaN: %#04x", uint16(h))
	}
}

// Check that random float32 and float64 go to the nearest of all Float16, by
// comparing distances, not by rounding bits.
func TestFloat16Nearest(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 200000 {
		f := math.Ldexp(r.Float64()+1, r.IntN(44)-27)
		if f >= 65520 {
			continue
		}
		h := FromFloat64(f)
		d := math.Abs(value16(h) - f)
		for _, n := range []Float16{h - 1, h + 1} {
			if n < 0x7c00 && math.Abs(value16(n)-f) < d {
				t.Fatalf("%v: %#04x, but %#04x is nearer", f, uint16(h), uint16(n))
			}
		}
	}
}

// Check that the text of every finite Float16 is short and names it alone.
func TestFloat16String(t *testing.T) {
	for h, want := range map[Float16]string{0x2e66: "0.1", 0x3c00: "1", 0x7bff: "65500", 0x0001: "6e-08", 0x8000: "-0", 0x7c00: "+Inf", 0xfc00: "-Inf", 0x7e00: "NaN"} {
		if got := h.String(); got != want {
			t.Errorf("%#04x: %q, want %q", uint16(h), got, want)
		}
	}
	seen := map[string]bool{}
	for h := range Float16(0x7c00) {
		s := h.String()
		if seen[s] {
			t.Fatalf("%#04x: %q names two values", uint16(h), s)
		}
		seen[s] = true
	}
}
