//go:build linux

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/ndring/ndring/proto"
	"golang.org/x/sys/unix"
)

// How often each of the processes that collect and own one ring at once owns it, and
// the variable that sets another number.
const (
	collectorCount  = 6
	collectorRounds = 150
	collectorVar    = "NDRING_GC_ROUNDS"
)

// collectorResult is what one of them did.
type collectorResult struct {
	owned, left, removed int
}

// roleCollector owns ring x ROUNDS times and collects rings in between, as a draw says.
// Every other owner goes away as a killed process does: its files stay.
func roleCollector(args []string) error {
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	rnd, did := rand.New(rand.NewPCG(seed, 3)), collectorResult{}
	for did.owned < rounds {
		if rnd.IntN(2) == 0 {
			err = did.collect(args[0])
		} else {
			err = did.own(args[0], rnd.IntN(2) == 0)
		}
		if err != nil {
			return fmt.Errorf("seed %d, after %+v: %w", seed, did, err)
		}
	}
	fmt.Println("did", did.owned, did.left, did.removed)
	return nil
}

// collect removes the ring if nobody owns it.
func (d *collectorResult) collect(dir string) error {
	all, err := Collect(dir)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Removed {
			d.removed++
		} else if !errors.Is(c.Err, ErrWriterAlive) {
			return fmt.Errorf("collect ring %q: %w", c.Name, c.Err)
		}
	}
	return nil
}

// own makes this process the writer, if it can, and looks whether it is alone and its
// files stay.
func (d *collectorResult) own(dir string, leave bool) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // nobody reads: Close does not wait
	w, err := Listen(context.Background(), "x", WriterConfig{Dir: dir, Capacity: proto.MinCapacityBytes, Slots: 1, FreeRun: true})
	if errors.Is(err, ErrWriterAlive) {
		return nil
	}
	if err != nil {
		return err
	}
	d.owned++
	fd, err := unix.Openat(w.dir.fd, "held", unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("two processes own the ring: %w", err)
	}
	for range 3 {
		if err := w.named(); err != nil {
			return err
		}
		c, err := w.Claim(context.Background(), proto.U8, 8)
		if err != nil {
			return err
		}
		c.Commit()
	}
	if err := errors.Join(unix.Close(fd), w.dir.remove("held")); err != nil {
		return err
	}
	if leave {
		d.left++
		return w.vanish()
	}
	if err := w.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// named reports whether the files of a living writer still have their names.
func (w *Writer) named() error {
	for name, f := range map[string]*os.File{segmentSuffix: w.store.segmentFile, tableSuffix: w.store.tableFile, lockSuffix: w.lock.file} {
		if !w.dir.leadsTo(w.name+name, f) {
			return fmt.Errorf("file %s of a living writer was removed or replaced", w.name+name)
		}
	}
	if _, err := w.dir.inode(w.name + socketSuffix); err != nil {
		return fmt.Errorf("socket of a living writer: %w", err)
	}
	return nil
}

// vanish gives everything up but removes no file, as the kernel does for a process
// that is killed.
func (w *Writer) vanish() error {
	w.server.loop.post(func() { w.server.stopped = true })
	<-w.served
	w.parker.close()
	w.store.close()
	w.journal.close()
	w.dir.close()
	return w.lock.file.Close()
}

// Check that collectors, owners that end, owners that die and their successors never
// take each other's ring away, and that nothing is left. NDRING_GC_ROUNDS sets
// how often each process owns the ring.
func TestCollectRace(t *testing.T) {
	rounds := os.Getenv(collectorVar)
	if rounds == "" {
		rounds = strconv.Itoa(collectorRounds)
	}
	dir, seed := testDir(t), rand.Uint64()
	var all []*process
	for i := range collectorCount {
		all = append(all, spawn(t, "collector", dir, rounds, strconv.FormatUint(seed+uint64(i), 10)))
	}
	var sum collectorResult
	for _, p := range all {
		var did collectorResult
		if _, err := fmt.Sscan(p.expect("did"), &did.owned, &did.left, &did.removed); err != nil {
			t.Fatal(err)
		}
		p.wait()
		sum.owned, sum.left, sum.removed = sum.owned+did.owned, sum.left+did.left, sum.removed+did.removed
	}
	t.Logf("%d processes: owned %d times, left behind %d times, collected %d times", collectorCount, sum.owned, sum.left, sum.removed)
	if sum.owned == 0 || sum.left == 0 || sum.removed == 0 {
		t.Errorf("seed %d: not everything happened: %+v", seed, sum)
	}
	if _, err := Collect(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("seed %d: left behind: %q", seed, left)
	}
}
