package inspection

import (
	"fmt"
	"strings"
	"time"
)

// Verdict is the state of a ring in one word and in one sentence.
type Verdict struct {
	State    string `json:"state"`
	Sentence string `json:"sentence"`
}

// States of a ring.
const (
	StateHealthy = "healthy" // a writer serves it and has room
	StateBlocked = "blocked" // the writer waits for a reader
	StateStopped = "stopped" // the writer's process is suspended
	StateEnded   = "ended"   // finished; readers drain it
	StateDead    = "dead"    // no writer; a new one can continue it
	StateCorrupt = "corrupt" // its frames break the layout
	StateUnsound = "unsound" // its words break the layout, as an audit found
)

// judge says what the facts mean.
func (r *Report) judge(now time.Time) Verdict {
	w := &r.Writer
	switch {
	case r.WalkErr != "":
		return Verdict{StateCorrupt, "the frames break the layout: " + r.WalkErr}
	case len(r.Findings) > 0:
		return Verdict{StateUnsound, fmt.Sprintf("%d rules of the layout are broken, the first: %s; save what frames there are ('ndring inspect --npy'), end the writer, then replace the ring (--recreate) or remove it ('ndring gc')", len(r.Findings), r.Findings[0].Text)}
	case w.Status == StateDead:
		return Verdict{StateDead, fmt.Sprintf("the writer, pid %d, is dead; %s; a new writer continues at frame %d, 'ndring gc' removes the ring", w.PID, r.unread(), r.Flow.Frames)}
	case w.Status == StateEnded:
		return Verdict{StateEnded, fmt.Sprintf("the ring has ended after %d frames; %s%s", r.Flow.Frames, r.unread(), r.parting())}
	case w.Status == StateStopped:
		return Verdict{StateStopped, fmt.Sprintf("the writer, pid %d, is suspended", w.PID)}
	case r.Blocked.Now:
		return Verdict{StateBlocked, "the writer is alive and " + r.Blocked.sentence(now)}
	}
	return Verdict{StateHealthy, fmt.Sprintf("the writer is alive and has room; %s", r.unread())}
}

// unread says what readers have not read.
func (r *Report) unread() string {
	if len(r.Readers) == 0 {
		return fmt.Sprintf("no reader; %d frames are in the ring", r.Flow.Kept)
	}
	var behind []string
	for _, reader := range r.Readers {
		if reader.LagBytes > 0 {
			behind = append(behind, fmt.Sprintf("%s is %s behind", reader.label(), frameCount(reader.LagFrames, reader.LagBytes)))
		}
	}
	if len(behind) == 0 {
		return fmt.Sprintf("%d reader(s), all up to date", len(r.Readers))
	}
	return strings.Join(behind, ", ")
}

// parting says why a ring that has ended is still there, when that is for no unread frame.
func (r *Report) parting() string {
	if !r.Writer.alive {
		handsOut := ""
		if r.Flow.HeldBytes > 0 {
			handsOut = " a new writer hands out what is unread,"
		}
		return fmt.Sprintf("; the writer, pid %d, is dead;%s 'ndring gc' removes the ring", r.Writer.PID, handsOut)
	}
	var awaited []string
	for _, reader := range r.Readers {
		if r.Flow.HeldBytes == 0 && reader.Name != "" && reader.KeepMs > 0 && reader.State != readerEvicted {
			keep := time.Duration(reader.KeepMs) * time.Millisecond
			awaited = append(awaited, fmt.Sprintf("%s (%s)", reader.label(), keep))
		}
	}
	if len(awaited) == 0 {
		return ""
	}
	return "; the writer waits for the goodbye of " + strings.Join(awaited, ", ") + ", no longer than it asked to be kept"
}

// sentence says since when and by whom the writer is blocked.
func (b *Blocked) sentence(now time.Time) string {
	since := ""
	if b.Since != nil {
		since = " " + now.Sub(*b.Since).Round(100*time.Millisecond).String()
	}
	if b.FirstReader {
		return fmt.Sprintf("blocked%s: it waits for a first reader", since)
	}
	return fmt.Sprintf("blocked%s by %s, holding %s", since, label(b.ByName, b.ByPID), frameCount(b.HoldsFrames, b.HoldsBytes))
}

func (r *Reader) label() string { return label(r.Name, r.PID) }

// label names a reader, whose name may be empty.
func label(name string, pid uint32) string {
	if name == "" {
		return fmt.Sprintf("pid %d", pid)
	}
	return fmt.Sprintf("%s, pid %d", name, pid)
}

func frameCount(frames *uint64, bytes uint64) string {
	switch {
	case frames == nil:
		return fmt.Sprintf("%d bytes", bytes)
	case *frames == 1:
		return "1 frame"
	}
	return fmt.Sprintf("%d frames", *frames)
}
