package nd

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ndring/ndring/proto"
)

// model is an array as a plain list of the numbers its elements were given, in C
// order. Each operation builds a new list index by index.
type model struct {
	shape []int
	value []int32
}

func (m model) at(idx []int) int32 {
	flat := 0
	for i, n := range m.shape {
		flat = flat*n + idx[i]
	}
	return m.value[flat]
}

// build fills a model of the given shape with from(idx) of m.
func (m model) build(shape []int, from func(idx []int) []int) model {
	out := model{shape: shape}
	eachIndex(shape, func(idx []int) { out.value = append(out.value, m.at(from(idx))) })
	return out
}

func eachIndex(shape []int, visit func([]int)) {
	total := 1
	for _, n := range shape {
		total *= n
	}
	idx := make([]int, len(shape))
	for flat := range total {
		rest := flat
		for i := len(shape) - 1; i >= 0; i-- {
			idx[i] = rest % shape[i]
			rest /= shape[i]
		}
		visit(idx)
	}
}

// step applies one random operation to the array and the model alike.
func step(t *testing.T, r *rand.Rand, a Array, m model) (Array, model) {
	t.Helper()
	ok := must[Array](t)
	if len(m.shape) == 0 {
		return a, m
	}
	axis := r.IntN(len(m.shape))
	dim := m.shape[axis]
	switch r.IntN(5) {
	case 0:
		by := 1 + r.IntN(3)
		start := r.IntN(dim + 1)
		stop := start + r.IntN(dim-start+1)
		if r.IntN(2) == 0 && dim > 0 {
			by, start = -by, r.IntN(dim)
			stop = start - r.IntN(start+2)
		}
		var picked []int
		for i := start; by > 0 && i < stop || by < 0 && i > stop; i += by {
			picked = append(picked, i)
		}
		shape := slices.Clone(m.shape)
		shape[axis] = len(picked)
		return ok(a.Slice(axis, start, stop, by)), m.build(shape, func(idx []int) []int {
			from := slices.Clone(idx)
			from[axis] = picked[idx[axis]]
			return from
		})
	case 1:
		if dim == 0 {
			return a, m
		}
		i := r.IntN(dim)
		shape := slices.Delete(slices.Clone(m.shape), axis, axis+1)
		return ok(a.Index(axis, i)), m.build(shape, func(idx []int) []int { return slices.Insert(slices.Clone(idx), axis, i) })
	case 2:
		axes := r.Perm(len(m.shape))
		shape := make([]int, len(axes))
		for i, from := range axes {
			shape[i] = m.shape[from]
		}
		return ok(a.Transpose(axes...)), m.build(shape, func(idx []int) []int {
			from := make([]int, len(idx))
			for i, x := range axes {
				from[x] = idx[i]
			}
			return from
		})
	case 3:
		if !a.IsContiguous() {
			return a, m
		}
		shape := []int{len(m.value)}
		if len(m.value) > 0 && len(m.value)%2 == 0 {
			shape = []int{2, 1, len(m.value) / 2}
		}
		return ok(a.Reshape(shape...)), model{shape, m.value}
	default:
		return a, m
	}
}

// agree compares every way of reading a with the model.
func agree(t *testing.T, a Array, m model) {
	t.Helper()
	if !slices.Equal(a.Shape(), m.shape) || a.Len() != len(m.value) {
		t.Fatalf("shape %v with %d elements, want %v with %d", a.Shape(), a.Len(), m.shape, len(m.value))
	}
	eachIndex(m.shape, func(idx []int) {
		if v, err := At[int32](a, idx...); err != nil || v != m.at(idx) {
			t.Fatalf("element %v: %d, %v; want %d", idx, v, err, m.at(idx))
		}
	})
	values, err := Values[int32](a)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(values); !slices.Equal(got, m.value) {
		t.Fatalf("values %v, want %v", got, m.value)
	}
	c := a.Clone()
	if got, err := Slice[int32](c); err != nil || !slices.Equal(got, m.value) || !slices.Equal(c.Shape(), m.shape) {
		t.Fatalf("clone %v of shape %v, %v; want %v", got, c.Shape(), err, m.value)
	}
	if a.IsContiguous() {
		if got, err := Slice[int32](a); err != nil || !slices.Equal(got, m.value) {
			t.Fatalf("typed slice %v, %v; want %v", got, err, m.value)
		}
	} else if _, err := Slice[int32](a); err == nil {
		t.Fatal("a strided array gave a typed slice")
	}
}

// Check that random chains of views of random shapes read as the naive model
// does, by index, by walk and by copy, and that no view leaves the guarded
// memory around the elements.
func TestViewsAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 3000 {
		shape := make([]int, r.IntN(6))
		for i := range shape {
			shape[i] = r.IntN(5)
			if r.IntN(4) > 0 {
				shape[i] = 1 + r.IntN(4)
			}
		}
		a := must[Array](t)(Make(proto.I32, shape...))
		m := model{shape: slices.Clone(shape)}
		s := must[[]int32](t)(Slice[int32](a))
		for i := range s {
			s[i] = int32(i + 1)
			m.value = append(m.value, s[i])
		}
		agree(t, a, m)
		for range 4 {
			a, m = step(t, r, a, m)
			agree(t, a, m)
		}
	}
}

// Check that Copy packs elements of every size from forward, backward, gapped
// and repeated strides, and stores nothing behind them.
func TestCopyEverySize(t *testing.T) {
	for _, dt := range []proto.DType{proto.U8, proto.F16, proto.F32, proto.F64, proto.C128} {
		size := dt.Size()
		src := make([]byte, 7*5*size+3)
		for i := range src {
			src[i] = byte(i * 7)
		}
		for _, stride := range []int{0, size, 2 * size, size + 3} {
			d := describe(dt, []uint64{3, 4}, []int64{int64(4 * stride), int64(stride)})
			if d.Validate(len(src)) != nil {
				d.Strides[0] = int64(size)
			}
			a := must[Array](t)(New(d, src))
			for range 2 {
				out := make([]byte, a.Bytes()+1)
				out[a.Bytes()] = 0xee
				_ = must[int](t)(a.Copy(out))
				at := 0
				eachIndex(a.Shape(), func(idx []int) {
					from := a.offset + idx[0]*a.Stride(0) + idx[1]*a.Stride(1)
					if !slices.Equal(out[at:at+size], src[from:from+size]) {
						t.Fatalf("%v stride %d element %v", dt, a.Stride(1), idx)
					}
					at += size
				})
				if out[at] != 0xee {
					t.Fatalf("%v stride %d: stored behind the end", dt, stride)
				}
				a = must[Array](t)(a.Slice(1, 3, -1, -1))
			}
		}
	}
}
