package inspection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ndring/ndring/ipc"
	"github.com/ndring/ndring/proto"
	"github.com/ndring/ndring/ring"
)

// Options say how close to look.
type Options struct {
	Frames   int           // how many of the last frames to show
	Values   int           // how many values of each
	Interval time.Duration // between the two looks that give the rate; 0 = no second look
	Audit    bool          // hold everything against the rules of the layout
}

// Inspect looks at ring name of the default directory. Errors are those of
// ipc.OpenSnapshot and of ctx, and ipc.ErrSegmentLost when somebody cuts the ring's
// files short meanwhile. A ring with broken frames is no error: the report
// says so.
func Inspect(ctx context.Context, name string, o Options) (*Report, error) {
	s, err := ipc.OpenSnapshot("", name)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var r *Report
	err = ipc.Guard(func() (err error) {
		r, err = inspect(ctx, name, s, o)
		return err
	}, s)
	if err != nil {
		return nil, fmt.Errorf("ring %q: %w", name, err)
	}
	return r, nil
}

func inspect(ctx context.Context, name string, s *ipc.Snapshot, o Options) (*Report, error) {
	r := &Report{Name: name, Identity: describeIdentity(s.Segment.Identity()), Readers: []Reader{}}
	var err error
	if r.File, err = statFile(s.Path); err != nil {
		return nil, err
	}
	if s.TableErr != nil {
		r.TableErr = s.TableErr.Error()
	}
	waiting, blocked := s.Blocked() // before the walk, which then reaches to where the writer waits
	state := s.Segment.State()
	r.Writer = describeWriter(s, &state)
	readers := s.Readers()
	w, err := walk(ctx, s.Segment, o.Frames, cursors(readers))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		r.WalkErr = err.Error()
	}
	r.Flow = describeFlow(s, &state, w, readers)
	r.Frames = look(ctx, s.Segment, w, o.Frames, o.Values)
	for _, info := range readers {
		r.Readers = append(r.Readers, describeReader(info, w))
	}
	r.Blocked = Blocked{Times: state.Blocks, TotalSeconds: float64(state.BlockedNs) / 1e9}
	if blocked {
		r.Blocked.by(waiting, w)
	}
	if err := r.rate(ctx, s, w, o.Interval); err != nil {
		return nil, err
	}
	if o.Audit {
		if r.Findings, err = audit(ctx, s); err != nil {
			return nil, err
		}
	}
	r.Verdict = r.judge(time.Now())
	return r, nil
}

func cursors(readers []ipc.ReaderInfo) []uint64 {
	var all []uint64
	for _, r := range readers {
		all = append(all, r.Cursor)
	}
	return all
}

func describeIdentity(id *proto.Identity) Identity {
	policy := "block"
	if id.Policy == proto.PolicyDropNewest {
		policy = "drop"
	}
	return Identity{
		Layout: fmt.Sprintf("%d.%d", id.Major, id.Minor), RingID: id.RingID.String(),
		Capacity: id.Capacity, FrameLimit: id.FrameLimit, Schema: Schema(id.Schema), Policy: policy, Slots: id.Slots,
		Start: id.Start, Created: instant(id.CreatedNs), CreatorPID: id.CreatorPID, CreatorExe: id.CreatorExe,
		CreatorUID: id.CreatorUID, Meta: string(id.Meta),
	}
}

func describeWriter(s *ipc.Snapshot, state *ring.State) Writer {
	w := Writer{
		Status: StateDead, PID: state.PID, Epoch: state.Epoch, Started: event(state.StartedNs),
		FreeRun: state.Flags&proto.WriterFreeRun != 0, alive: s.Alive,
	}
	if s.Alive {
		w.Status = processAlive
		if s.WriterPID > 0 {
			w.PID = uint32(s.WriterPID)
		}
		if processState(w.PID) == processStopped {
			w.Status = StateStopped
		}
		w.Exe = executable(w.PID)
	}
	if state.Ended {
		w.Status = StateEnded
	}
	return w
}

func describeFlow(s *ipc.Snapshot, state *ring.State, w *walked, readers []ipc.ReaderInfo) Flow {
	f := Flow{
		Tail: w.tail, Limit: state.Limit, Oldest: w.from, Frames: w.next, Kept: w.kept,
		LastCommit: event(state.TailNs), Dropped: state.Dropped, Evictions: state.Evictions,
	}
	id := s.Segment.Identity()
	held := uint64(0)
	if state.Flags&(proto.WriterSawReader|proto.WriterFreeRun) == 0 {
		held = w.tail - id.Start
	}
	for _, r := range readers {
		if lag := w.tail - r.Cursor; r.Gating() && int64(lag) > 0 {
			held = max(held, lag)
		}
	}
	f.HeldBytes, f.Fill = held, float64(held)/float64(id.Capacity)
	return f
}

func describeReader(info ipc.ReaderInfo, w *walked) Reader {
	r := Reader{
		Slot: info.Slot, Name: info.Name, PID: info.PID, Exe: executable(info.PID), Process: processState(info.PID),
		Cursor: info.Cursor, LagFrames: w.lag(info.Cursor), Parked: info.Parked, Attached: instant(info.AttachedNs),
		KeepMs: info.KeepMs, EvictMs: info.EvictMs,
	}
	if lag := w.tail - info.Cursor; int64(lag) > 0 {
		r.LagBytes = lag
	}
	switch info.State {
	case proto.SlotActive:
		r.State = "active"
	case proto.SlotLost:
		r.State = "lost"
	case proto.SlotEvicted:
		r.State = readerEvicted
	default:
		r.State = fmt.Sprintf("state %d", info.State)
	}
	switch info.Wake {
	case proto.WakePark:
		r.Wake = "park"
	case proto.WakeStream:
		r.Wake = "stream"
	default:
		r.Wake = fmt.Sprintf("wake %d", info.Wake)
	}
	return r
}

// by says for whom the writer waits.
func (b *Blocked) by(now ipc.Blocked, w *walked) {
	b.Now, b.Since, b.FirstReader = true, &now.Since, now.FirstReader
	if !b.FirstReader {
		b.ByName, b.ByPID = now.Reader.Name, now.Reader.PID
		b.HoldsBytes, b.HoldsFrames = now.Reader.LagBytes, w.lag(now.Reader.Cursor)
	}
}

// rate measures frames a second: by a second look at a living ring, else from the
// times in the frames.
func (r *Report) rate(ctx context.Context, s *ipc.Snapshot, w *walked, interval time.Duration) error {
	if r.Writer.Status != processAlive || interval <= 0 {
		r.rateOfFrames(w)
		return nil
	}
	began := time.Now()
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	frames, tail, err := since(ctx, s.Segment, w)
	if err != nil {
		return nil // overtaken or broken: no rate rather than a wrong one
	}
	took := time.Since(began).Seconds()
	perSecond, bytes := float64(frames)/took, float64(tail-w.tail)/took
	r.Flow.Rate, r.Flow.BytesRate = &perSecond, &bytes
	r.Flow.RateFrom = fmt.Sprintf("two looks %s apart", interval)
	return nil
}

// since counts the frames committed after a walk. A writer that overtook the walk's
// end is asked for its own count, which trails by up to 1/64 of the capacity.
func since(ctx context.Context, seg *ring.Segment, w *walked) (frames, tail uint64, err error) {
	tail = seg.Tail()
	end := &walked{from: w.tail, next: w.next}
	err = end.run(ctx, ring.NewStreamReader(seg, w.tail, announced(tail)), tail, 0)
	if errors.Is(err, ring.ErrEvicted) || errors.Is(err, ring.ErrCorrupt) {
		state := seg.State()
		if int64(state.Number-w.next) < 0 || int64(state.Tail-w.tail) < 0 {
			return 0, 0, err
		}
		return state.Number - w.next, state.Tail, nil
	}
	return end.next - w.next, end.tail, err
}

// rateOfFrames is the rate at which the frames in the ring were stamped.
func (r *Report) rateOfFrames(w *walked) {
	ns := int64(w.last.ns - w.first.ns)
	if ns <= 0 {
		return
	}
	perSecond := float64(w.last.number-w.first.number) / float64(ns) * 1e9
	r.Flow.Rate, r.Flow.RateFrom = &perSecond, "the times of the frames in the ring"
}

func instant(ns uint64) time.Time { return time.Unix(0, int64(ns)) }

// event is the time of something that may not have happened.
func event(ns uint64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := instant(ns)
	return &t
}
