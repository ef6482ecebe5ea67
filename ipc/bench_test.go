//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ndring/ndring/proto"
)

// BenchmarkHop measures frames through the public API from this process to a
// reader in another one, which checks nothing.
func BenchmarkHop(b *testing.B) {
	for _, wake := range []string{"park", "stream"} {
		for _, elements := range []int{5, 128, 16384} {
			b.Run(fmt.Sprintf("wake=%s/bytes=%d", wake, 8*elements), func(b *testing.B) {
				benchmarkHop(b, wake, elements)
			})
		}
	}
}

func benchmarkHop(b *testing.B, wake string, elements int) {
	dir := testDir(b)
	w, err := Listen(b.Context(), "x", WriterConfig{Dir: dir, Capacity: 4 << 20})
	if err != nil {
		b.Fatal(err)
	}
	r := spawn(b, "drain", "-dir", dir, "-wake", wake)
	r.expect("attached")
	b.SetBytes(int64(8 * elements))
	b.ReportAllocs()
	for b.Loop() {
		c, err := w.Claim(b.Context(), proto.F64, elements)
		if err != nil {
			b.Fatal(err)
		}
		c.Commit()
	}
	if err := w.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	r.wait()
}

// roleDrain reads to the end of the ring.
func roleDrain(args []string) error {
	f, err := parseRole("drain", args)
	if err != nil {
		return err
	}
	r, err := f.dial()
	if err != nil {
		return err
	}
	fmt.Println("attached")
	for _, err := range r.Frames(f.ctx) {
		if err != nil {
			return err
		}
	}
	return r.Close()
}

// BenchmarkRoundTrip measures a frame to another process and its answer through a
// second ring.
func BenchmarkRoundTrip(b *testing.B) {
	for _, spin := range []string{"0s", "-1ns"} {
		b.Run("spin="+map[string]string{"0s": "default", "-1ns": "none"}[spin], func(b *testing.B) {
			dir := testDir(b)
			cfg := WriterConfig{Dir: dir, Capacity: 1 << 20}
			if spin != "0s" {
				cfg.Spin = -1
			}
			w, err := Listen(b.Context(), "there", cfg)
			if err != nil {
				b.Fatal(err)
			}
			e := spawn(b, "echo", "-dir", dir, "-spin", spin)
			r, err := Dial(b.Context(), "back", ReaderConfig{Dir: dir, Spin: cfg.Spin})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				c, err := w.Claim(b.Context(), proto.F64, 5)
				if err != nil {
					b.Fatal(err)
				}
				c.Commit()
				if _, err := r.Next(b.Context()); err != nil {
					b.Fatal(err)
				}
				if err := r.Release(); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
			e.wait()
		})
	}
}

// roleEcho answers each frame of ring there with one in ring back.
func roleEcho(args []string) error {
	f, err := parseRole("echo", args)
	if err != nil {
		return err
	}
	w, err := Listen(f.ctx, "back", WriterConfig{Dir: f.dir, Capacity: 1 << 20, Spin: f.spin})
	if err != nil {
		return err
	}
	f.ring = "there"
	r, err := f.dial()
	if err != nil {
		return err
	}
	for _, err := range r.Frames(f.ctx) {
		if err != nil {
			return err
		}
		c, err := w.Claim(f.ctx, proto.F64, 5)
		if err != nil {
			return err
		}
		c.Commit()
	}
	fmt.Println("rescues", r.Rescues())
	if err := r.Close(); err != nil {
		return err
	}
	return w.Close(f.ctx)
}

// BenchmarkReaderDeath measures from the SIGKILL of a reader that blocks a writer
// to the writer's next claim.
func BenchmarkReaderDeath(b *testing.B) {
	for _, wake := range []string{"park", "stream"} {
		b.Run("wake="+wake, func(b *testing.B) {
			w, err := Listen(b.Context(), "x", WriterConfig{Dir: testDir(b), Capacity: proto.MinCapacityBytes})
			if err != nil {
				b.Fatal(err)
			}
			var waits []time.Duration
			for b.Loop() {
				b.StopTimer()
				waits = append(waits, deathToClaim(b, w, wake))
				b.StartTimer()
			}
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "µs-p50")
			b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "µs-p99")
			b.ReportMetric(0, "ns/op")
			ended, cancel := context.WithCancel(b.Context())
			cancel()
			if err := w.Close(ended); err != nil && !errors.Is(err, context.Canceled) {
				b.Fatal(err)
			}
		})
	}
}

// deathToClaim fills the ring until a new reader blocks it, kills that reader and
// returns how long the writer still waits.
func deathToClaim(b *testing.B, w *Writer, wake string) time.Duration {
	r := spawn(b, "read", "-dir", w.Dir(), "-wake", wake, "-from", "latest", "-stop-after", "0", "-zero")
	r.expect("attached")
	done := make(chan time.Time)
	go func() {
		defer close(done)
		for range 2 * proto.MinCapacityBytes / proto.LineBytes {
			c, err := w.Claim(b.Context(), proto.F64, 1)
			if err != nil {
				return
			}
			c.Commit()
		}
		done <- time.Now()
	}()
	for {
		if _, blocked := w.Blocked(); blocked {
			break
		}
	}
	killed := time.Now()
	r.kill()
	return (<-done).Sub(killed)
}
