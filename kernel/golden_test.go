package kernel

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"
)

// bitsFloat is a float64 written as 16 hexadecimal digits of its bits.
type bitsFloat float64

func (f *bitsFloat) UnmarshalText(text []byte) error {
	b, err := strconv.ParseUint(string(text), 16, 64)
	*f = bitsFloat(math.Float64frombits(b))
	return err
}

func floats(s []bitsFloat) []float64 {
	r := make([]float64, len(s))
	for i, v := range s {
		r[i] = float64(v)
	}
	return r
}

// vectorFile is testdata with inputs x and outputs y.
type vectorFile struct {
	Fx      []bitsFloat `json:"fx"`
	Fy      []bitsFloat `json:"fy"`
	MeanFy  bitsFloat   `json:"mean_fy"`
	Special struct{ X, Y []bitsFloat }
	Wide    struct{ X, Y []bitsFloat }
}

func readVectors(t *testing.T, path string) vectorFile {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// Check that arcsec agrees to 4 ulp with what NumPy computed, on every CPU level.
func TestArcsecGolden(t *testing.T) {
	f := readVectors(t, "../proto/testdata/arcsec.json")
	x := append(floats(f.Special.X), floats(f.Wide.X)...)
	want := append(floats(f.Special.Y), floats(f.Wide.Y)...)
	if len(x) < 500 || len(x) != len(want) {
		t.Fatalf("%d inputs and %d outputs", len(x), len(want))
	}
	k, err := New("arcsec", Params{})
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float64, len(x))
	k.Apply(y, x)
	for i := range x {
		if math.IsNaN(want[i]) && math.IsNaN(y[i]) {
			continue
		}
		ulp := math.Nextafter(math.Abs(want[i]), math.Inf(1)) - math.Abs(want[i])
		if !(math.Abs(y[i]-want[i]) <= 4*ulp) {
			t.Errorf("arcsec(%x) = %x, want %x", x[i], y[i], want[i])
		}
	}
}

// Check that the default model is the one of the seed protocol, bit for bit.
func TestDefaultModel(t *testing.T) {
	f := readVectors(t, "../proto/testdata/arcsec.json")
	m := DefaultModel()
	for i := range f.Fx {
		if m.Fx[i] != float64(f.Fx[i]) || m.Fy[i] != float64(f.Fy[i]) {
			t.Errorf("point %d: (%x, %x), want (%x, %x)", i, m.Fx[i], m.Fy[i], f.Fx[i], f.Fy[i])
		}
	}
	if got := mean(m.Fy); got != float64(f.MeanFy) {
		t.Errorf("mean(fy) = %v, want %v", got, f.MeanFy)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
}
