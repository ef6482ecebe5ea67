package ring

import (
	"sync/atomic"

	"github.com/ndring/ndring/proto"
)

// wakeReaders rings whoever parked. SYNC: park: each parked word is taken by swap,
// so a reader that parks meanwhile finds its own store intact.
func (w *Writer) wakeReaders() {
	atomic.SwapUint64(w.parked, 0)
	for i := range w.slots[:w.used.Load()] {
		s := &w.slots[i]
		bell := s.bell.Load()
		if bell == nil || *bell == nil {
			continue
		}
		word := w.table.slotWord(i, proto.SlParked)
		if atomic.LoadUint64(word) != 0 && atomic.SwapUint64(word, 0) != 0 {
			(*bell).Ring()
		}
	}
	if f := w.follow.Load(); f != nil && f.parked.Swap(false) {
		f.bell.Ring()
	}
}

// ringIfWanted wakes a writer that waits for a cursor at or below position.
func (w *Writer) ringIfWanted(position uint64) {
	word := w.table.headWord(proto.TbWriterParked)
	wanted := atomic.LoadUint64(word)
	if wanted == 0 || int64(position-wanted&^proto.KindMask) < 0 {
		return
	}
	w.ringSelf()
}

// ringSelf wakes the writer's own goroutine if it waits at the gate.
func (w *Writer) ringSelf() {
	if atomic.SwapUint64(w.table.headWord(proto.TbWriterParked), 0) == 0 {
		return
	}
	if bell, ok := w.cfg.Sleeper.(Bell); ok {
		bell.Ring()
	}
}
