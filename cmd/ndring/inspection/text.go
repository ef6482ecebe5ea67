package inspection

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ndring/ndring/cmd/ndring/quantity"
	"github.com/ndring/ndring/cmd/ndring/render"
	"github.com/ndring/ndring/proto"
)

const timeLayout = "2006-01-02 15:04:05.000"

// Text writes the report for people. now is the time ages are counted to.
func (r *Report) Text(out io.Writer, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(what, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	id, file, flow := &r.Identity, &r.File, &r.Flow
	line("ring", "%s: %s", r.Name, r.Verdict.Sentence)
	for _, f := range r.Findings {
		line("finding", "%s: %s", f.Rule, f.Text)
	}
	line("file", "%s, inode %d, mode %s, uid %d, %s apparent, %s resident", file.Path, file.Inode, file.Mode, file.UID, quantity.Bytes(file.ApparentBytes), quantity.Bytes(file.ResidentBytes))
	line("identity", "%s, layout %s, epoch %d", id.RingID, id.Layout, r.Writer.Epoch)
	line("created", "%s by %s, pid %d, uid %d", id.Created.Format(timeLayout), id.CreatorExe, id.CreatorPID, id.CreatorUID)
	line("writer", "%s", r.Writer.text())
	line("geometry", "capacity %s, frame limit %s, %d reader slots, policy %s", quantity.Bytes(id.Capacity), quantity.Bytes(id.FrameLimit), id.Slots, id.Policy)
	line("schema", "%s", id.Schema)
	line("metadata", "%s", printable(id.Meta))
	line("position", "%d (frame %d); limit %d; oldest in the ring %d (%d frames)", flow.Tail, flow.Frames, flow.Limit, flow.Oldest, flow.Kept)
	line("rate", "%s", flow.rateText())
	if flow.LastCommit != nil {
		line("tail", "stored %s ago", now.Sub(*flow.LastCommit).Round(time.Millisecond))
	}
	line("fill", "%.1f %%, %s held for readers", 100*flow.Fill, quantity.Bytes(flow.HeldBytes))
	line("blocked", "%s", r.Blocked.text(now))
	line("counters", "%d dropped, %d evictions", flow.Dropped, flow.Evictions)
	if r.TableErr != "" {
		line("readers", "unknown: %s", r.TableErr)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := r.readers(out); err != nil {
		return err
	}
	return r.frames(out)
}

func (w *Writer) text() string {
	text := fmt.Sprintf("%s, pid %d", w.Status, w.PID)
	if w.Exe != "" {
		text += " " + w.Exe
	}
	if w.Started != nil {
		text += ", since " + w.Started.Format(timeLayout)
	}
	if w.FreeRun {
		text += ", does not wait for a first reader"
	}
	return text
}

func (f *Flow) rateText() string {
	if f.Rate == nil {
		return "unknown"
	}
	text := quantity.Rate(*f.Rate)
	if f.BytesRate != nil {
		text += ", " + quantity.Bytes(uint64(*f.BytesRate)) + "/s"
	}
	return text + " (from " + f.RateFrom + ")"
}

func (b *Blocked) text(now time.Time) string {
	sofar := fmt.Sprintf("%d times, %.3f s in all", b.Times, b.TotalSeconds)
	if !b.Now {
		return "no; " + sofar
	}
	return b.sentence(now) + "; " + sofar
}

func (r *Report) readers(out io.Writer) error {
	if len(r.Readers) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "READER\tPID\tPROCESS\tSTATE\tWAKE\tCURSOR\tLAG FRAMES\tLAG BYTES\tPARKED")
	for _, v := range r.Readers {
		name, lag := v.Name, "?"
		if name == "" {
			name = fmt.Sprintf("(slot %d)", v.Slot)
		}
		if v.LagFrames != nil {
			lag = fmt.Sprint(*v.LagFrames)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d\t%s\t%d\t%v\n", printable(name), v.PID, v.Process, v.State, v.Wake, v.Cursor, lag, v.LagBytes, v.Parked)
	}
	return w.Flush()
}

func (r *Report) frames(out io.Writer) error {
	if len(r.Frames) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "FRAME\tARRAY\tROLE\tSEQ\tSTREAM\tTIME\tMIN\tMAX\tMEAN\tNAN\tVALUES")
	for i := range r.Frames {
		f := &r.Frames[i]
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s %s\n", f.Number, f.array(), or(f.Role), number(f.Sequence), number(f.Stream), f.time(), f.statistics(), f.Preview, f.Remark)
	}
	return w.Flush()
}

func (f *Frame) array() string {
	if f.DType == "" {
		return f.Kind
	}
	return f.DType + render.Shape(f.Shape)
}

func (f *Frame) time() string {
	if f.Time == nil {
		return "-"
	}
	return f.Time.Format("15:04:05.000000")
}

func (f *Frame) statistics() string {
	s := f.Statistics
	if s == nil {
		return "-\t-\t-\t-"
	}
	return fmt.Sprintf("%.6g\t%.6g\t%.6g\t%d", s.Min, s.Max, s.Mean, s.NaN)
}

func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func number[T uint32 | uint64](n *T) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

// printable is text from shared memory without what would move the cursor of a
// terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}

// Schema is what every frame of a ring must be.
func Schema(s proto.Schema) string {
	dtype := "any dtype"
	if s.DType != 0 {
		dtype = s.DType.String()
	}
	if s.NDim > proto.MaxDims {
		return dtype + ", any shape"
	}
	extents := make([]string, s.NDim)
	for i, n := range s.Shape[:s.NDim] {
		extents[i] = fmt.Sprint(n)
		if n == proto.AnyDim {
			extents[i] = "*"
		}
	}
	return dtype + "[" + strings.Join(extents, ",") + "]"
}
