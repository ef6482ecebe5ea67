package inspection

import (
	"context"
	"slices"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/ring"
)

// A finding in a ring that is written counts if this many looks, so far apart, agree.
const (
	auditLooks = 5
	auditPause = 20 * time.Millisecond
)

// audit returns the rules of the layout that a ring breaks.
func audit(ctx context.Context, s *ipc.Snapshot) (found []ring.Finding, err error) {
	look := func() (found []ring.Finding, err error) {
		err = ipc.Guard(func() error { found = s.Segment.Audit(s.Table); return nil }, s)
		return found, err
	}
	found, err = look()
	for n := 1; err == nil && s.Alive && len(found) > 0 && n < auditLooks; n++ {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(auditPause):
		}
		again, e := look()
		err = e
		found = slices.DeleteFunc(found, func(f ring.Finding) bool {
			return !slices.ContainsFunc(again, func(g ring.Finding) bool { return g.Rule == f.Rule })
		})
	}
	return found, err
}
