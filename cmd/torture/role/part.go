//go:build linux

package role

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/ndring/ndring/cmd/torture/history"
	"github.com/ndring/ndring/cmd/torture/page"
)

// The roles.
const (
	Writer   = "writer"
	Reader   = "reader"
	Observer = "observer"
	Client   = "client"
)

// PageFD is the descriptor under which a process finds its page.
const PageFD = 3

// Part is what a process is told, as JSON in its second argument.
type Part struct {
	Role     string
	Actor    string // for messages
	Dir      string
	Ring     string
	Life     uint32
	Seed     uint64
	Capacity uint64        // writer
	Grace    time.Duration // writer, for the readers of the life before
	Pause    time.Duration // writer, between frames; reader, per frame; 0 = none
	Name     string        // reader
	Stream   bool          // reader, in stream mode
	Keep     time.Duration // reader, named
	Evict    time.Duration // reader
	Batches  bool          // reader
	FreeRun  bool          // writer: waits for nobody
	Wide     bool          // writer: one frame in eight is large
	Plain    bool          // writer: data frames of no stream only, for a stage
	Results  bool          // reader, of what a stage wrote
	Address  string        // client
	Verbose  bool          // log the control plane to stderr
}

// Play plays the part encoded in text and returns the exit code.
func Play(text string) int {
	var p Part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.play()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s, life %d: %v\n", p.Actor, p.Life, err)
		return 1
	}
	return 0
}

func (p *Part) play() error {
	f := os.NewFile(PageFD, "page")
	pg, err := page.Open(f)
	if err != nil {
		return err
	}
	run := map[string]func(context.Context, *page.Page, *Part) error{
		Writer: write, Reader: read, Observer: observe, Client: converse,
	}[p.Role]
	if run == nil {
		return fmt.Errorf("unknown role %q", p.Role)
	}
	before := count()
	err = run(context.Background(), pg, p)
	if err != nil {
		pg.Write(history.Event{Kind: history.Failed, Life: p.Life})
		return err
	}
	compare(pg, p.Life, before)
	return f.Close()
}

// logger is where the control plane logs to.
func (p *Part) logger() *slog.Logger {
	if !p.Verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil)).With("actor", p.Actor, "life", p.Life)
}
