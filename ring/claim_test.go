package ring_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that commit and abort of a claim that is over leave whatever is open now
// alone, also when that is of another sort.
func TestStaleCommitTouchesNothing(t *testing.T) {
	ctx := context.Background()
	h := proto.Header{DType: proto.U8, NDim: 1, Shape: [8]uint64{40}}
	open := map[string]func(*ring.Writer) (commit, abort func(), err error){
		"claim": func(w *ring.Writer) (func(), func(), error) {
			c, err := w.Claim(ctx, proto.U8, 40)
			return c.Commit, c.Abort, err
		},
		"group": func(w *ring.Writer) (func(), func(), error) {
			g, err := w.ClaimGroup(ctx, []proto.Header{h, h})
			return g.Commit, g.Abort, err
		},
		"batch": func(w *ring.Writer) (func(), func(), error) {
			b, err := w.ClaimBatch(ctx, proto.U8, 40, 3)
			return b.Commit, b.Abort, err
		},
	}
	for first, open1 := range open {
		for second, open2 := range open {
			if first == second {
				continue // the same object, reused: its Commit is the new claim's
			}
			t.Run(first+" then "+second, func(t *testing.T) {
				p := newStill(t, nil)
				p.put(t, 40, 0)
				commit, abort, err := open1(p.w)
				if err != nil {
					t.Fatal(err)
				}
				commit()
				commit2, _, err := open2(p.w)
				if err != nil {
					t.Fatal(err)
				}
				before := bytes.Clone(p.mem)
				commit()
				abort()
				if !bytes.Equal(before, p.mem) {
					t.Fatal("a commit of what is over changed the ring")
				}
				if _, err := p.w.Claim(ctx, proto.U8, 40); err == nil {
					t.Fatal("the open claim was closed")
				}
				commit2()
				for n := uint64(0); p.word(p.r.Position()) != 0; n++ {
					if f := next(t, p.r); f.Number() != n || len(f.Payload()) != 40 {
						t.Fatalf("frame %d of %d bytes, want %d of 40", f.Number(), len(f.Payload()), n)
					}
					if err := p.r.Release(); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// Check that an element type that does not exist is refused, also when nothing else
// was claimed before that a claim could be compared with.
func TestClaimRefusesNoDType(t *testing.T) {
	p := newStill(t, nil)
	c, err := p.w.Claim(context.Background(), proto.U8, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	c.Commit()
	for _, dt := range []proto.DType{0, 15, 255} {
		_, err = p.w.Claim(context.Background(), dt, 0)
		wantErr(t, err, proto.ErrShape)
		_, err = p.w.ClaimBatch(context.Background(), dt, 0, 4)
		wantErr(t, err, proto.ErrShape)
	}
}

// Check that a second claim is refused while one is open, whatever sort either is,
// and that the first one is not hurt by it.
func TestOneClaimAtATime(t *testing.T) {
	p := newStill(t, nil)
	ctx := context.Background()
	c, err := p.w.Claim(ctx, proto.U8, 40)
	if err != nil {
		t.Fatal(err)
	}
	stamp(c.Payload(), 7)
	_, err = p.w.Claim(ctx, proto.U8, 40)
	wantErr(t, err, ring.ErrClaimOpen)
	_, err = p.w.Claim(ctx, proto.F64, 2, 2)
	wantErr(t, err, ring.ErrClaimOpen)
	_, err = p.w.ClaimGroup(ctx, halfRing())
	wantErr(t, err, ring.ErrClaimOpen)
	_, err = p.w.ClaimBatch(ctx, proto.U8, 40, 2)
	wantErr(t, err, ring.ErrClaimOpen)
	c.Commit()
	take(t, p.r, 40, 7)
	mustWait(t, p.r)
}

// Check that an aborted claim leaves no trace for readers, numbers included, even
// when its payload is full of commit words.
func TestAbortIsInvisible(t *testing.T) {
	p := newStill(t, nil)
	for i := range uint64(3000) {
		n := int(i*37) % 900
		c := mustFit(t, p.w, 16000)
		poison(p, c.Payload())
		c.Abort()
		mustWait(t, p.r)
		p.put(t, n, i)
		f := next(t, p.r)
		if f.Number() != i || len(f.Payload()) != n || !stamped(f.Payload(), i) {
			t.Fatalf("frame %d of %d bytes, want %d of %d", f.Number(), len(f.Payload()), i, n)
		}
		if err := p.r.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

// poison fills payload, which lies in the ring, with the commit words that a frame
// at each line of it would have.
func poison(p *pair, payload []byte) {
	clear(payload)
	from := p.w.Segment().Tail()
	for at := from; at < from+2*smallBytes; at += proto.LineBytes {
		line := p.at(at)[:8]
		if off := offsetIn(payload, line); off >= 0 {
			le.PutUint64(line, at|uint64(proto.KindData))
		}
	}
}

// Check that frames of exactly the limit go through at every phase of the ring, and
// that one byte more is refused.
func TestFrameOfAQuarterOfTheRing(t *testing.T) {
	p := newStill(t, nil)
	limit := int(p.seg.Identity().FrameLimit)
	if limit != smallBytes/4 {
		t.Fatalf("frame limit %d", limit)
	}
	for i := range uint64(500) {
		p.put(t, limit, i)
		take(t, p.r, limit, i)
		if i%3 == 0 {
			p.put(t, int(i)%200, i)
			take(t, p.r, int(i)%200, i)
		}
	}
	for _, shape := range [][]int{{limit + 1}, {limit + 1, 1}} {
		_, err := p.w.Claim(context.Background(), proto.U8, shape...)
		wantErr(t, err, ring.ErrFrameTooLarge)
	}
	_, err := p.w.Claim(context.Background(), proto.F64, 1<<61)
	wantErr(t, err, proto.ErrShape)
	_, err = p.w.Claim(context.Background(), proto.U8, -1)
	wantErr(t, err, proto.ErrShape)
	_, err = p.w.Claim(context.Background(), proto.U8, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	wantErr(t, err, proto.ErrShape)
	_, err = p.w.ClaimGroup(context.Background(), append(halfRing(), halfRing()[0]))
	wantErr(t, err, ring.ErrFrameTooLarge)
	_, err = p.w.ClaimGroup(context.Background(), nil)
	wantErr(t, err, proto.ErrShape)
}

// Check that every element type crosses the ring with up to eight dimensions, as
// claimed and as read, inline and with an extension.
func TestEveryDTypeAndDimension(t *testing.T) {
	p := newStill(t, nil)
	for dt := proto.F64; dt.Valid(); dt++ {
		for ndim := range proto.MaxDims + 1 {
			shape := []int{3, 2, 1, 2, 1, 1, 2, 1}[:ndim]
			c, err := p.w.Claim(context.Background(), dt, shape...)
			if err != nil {
				t.Fatal(err)
			}
			a, err := c.Array()
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(a.Shape()) != fmt.Sprint(shape) || a.DType() != dt || a.Bytes() != len(c.Payload()) {
				t.Fatalf("claimed %v%v, the array is %v", dt, shape, a)
			}
			seed := uint64(dt)<<8 + uint64(ndim)
			stamp(c.Payload(), seed)
			c.Commit()
			f := next(t, p.r)
			b, err := f.Array()
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(b.Shape()) != fmt.Sprint(shape) || b.DType() != dt || !stamped(f.Payload(), seed) {
				t.Fatalf("claimed %v%v, read %v", dt, shape, b)
			}
			if h := f.Header(); h.DType != dt || int(h.NDim) != ndim || f.NDim() != ndim || h.PayloadLen != uint64(len(f.Payload())) {
				t.Fatalf("header %+v of %v%v", h, dt, shape)
			}
		}
	}
}

// Check that everything an extended header can say arrives, strides included.
func TestExtendedHeaderArrives(t *testing.T) {
	p := newStill(t, nil)
	want := proto.Header{
		DType: proto.I16, NDim: 2, Role: proto.RoleDelta, Sequence: 7, TimeNs: 8, Stream: 9, Source: 10, SourceID: 11,
		ExtFlags: proto.ExtShape | proto.ExtStrides | proto.ExtStream | proto.ExtSource | proto.ExtTime,
		Shape:    [8]uint64{2, 3}, Strides: [8]int64{32, 4},
	}
	c, err := p.w.ClaimFrame(context.Background(), &want)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Payload()); n != 32+2*4+2 {
		t.Fatalf("payload of %d bytes", n)
	}
	if c.Float64s() != nil {
		t.Fatal("an i16 frame as float64")
	}
	c.Commit()
	f := next(t, p.r)
	got := f.Header()
	want.Kind, want.Flags, want.PayloadLen = proto.KindData, proto.FlagExtended, 42
	if got != want {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
	if f.Float64s() != nil {
		t.Fatal("a strided frame as float64")
	}
	if _, err := ring.Values[int16](f); err == nil {
		t.Fatal("a strided frame as one slice")
	}
}

// Check that values written through a claim are those read through each typed view.
func TestTypedViews(t *testing.T) {
	p := newStill(t, nil)
	for _, shape := range [][]int{{5}, {5, 1}} {
		c, err := p.w.Claim(context.Background(), proto.F64, shape...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Float64s() {
			c.Float64s()[i] = float64(i) / 3
		}
		c.Commit()
		f := next(t, p.r)
		v, err := ring.Values[float64](f)
		if err != nil || len(v) != 5 || len(f.Float64s()) != 5 {
			t.Fatalf("%v: %v, %v", shape, v, err)
		}
		for i := range v {
			if v[i] != float64(i)/3 || f.Float64s()[i] != v[i] {
				t.Fatalf("%v: element %d is %v", shape, i, v[i])
			}
		}
		if _, err := ring.Values[float32](f); err == nil {
			t.Fatal("an f64 frame as float32")
		}
	}
}

// Check that a ring with a schema admits what it declares and nothing else, by the
// short way of a claim like the one before as well.
func TestSchemaIsEnforced(t *testing.T) {
	ctx := context.Background()
	p := newStill(t, func(id *proto.Identity) {
		id.Schema = proto.Schema{DType: proto.F64, NDim: 2, Shape: [8]uint64{3, proto.AnyDim}}
	})
	for _, ok := range [][]int{{3, 0}, {3, 1}, {3, 9}} {
		c, err := p.w.Claim(ctx, proto.F64, ok...)
		if err != nil {
			t.Fatal(err)
		}
		c.Commit()
	}
	for _, bad := range [][]int{{}, {3}, {4, 1}, {3, 1, 1}} {
		_, err := p.w.Claim(ctx, proto.F64, bad...)
		wantErr(t, err, proto.ErrShape)
	}
	_, err := p.w.Claim(ctx, proto.F32, 3, 1)
	wantErr(t, err, proto.ErrShape)
	end, err := p.w.ClaimFrame(ctx, &proto.Header{Kind: proto.KindStreamEnd, DType: proto.U8, NDim: 1})
	if err != nil {
		t.Fatalf("the schema is about data frames: %v", err)
	}
	end.Commit()
	_, err = p.w.Claim(ctx, proto.U8, 0)
	wantErr(t, err, proto.ErrShape)
	_, err = p.w.ClaimGroup(ctx, []proto.Header{{DType: proto.F64, NDim: 1}})
	wantErr(t, err, proto.ErrShape)
}

// Check that nothing can be claimed after the end, and that a claim open at the end
// is aborted.
func TestNothingAfterFinish(t *testing.T) {
	ctx := context.Background()
	p := newStill(t, nil)
	p.put(t, 40, 0)
	c := mustFit(t, p.w, 40)
	p.w.Finish()
	before := bytes.Clone(p.mem)
	c.Commit()
	_, err := p.w.Claim(ctx, proto.U8, 40)
	wantErr(t, err, ring.ErrFinished)
	_, err = p.w.Claim(ctx, proto.U8, 4, 4)
	wantErr(t, err, ring.ErrFinished)
	_, err = p.w.ClaimBatch(ctx, proto.U8, 40, 2)
	wantErr(t, err, ring.ErrFinished)
	_, err = p.w.ClaimGroup(ctx, halfRing())
	wantErr(t, err, ring.ErrFinished)
	p.w.Finish()
	if !bytes.Equal(before, p.mem) {
		t.Fatal("the segment changed after its end")
	}
	_, err = p.revive(t, false)
	wantErr(t, err, ring.ErrFinished)
}
