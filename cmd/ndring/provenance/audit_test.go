package provenance

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/ndring/ndring/kernel"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/proto/nd"
)

// frame is one frame of a made-up ring.
type frame struct {
	head proto.Header
	x    []float64
}

// results are the frames a stage makes of the first count frames of p's source.
func results(t *testing.T, p Provenance, count int) []frame {
	t.Helper()
	k, err := kernel.New(p.Chain[0].Kernel, p.Chain[0].Params())
	if err != nil {
		t.Fatal(err)
	}
	var all []frame
	last := make([]float64, p.Source.Shape[0])
	for n := range uint64(count) {
		x, y, d := make([]float64, len(last)), make([]float64, len(last)), make([]float64, len(last))
		p.Source.Fill(x, n)
		k.ApplyDelta(y, d, last, x)
		h := proto.Header{
			Kind: proto.KindData, DType: proto.F64, NDim: 1, ExtFlags: proto.ExtStream, Sequence: uint32(n + 1),
		}
		h.Shape[0] = uint64(len(x))
		all = append(all, frame{h, y})
		if n > 0 {
			h.Role = proto.RoleDelta
			all = append(all, frame{h, d})
		}
	}
	return all
}

func arcsecOf(kind string) Provenance {
	return Provenance{Source: Source{Kind: kind, DType: "f64", Shape: []int{4}, Seed: 3, Period: 50}, Chain: []Step{{Kernel: "arcsec"}}}
}

// audited runs an audit and returns its first error.
func audited(t *testing.T, p Provenance, frames []frame, lossy bool) (*Audit, error) {
	t.Helper()
	a, err := NewAudit(p, lossy)
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		x, err := nd.From(frames[i].x)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Frame(&frames[i].head, x); err != nil {
			return a, err
		}
	}
	return a, a.Close()
}

// Check that right results of every source pass, and are counted.
func TestAuditAccepts(t *testing.T) {
	for _, kind := range []string{KindLinspace, KindSine, KindRandom} {
		p := arcsecOf(kind)
		a, err := audited(t, p, results(t, p, 300), false)
		if err != nil || a.Primary != 300 || a.Delta != 299 {
			t.Errorf("%s: %d PRIMARY, %d DELTA, %v", kind, a.Primary, a.Delta, err)
		}
		if kind == KindLinspace && a.Rounded != 0 {
			t.Errorf("%s: %d rounded values, want none", kind, a.Rounded)
		}
	}
}

// Check that one wrong bit, a missing, doubled or exchanged frame is found, each
// in PRIMARY and in DELTA.
func TestAuditRefuses(t *testing.T) {
	p := arcsecOf(KindRandom)
	flip := func(i int) func([]frame) []frame {
		return func(f []frame) []frame {
			f[i].x[3] = math.Float64frombits(math.Float64bits(f[i].x[3]) ^ 1)
			return f
		}
	}
	without := func(i int) func([]frame) []frame {
		return func(f []frame) []frame { return append(f[:i:i], f[i+1:]...) }
	}
	for name, c := range map[string]struct {
		change func([]frame) []frame
		want   error
	}{
		"PRIMARY differs": {flip(5), ErrDiffers},
		"DELTA differs":   {flip(6), ErrDiffers},
		"PRIMARY missing": {without(5), ErrGap},
		"DELTA missing":   {without(6), ErrGap},
		"last DELTA":      {without(18), ErrGap},
		"twice":           {func(f []frame) []frame { return append(f[:7:7], f[5:]...) }, ErrGap},
		"shape": {func(f []frame) []frame {
			f[5].head.Shape[0] = 3
			return f
		}, ErrDiffers},
		"strided": {func(f []frame) []frame { // a few bytes can claim any shape
			f[5].head.ExtFlags |= proto.ExtStrides
			return f
		}, ErrDiffers},
		"first has DELTA": {func(f []frame) []frame {
			d := f[2]
			d.head.Sequence = 1
			return append([]frame{f[0], d}, f[1:]...)
		}, ErrDiffers},
	} {
		if _, err := audited(t, p, c.change(results(t, p, 10)), false); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Check that a lossy audit takes gaps but no wrong value, also when it begins with
// a DELTA.
func TestAuditLossy(t *testing.T) {
	p := arcsecOf(KindSine)
	all := results(t, p, 40)
	some := append(append([]frame{}, all[8:20]...), all[31:60]...)
	if a, err := audited(t, p, some, true); err != nil {
		t.Errorf("%d PRIMARY, %d DELTA: %v", a.Primary, a.Delta, err)
	}
	some[20].x[0]++
	if _, err := audited(t, p, some, true); !errors.Is(err, ErrDiffers) {
		t.Errorf("a wrong value: %v, want ErrDiffers", err)
	}
}

// Check that streams of several sources are told apart and that a stream's end
// starts it anew.
func TestAuditStreams(t *testing.T) {
	p := arcsecOf(KindLinspace)
	var mixed []frame
	one, two := results(t, p, 20), results(t, p, 20)
	for i := range one {
		two[i].head.SourceID = 7
		mixed = append(mixed, one[i], two[i])
	}
	end := frame{head: proto.Header{Kind: proto.KindStreamEnd, ExtFlags: proto.ExtStream}, x: []float64{}}
	mixed = append(append(mixed, end), results(t, p, 3)...)
	if a, err := audited(t, p, mixed, false); err != nil || a.Primary != 43 {
		t.Errorf("%d PRIMARY, %v", a.Primary, err)
	}
}

// Check that a sequence id of 32 bits is extended past its wrap, forwards and
// backwards.
func TestSourceFrame(t *testing.T) {
	for _, c := range []struct {
		sequence uint32
		next     uint64
		want     uint64
	}{{1, 0, 0}, {5, 3, 4}, {0, 1<<32 - 1, 1<<32 - 1}, {1, 1 << 32, 1 << 32}, {3, 1<<32 - 1, 1<<32 + 2}, {0, 1<<32 + 4, 1<<32 - 1}} {
		h := proto.Header{ExtFlags: proto.ExtStream, Sequence: c.sequence}
		if got := sourceFrame(&h, c.next); got != c.want {
			t.Errorf("sequence %d near %d is frame %d, want %d", c.sequence, c.next, got, c.want)
		}
	}
	if h := (proto.Header{Number: 9, Sequence: 4}); sourceFrame(&h, 0) != 9 {
		t.Error("a frame of no stream is its own number")
	}
}

// Check that metadata survives encoding, and that what cannot be recomputed says
// why.
func TestProvenance(t *testing.T) {
	p := arcsecOf(KindSine)
	p.Chain[0].Fx, p.Chain[0].Fy = []float64{1, 2.5}, []float64{3, 1e300}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse(b)
	if err != nil || !same(back.Chain[0].Fy[1], 1e300) {
		t.Errorf("parsed %+v, %v", back, err)
	}
	for meta, want := range map[string]string{
		"": "no metadata", "{": "not ours", "[]": "not ours", "{}": "names no source",
		`{"source":{"kind":"npy","dtype":"f64","shape":[1]}}`:                                                    `source "npy"`,
		`{"source":{"kind":"linspace","dtype":"f64","shape":[-1]}}`:                                              "-1",
		`{"source":{"kind":"linspace","dtype":"x","shape":[1]}}`:                                                 "unknown dtype",
		`{"source":{"kind":"linspace","dtype":"f32","shape":[1]},"chain":[{"kernel":"arcsec"}]}`:                 "f32",
		`{"source":{"kind":"linspace","dtype":"f64","shape":[1]},"chain":[{"kernel":"no"}]}`:                     "unknown kernel",
		`{"source":{"kind":"linspace","dtype":"f64","shape":[281474976710655,281474976710655,99999]}}`:           "exceeds",
		`{"source":{"kind":"linspace","dtype":"f64","shape":[1]},"chain":[{"kernel":"interp","abridged":true}]}`: "too long",
	} {
		p, err := Parse([]byte(meta))
		if err == nil {
			_, err = NewAudit(p, false)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("metadata %q: %v, want %q", meta, err, want)
		}
	}
}

// Check that a model longer than a ring's metadata is left out, and says so.
func TestProvenanceAbridged(t *testing.T) {
	p := arcsecOf(KindSine)
	for i := range 3000 {
		p.Chain[0].Fx = append(p.Chain[0].Fx, float64(i)+0.123456789)
		p.Chain[0].Fy = append(p.Chain[0].Fy, float64(i)+0.123456789)
	}
	b, err := p.Encode()
	if err != nil || len(b) > proto.MaxMetaBytes {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	back, err := Parse(b)
	if err != nil || !back.Chain[0].Abridged || len(back.Chain[0].Fx) != 0 {
		t.Errorf("parsed %+v, %v", back, err)
	}
}

// Check that inputs of one provenance keep it and others become mixed.
func TestJoin(t *testing.T) {
	a, b := arcsecOf(KindSine), arcsecOf(KindLinspace)
	if got := Join([]Provenance{a, arcsecOf(KindSine)}); got.Source.Kind != KindSine {
		t.Errorf("equal inputs join to %q", got.Source.Kind)
	}
	if got := Join([]Provenance{a, b}); got.Source.Kind != KindMixed {
		t.Errorf("different inputs join to %q", got.Source.Kind)
	}
}

// Check that linspace is NumPy's for the first chunks of the seed conversation:
// ends included, equal steps.
func TestLinspace(t *testing.T) {
	x := make([]float64, 5)
	Source{Kind: KindLinspace}.Fill(x, 2)
	for i, want := range []float64{3, 3.25, 3.5, 3.75, 4} {
		if x[i] != want {
			t.Errorf("value %d is %v, want %v", i, x[i], want)
		}
	}
	Source{Kind: KindLinspace}.Fill(x[:0], 2)
	Source{Kind: KindLinspace}.Fill(x[:1], 2)
	if x[0] != 3 {
		t.Errorf("the only value is %v, want 3", x[0])
	}
}
