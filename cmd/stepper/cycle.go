//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ndring/ndring/cmd/stepper/script"
	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// A unit is the frames that become visible together. The frame numbers of a ring
// written in cycles of units say which unit comes next, so a number in the middle of
// one tells that it was torn apart.
type unit []proto.Header

// cycle is what a life writes again and again: less than half the ring of lifeBytes.
func cycle() []unit {
	floats := proto.Header{DType: proto.F64, NDim: 1, Shape: [8]uint64{5}}
	grid := proto.Header{DType: proto.U8, NDim: 2, Shape: [8]uint64{9, 30}}
	timed := proto.Header{DType: proto.F32, NDim: 1, Shape: [8]uint64{33}, ExtFlags: proto.ExtStream | proto.ExtTime, Stream: 4, TimeNs: 5}
	large := proto.Header{DType: proto.U8, NDim: 1, Shape: [8]uint64{lifeBytes / 8}}
	return []unit{{floats}, {floats}, {grid}, {floats, floats}, {timed}, {large}, {floats}, {floats, grid, timed}}
}

// lifeBytes is the capacity of the ring that is written to in lives.
const lifeBytes = proto.MinCapacityBytes

// unitAt is the index in the cycle of the unit that begins with a frame number.
func unitAt(number uint64) (int, error) {
	all, frames := cycle(), uint64(0)
	for _, u := range all {
		frames += uint64(len(u))
	}
	rest := number % frames
	for i, u := range all {
		if rest == 0 {
			return i, nil
		}
		if rest < uint64(len(u)) {
			return 0, fmt.Errorf("frame %d is in the middle of a group", number)
		}
		rest -= uint64(len(u))
	}
	return 0, nil
}

// headerAt is the description of a frame by its number.
func headerAt(number uint64) proto.Header {
	var all unit
	for _, u := range cycle() {
		all = append(all, u...)
	}
	return all[number%uint64(len(all))]
}

// checkFrame compares a frame that a reader got with what is due.
func checkFrame(f *ring.Frame, number uint64) error {
	want := headerAt(number)
	if err := want.Complete(); err != nil {
		return err
	}
	switch h := f.Header(); {
	case f.Number() != number:
		return fmt.Errorf("frame %d came, due is %d", f.Number(), number)
	case h.DType != want.DType || h.NDim != want.NDim || h.Shape != want.Shape || h.Stream != want.Stream || h.TimeNs != want.TimeNs:
		return fmt.Errorf("torn: frame %d is %+v, due is %+v", number, h, want)
	case !bytes.Equal(f.Payload(), script.Payload(number, want.PayloadLen)):
		return fmt.Errorf("torn: payload of frame %d", number)
	}
	return nil
}

// writeUnit claims, writes and commits the unit that begins with a frame number, with
// a mark before each of the three.
func writeUnit(w *ipc.Writer, u unit, number uint64, mark func()) error {
	payloads := make([][]byte, len(u))
	for i := range u {
		h := u[i]
		if err := h.Complete(); err != nil {
			return err
		}
		payloads[i] = script.Payload(number+uint64(i), h.PayloadLen)
	}
	mark()
	space, commit, err := claimUnit(w, u)
	if err != nil {
		return err
	}
	mark()
	for i, p := range payloads {
		copy(space(i), p)
	}
	mark()
	commit()
	return nil
}

// claimUnit claims the way a program would: one frame by itself, several as a group.
func claimUnit(w *ipc.Writer, u unit) (space func(int) []byte, commit func(), err error) {
	ctx := context.Background()
	if len(u) > 1 {
		g, err := w.ClaimGroup(ctx, u)
		if err != nil {
			return nil, nil, err
		}
		return g.Payload, g.Commit, nil
	}
	var c *ring.Claim
	if h := u[0]; h.Extended() {
		c, err = w.ClaimFrame(ctx, &h)
	} else {
		c, err = w.Claim(ctx, h.DType, int(h.Shape[0]))
	}
	if err != nil {
		return nil, nil, err
	}
	return func(int) []byte { return c.Payload() }, c.Commit, nil
}
