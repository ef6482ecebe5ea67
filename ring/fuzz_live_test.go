package ring_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// The targets of this file play a ring whose sides all live, one step for each few
// bytes of the input.

// FuzzHistory runs any history of the differential test.
func FuzzHistory(f *testing.F) {
	f.Add(uint8(0), []byte{0, 1, 1, 1, 8, 0, 0, 0, 12, 0, 0, 9, 11, 0, 5, 0, 12, 0, 0, 255})
	f.Add(uint8(4), []byte{1, 200, 3, 2, 8, 1, 0, 0, 1, 201, 4, 1, 12, 0, 7, 7, 10, 0, 0, 0})
	f.Fuzz(func(t *testing.T, start uint8, script []byte) {
		var ops []op
		for ; len(script) >= 4 && len(ops) < 400; script = script[4:] {
			// Bits of b: how, how many, and whether at all.
			b := uint32(script[3])
			ops = append(ops, op{uint32(script[0]), uint32(script[1]) | uint32(script[2])<<8, b | b<<5&0xff00 | b<<10&0xff0000})
		}
		if err := replay(t, modelStarts[int(start)%len(modelStarts)], ops); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzHostileTable lets a reader store anything into the reader table while a writer
// and two honest readers work: those get their frames or ErrEvicted, and an observer
// sees whole frames only.
func FuzzHostileTable(f *testing.F) {
	f.Add([]byte{1, 2, 0, 1, 40, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2})
	f.Add([]byte{1, 1, 1, 0, 24, 64, 0, 0, 0, 0, 0, 0, 0, 2, 3, 1, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		id := proto.NewIdentity("x", smallBytes)
		id.Slots = 4
		p := newRing(t, id, ring.WriterConfig{Sleeper: awake{}})
		var readers [2]*ring.Reader
		for i := range readers {
			readers[i], _ = p.attachAt(t, ring.Attach{Start: proto.StartOldest, Bell: awake{}})
		}
		o := p.observer(t)
		written := uint64(0)
		for len(script) > 0 {
			step := script[0]
			script = script[1:]
			switch step % 4 {
			case 0:
				if len(script) < 10 {
					return
				}
				words := uint64(len(p.tab) / 8)
				at := uint64(le.Uint16(script)) % words * 8
				copy(p.tab[at:at+8], script[2:10])
				if script[1] >= 128 { // a value near the writer's position
					le.PutUint64(p.tab[at:], p.w.Position()+uint64(int64(int8(script[2])))*64)
				}
				script = script[10:]
			case 1:
				for range 1 + int(step>>2) {
					c, err := p.w.Claim(context.Background(), proto.U8, int(written*67)%1500)
					if err != nil {
						wantErr(t, err, errAsleep)
						break
					}
					stamp(c.Payload(), written)
					c.Commit()
					written++
				}
			default:
				readHonestly(t, readers[step%2], int(step>>2))
				readHonestly(t, o, int(step>>2))
			}
		}
	})
}

// readHonestly reads up to n frames, which must be whole.
func readHonestly(t *testing.T, r nexter, n int) {
	for range n {
		f, err := r.Next(context.Background())
		if err != nil {
			if !errors.Is(err, errAsleep) {
				wantErr(t, err, ring.ErrEvicted)
			}
			return
		}
		whole := len(f.Payload()) == int(f.Number()*67)%1500 && stamped(f.Payload(), f.Number())
		if err := r.Release(); err != nil {
			wantErr(t, err, ring.ErrEvicted)
		} else if !whole {
			t.Fatalf("frame %d is torn", f.Number())
		}
	}
}

// FuzzPositions hands the writer's process positions of any value, as a client sends
// them: releases, places to start at and to return to. What it accepts holds the writer.
func FuzzPositions(f *testing.F) {
	f.Add([]byte{0, 64, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 128, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0x80})
	f.Fuzz(func(t *testing.T, script []byte) {
		p := newStill(t, startAt(1<<64-smallBytes/2))
		for i := range uint64(300) {
			p.put(t, 40, i)
		}
		for ; len(script) >= 9; script = script[9:] {
			at := le.Uint64(script[1:])
			if script[0] >= 128 { // near what is there
				at = p.w.Position() - uint64(le.Uint16(script[1:]))*8
			}
			switch script[0] % 4 {
			case 0:
				if p.w.Released(0, at) == nil && at != p.table.Slot(0).Cursor {
					t.Fatalf("release of %d accepted, cursor %d", at, p.table.Slot(0).Cursor)
				}
			case 1:
				got, err := p.w.Attach(ring.Attach{Start: proto.StartPosition, Position: at})
				if err != nil {
					continue
				}
				if f := p.word(got.Start); got.Start != at || f != at|uint64(proto.KindData) && f != 0 {
					t.Fatalf("attached at %d for %d, word %#x", got.Start, at, f)
				}
				p.w.Detach(got.Slot)
			case 2:
				p.w.Lose(0)
				if got, err := p.w.Reattach(0, 1, at, ring.Attach{}); err == nil && (got.Start != at || int64(p.w.Position()-at) < 0) {
					t.Fatalf("returned to %d, asked for %d", got.Start, at)
				}
			case 3:
				for range script[1] {
					if c, err := p.w.Claim(context.Background(), proto.U8, 40); err == nil {
						c.Commit()
					}
				}
			}
			if s := p.seg.State(); p.table.Slot(0).State == proto.SlotActive && int64(s.Limit-p.table.Slot(0).Cursor) > smallBytes {
				t.Fatalf("cursor %d, limit %d", p.table.Slot(0).Cursor, s.Limit)
			}
		}
	})
}

// FuzzAnnouncements tells a stream reader any positions.
func FuzzAnnouncements(f *testing.F) {
	p := written(f)
	tail := p.seg.Tail()
	f.Add(le.AppendUint64(le.AppendUint64(nil, p.seg.Oldest()), tail))
	f.Add(le.AppendUint64(le.AppendUint64(nil, tail-640), ^uint64(0)))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) < 8 {
			return
		}
		a := &announced{t: t, script: script[8:]}
		from := le.Uint64(script)
		r := ring.NewStreamReader(p.seg, from, a)
		for range smallBytes / 64 {
			f, err := r.Next(context.Background())
			if err != nil {
				break
			}
			useFrame(t, p, f)
			if int64(f.End()-a.known) > 0 {
				t.Fatalf("frame ends at %d, announced were %d", f.End(), a.known)
			}
			if r.Release() != nil {
				break
			}
		}
	})
}

// announced tells positions out of a script.
type announced struct {
	t      *testing.T
	script []byte
	known  uint64
}

func (a *announced) Await(context.Context, uint64) (uint64, error) {
	if len(a.script) < 8 {
		return 0, errAsleep
	}
	a.known = le.Uint64(a.script)
	a.script = a.script[8:]
	return a.known, nil
}

func (a *announced) Released(position uint64) {
	if int64(position-a.known) > 0 {
		a.t.Errorf("released %d, announced were %d", position, a.known)
	}
}

// FuzzRecoverTable starts a successor that inherits a reader table of any content.
func FuzzRecoverTable(f *testing.F) {
	p := written(f)
	for range 3 {
		p.attachAt(f, ring.Attach{Start: proto.StartOldest})
	}
	f.Add([]byte{0, 2, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(append([]byte{byte(proto.TableHeadBytes / 8), 0}, make([]byte, 8)...))
	f.Fuzz(func(t *testing.T, script []byte) {
		q := &pair{mem: p.mem, tab: cloneAligned(p.tab), seg: p.seg}
		for ; len(script) >= 10; script = script[10:] {
			copy(q.tab[uint64(le.Uint16(script))%uint64(len(q.tab)/8)*8:], script[2:10])
		}
		if _, err := ring.OpenTable(q.tab, p.seg.Identity()); err != nil {
			return
		}
		q, err := q.revive(t, true)
		if err != nil {
			t.Fatal(err)
		}
		for i := range q.table.Slots() {
			if v := q.table.Slot(i); v.State == proto.SlotLost {
				if position := q.w.Position(); position-v.Cursor > smallBytes {
					t.Fatalf("slot %d at %d, writer at %d", i, v.Cursor, position)
				}
				q.w.Detach(i)
			}
		}
		q.put(t, smallBytes/4, 0)
	})
}
