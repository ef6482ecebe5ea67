package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/edsrzf/mmap-go"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Files of the ring in a player's directory, named as package ipc names them.
const (
	SegmentFile = "x.ring"
	TableFile   = "x.readers"
)

// evictStep is what the player's clock gains while the writer sleeps.
const evictStep = 2 * time.Millisecond

// errAsleep is what a side gets that would have to wait for something that the
// script does not have happen.
var errAsleep = errors.New("would sleep")

// Player plays a script: writer and readers, all on one goroutine.
type Player struct {
	dir     string
	ctx     context.Context
	segment *ring.Segment
	table   *ring.Table
	w       *ring.Writer
	readers []*reader
	claim   *ring.Claim
	group   *ring.Group
	batch   *ring.WriteBatch
	asleep  func() error  // what happens while the writer sleeps
	skew    time.Duration // of the writer's clock
}

// reader is a reader in park mode.
type reader struct {
	r          *ring.Reader
	slot       int
	generation uint32
	asleep     func() error
}

// NewPlayer makes the ring of s in dir and its first writer.
func NewPlayer(s *Script, dir string) (*Player, error) {
	p := &Player{dir: dir, ctx: context.Background()}
	mem, err := newFile(filepath.Join(dir, SegmentFile), s.ID.SegmentBytes())
	if err != nil {
		return nil, err
	}
	if p.segment, err = ring.Format(mem, s.ID); err != nil {
		return nil, err
	}
	if p.table, err = p.newTable(TableFile); err != nil {
		return nil, err
	}
	p.w, err = ring.NewWriter(p.segment, p.table, p.writerConfig(s.FreeRun, nil))
	return p, err
}

func newFile(path string, bytes uint64) (mmap.MMap, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(int64(bytes)); err != nil {
		return nil, err
	}
	return mmap.Map(f, mmap.RDWR, 0)
}

func (p *Player) newTable(name string) (*ring.Table, error) {
	id := p.segment.Identity()
	mem, err := newFile(filepath.Join(p.dir, name), proto.TableBytes(id.Slots))
	if err != nil {
		return nil, err
	}
	return ring.FormatTable(mem, id, p.segment.State().Epoch+1)
}

func (p *Player) writerConfig(freeRun bool, old *ring.Table) ring.WriterConfig {
	return ring.WriterConfig{
		Sleeper: p, FreeRun: freeRun, Recovered: old,
		OnEvict: func(slot int, _ uint32, _ proto.Code) { p.w.Evict(slot) },
		Now:     func() time.Time { return time.Now().Add(p.skew) },
		PID:     uint32(os.Getpid()),
	}
}

// Play runs every operation; before each it calls mark.
func (p *Player) Play(s *Script, mark func()) error {
	for i, op := range s.Ops {
		mark()
		if err := op.run(p); err != nil {
			return fmt.Errorf("script %s, operation %d, %s: %w", s.Name, i, op.Path, err)
		}
	}
	return nil
}

// Sleep is how the writer waits.
func (p *Player) Sleep(context.Context) error {
	if p.asleep == nil {
		return errAsleep
	}
	return p.asleep()
}

// Sleep is how a reader waits: once for what the script has happen meanwhile.
func (r *reader) Sleep(context.Context) error {
	happens := r.asleep
	if r.asleep = nil; happens == nil {
		return errAsleep
	}
	return happens()
}

// Ring does nothing: all play on one goroutine.
func (r *reader) Ring() {}

// Ring does nothing: all play on one goroutine.
func (p *Player) Ring() {}

var (
	_ ring.Sleeper = (*Player)(nil)
	_ ring.Sleeper = (*reader)(nil)
	_ ring.Bell    = (*reader)(nil)
)

func (p *Player) attach(a ring.Attach) error {
	r := &reader{}
	a.Bell = r
	got, err := p.w.Attach(a)
	if err != nil {
		return err
	}
	r.slot, r.generation = got.Slot, got.Generation
	r.r, err = ring.NewReader(p.segment, p.readerConfig(r, got.Start))
	p.readers = append(p.readers, r)
	return err
}

func (p *Player) readerConfig(r *reader, position uint64) ring.ReaderConfig {
	return ring.ReaderConfig{Table: p.table, Slot: r.slot, Generation: r.generation, Position: position, Sleeper: r, WriterBell: p}
}

func (p *Player) reattach(r *reader) error {
	got, err := p.w.Reattach(r.slot, r.generation, r.r.Position(), ring.Attach{Bell: r})
	if err != nil {
		return err
	}
	return r.r.Rebind(p.readerConfig(r, got.Start))
}

func (p *Player) read(i, n int) error {
	r := p.readers[i].r
	for range n {
		if _, err := r.Next(p.ctx); err != nil {
			return fmt.Errorf("reader %d: %w", i, err)
		}
		if err := r.Release(); err != nil {
			return fmt.Errorf("reader %d: %w", i, err)
		}
	}
	return nil
}

// takeOver makes a new writer as ipc does: a new table, the writer, then the
// table's name.
func (p *Player) takeOver(freeRun bool) error {
	old := p.table
	table, err := p.newTable("." + TableFile + ".new")
	if err != nil {
		return err
	}
	if p.w, err = ring.NewWriter(p.segment, table, p.writerConfig(freeRun, old)); err != nil {
		return err
	}
	p.table = table
	return os.Rename(filepath.Join(p.dir, "."+TableFile+".new"), filepath.Join(p.dir, TableFile))
}
