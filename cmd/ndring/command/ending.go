package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/urfave/cli/v2"
)

// openRing makes this process the writer of a ring.
func openRing(c *cli.Context, name string, cfg ipc.WriterConfig) (*ipc.Writer, error) {
	w, err := ipc.Listen(c.Context, name, cfg)
	if errors.Is(err, ipc.ErrMismatch) || errors.Is(err, ipc.ErrLeftover) {
		err = fmt.Errorf("%w; --recreate replaces it, what it holds is lost then", err)
	}
	return w, err
}

// closeRing ends the ring that a command writes. It waits for readers, and says
// so, until a signal comes: then those that are attached still get every frame.
func closeRing(c *cli.Context, w *ipc.Writer) error {
	sayWaiting(c, w)
	err := w.Close(c.Context)
	if errors.Is(err, context.Canceled) {
		return nil // the signal was answered; what is there stays readable for who is attached
	}
	return err
}

// sayWaiting tells on whom the end of the ring waits.
func sayWaiting(c *cli.Context, w *ipc.Writer) {
	if c.Context.Err() != nil {
		return
	}
	state := w.State()
	if state.Flags&(proto.WriterSawReader|proto.WriterFreeRun) == 0 && w.Position() != w.Identity().Start {
		say(c, "%s: waiting for a first reader; Ctrl-C gives the frames up", w.Name())
	}
}

// interrupted is the error of a command that a signal ended before it did what it
// was asked for.
func interrupted(done, wanted uint64, what string) error {
	return fmt.Errorf("interrupted after %d of %d %s", done, wanted, what)
}

func printJSON(c *cli.Context, v any) error {
	e := json.NewEncoder(c.App.Writer)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
