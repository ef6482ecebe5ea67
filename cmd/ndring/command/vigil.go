package command

import (
	"slices"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/urfave/cli/v2"
)

// vigil is what a stage says while an input is not there: at once, and again when it
// has waited as long as readers wait for a writer that died. An input that does not
// come by then, but whose results are there, may have ended while no stage ran.
type vigil struct {
	c     *cli.Context
	timer *time.Timer // nil while nothing is waited for
}

// begins says that it waits.
func (v *vigil) begins(what string) {
	v.ends()
	waitingFor(v.c)(what)
	v.timer = time.AfterFunc(ipc.DefaultRestartWait, func() { v.again(what) })
}

func (v *vigil) again(what string) {
	out := v.c.String("out")
	if !leftOver(out) {
		say(v.c, "still waiting for %s", what)
		return
	}
	say(v.c, "still waiting for %s; ring %s holds what an earlier stage made, if nothing more is to come press Ctrl-C and remove it with 'ndring gc'", what, out)
}

// ends is called when what was waited for is there, or given up. It may be called
// when nothing was.
func (v *vigil) ends() {
	if v.timer != nil {
		v.timer.Stop()
		v.timer = nil
	}
}

// leftOver reports whether a ring is there and its writer is not.
func leftOver(name string) bool {
	rings, err := ipc.List("")
	return err == nil && slices.ContainsFunc(rings, func(r ipc.RingFile) bool { return r.Name == name && !r.Alive && r.Err == nil })
}
