//go:build linux

package ipc

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Check that an observer sees frames without gating the writer, counts what it
// missed and meets the end.
func TestObserver(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, FreeRun: true})
	o, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	publish(t, w, 0, 10)
	for n := range 10 {
		f, err := o.Next(t.Context())
		if err != nil || f.Float64s()[0] != float64(n) || f.Lost() != 0 {
			t.Fatalf("frame %d: %v, %v", n, f, err)
		}
	}
	publish(t, w, 10, 5000) // laps the observer
	w.ring.Finish()
	got, lost := uint64(10), uint64(0)
	for f, err := range o.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got++
		lost += f.Lost()
		if v := f.Float64s()[0]; v != float64(f.Number()) || uint64(v)+1 != got+lost {
			t.Fatalf("frame %d holds %v after %d seen and %d lost", f.Number(), v, got, lost)
		}
	}
	if got+lost != 5000 || lost == 0 || o.Laps() == 0 {
		t.Errorf("%d seen, %d lost, %d laps of 5000 frames", got, lost, o.Laps())
	}
	if _, err := o.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("error %v after the end, want EOF", err)
	}
}

// Check that an observer goes on after its writer was killed and another took the
// ring up.
func TestObserverAcrossRestart(t *testing.T) {
	dir := testDir(t)
	write := spawn(t, "write", "-dir", dir, "-count", "10", "-no-close")
	write.expect("written")
	o, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	write.kill()
	spawn(t, "write", "-dir", dir, "-count", "20", "-no-close").expect("listening")
	for n := range uint64(20) {
		f, err := o.Next(t.Context())
		if err != nil || f.Number() != n || f.Float64s()[0] != valueOf(n, 0) {
			t.Fatalf("frame %d: %v, %v", n, f, err)
		}
	}
}

// Check that reading at a position needs the start of a frame.
func TestObserverPosition(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, FreeRun: true})
	publish(t, w, 0, 10)
	o, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir, Start: proto.StartPosition, Position: 5 * proto.LineBytes})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if f, err := o.Next(t.Context()); err != nil || f.Number() != 5 {
		t.Errorf("frame %v, %v, want number 5", f, err)
	}
	if o, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir, Start: proto.StartPosition, Position: 32}); err == nil {
		o.Close()
		t.Error("position 32 accepted")
	}
}

// Check that an observer of a frame that was announced and then zeroed, together
// with every word that tells of it, is told so and does not look for it for ever.
func TestObserverOfVanishedFrame(t *testing.T) {
	dir := testDir(t)
	w := listen(t, "x", WriterConfig{Dir: dir, FreeRun: true})
	o, err := Observe(t.Context(), "x", ObserverConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	publish(t, w, 0, 10)
	id, mem := w.Identity(), w.store.segmentMap.mem
	for n := range 5 {
		if _, err := o.Next(t.Context()); err != nil {
			t.Fatalf("frame %d: %v", n, err)
		}
	}
	until(t, "all frames are announced", func() bool {
		c := o.session.control
		c.drain()
		return c.published == id.Start+10*proto.LineBytes
	})
	clear(mem[id.WriterOff:][:id.WriterBytes])
	clear(mem[id.DataOff:][:id.Capacity])
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := o.Next(ctx); !errors.Is(err, ring.ErrCorrupt) {
		t.Errorf("error %v, want ErrCorrupt", err)
	}
}
