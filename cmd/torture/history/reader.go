package history

// Promise is what a reader may rely on.
type Promise uint8

// The promises.
const (
	Named       Promise = iota // lossless, keeps its place when it dies
	NamedStream                // the same, in stream mode
	Unnamed                    // lossless within a life
	Lossy                      // losses are told
	Remote                     // a client of a bridge: lossless within a life
)

// Reader judges the log of a reader.
type Reader struct {
	ledger
	promise Promise
	mortal  bool // its writer dies, too

	begun   bool   // the present life has read
	known   bool   // low and next are meaningful
	from    uint64 // where the last life began that read
	low     uint64 // the next life may begin here at the earliest
	next    uint64 // the next frame; the next life may begin here at the latest
	told    uint64 // missed, told with the frame to come
	missing []span
	authors []authored
	ended   bool
	excused bool // the present life was told that its place is gone
	end     uint64

	Frames    uint64 // verified
	Missed    uint64 // told
	Repeated  uint64 // seen again by the life after
	Released  uint64 // of these, released before the death
	Dismissed uint64 // lives ended by a typed error
	Rescues   uint64 // waits that only the safety interval ended: a stopped or dead writer rings nobody
}

type span struct{ first, end uint64 }

type authored struct {
	epoch uint64
	span
	life uint32
}

// NewReader returns the judge of the reader called name.
func NewReader(name string, promise Promise) *Reader {
	return &Reader{ledger: ledger{actor: name}, promise: promise}
}

// OfMortalWriter makes the reader one whose writer dies, too. A release of which only
// the dead writer's reader table knows may then be lost with the reader's own death.
func (r *Reader) OfMortalWriter() *Reader {
	r.mortal = true
	return r
}

// Take judges the next event. Events must be final: not extended any more.
func (r *Reader) Take(e Event) {
	switch e.Kind {
	case Attached:
		r.begun, r.told, r.ended, r.excused = false, 0, false, false
	case Read:
		r.read(e)
	case Lapped:
		r.told += e.A
		r.Missed += e.A
	case Torn:
		r.add(Tear, e.Life, "frame %d at position %d, its payload says %d", e.A, e.B, e.C)
	case Ended:
		r.ended, r.end = true, e.A
		r.low, r.from = 0, 0 // who has seen the end and comes back may see again what is left of the ring
	case Rescued:
		r.Rescues += e.A
	case Evicted, Refused:
		r.Dismissed++
		r.excused = true
		if r.promise == Named || r.promise == NamedStream {
			r.add(Dismissal, e.Life, "it lost its place at frame %d", r.next)
		}
	default:
		r.common(e)
	}
}

func (r *Reader) read(e Event) {
	first, end := e.A, e.B
	if r.begun {
		r.continues(e.Life, first)
	} else {
		r.begins(e.Life, first)
	}
	if r.promise != Remote {
		r.author(e.Life, e.D, first, end)
	}
	r.Frames += end - first
	if !r.begun {
		r.from = first
	}
	if !r.begun || r.promise == Named {
		r.low = first
	}
	if r.promise == Named {
		r.low = max(r.low, e.C)
	}
	r.next, r.known, r.begun, r.told = end, true, true, 0
}

// begins judges where a life begins.
func (r *Reader) begins(life uint32, first uint64) {
	if r.promise == Remote && first != 0 {
		r.add(Loss, life, "its first result was that of chunk %d", first+1)
	}
	if !r.known || r.promise != Named && r.promise != NamedStream {
		return
	}
	switch {
	case first > r.next:
		r.add(Loss, life, "it came back at frame %d, was at %d", first, r.next)
	case first < r.low && r.mortal && first >= r.from:
		r.Released += r.low - first
		r.Repeated += r.next - first
	case first < r.low:
		r.add(Duplicate, life, "it came back at frame %d, had released up to %d", first, r.low)
	default:
		r.Repeated += r.next - first
	}
}

// continues judges the first frame of a run by the one before it in the same life.
func (r *Reader) continues(life uint32, first uint64) {
	want := r.next + r.told
	switch {
	case first == want:
	case r.promise == Lossy && first > r.next:
		r.add(Unreported, life, "frame %d came after %d, missed by what was told: %d", first, r.next-1, r.told)
	case first > want:
		r.missing = append(r.missing, span{want, first})
		r.add(Loss, life, "frame %d came after %d", first, want-1)
	case r.wasMissing(first):
		r.add(Reordering, life, "frame %d came after %d", first, r.next-1)
	default:
		r.add(Duplicate, life, "frame %d came after %d", first, r.next-1)
	}
}

func (r *Reader) wasMissing(number uint64) bool {
	for _, m := range r.missing {
		if m.first <= number && number < m.end {
			return true
		}
	}
	return false
}

// author remembers who wrote what the reader saw, in runs.
func (r *Reader) author(life uint32, epoch, first, end uint64) {
	if n := len(r.authors); n > 0 {
		last := &r.authors[n-1]
		if last.epoch == epoch && last.first <= first && (first <= last.end || r.promise == Lossy) {
			last.end = max(last.end, end)
			return
		}
	}
	r.authors = append(r.authors, authored{epoch, span{first, end}, life})
}

// Finish judges the log as a whole, against that of the ring's writer; that is nil
// for clients of a bridge. removed says
// that the last life was ended by the laboratory, because it came after the ring had
// ended: a named reader must have verified everything then.
func (r *Reader) Finish(w *Writer, removed bool) {
	if !r.ended && !removed && !r.excused {
		r.add(Unfinished, 0, "it did not see the end; it was at frame %d", r.next)
	}
	if w == nil {
		return
	}
	for _, a := range r.authors {
		if why := w.vouch(a.epoch, a.first, a.end); why != "" {
			r.add(Ghost, a.life, "it saw frames %d to %d of epoch %d, %s", a.first, a.end-1, a.epoch, why)
		}
	}
	final, closed := w.Final()
	if !closed {
		return
	}
	named := r.promise == Named || r.promise == NamedStream
	if r.known && r.next != final && (named || r.promise == Unnamed && r.ended && r.begun) {
		r.add(Loss, 0, "it was at frame %d at the end, the ring has %d", r.next, final)
	}
}
