//go:build !noasm && (amd64 || arm64)

package bench

// storeRelease stores v at p after everything stored before it, by a plain
// MOV or STLR. sync/atomic has only the sequentially consistent store, an
// XCHG on amd64 that waits for the store buffer to drain.
//
//go:noescape
func storeRelease(p *uint64, v uint64)

// commitSlot is storeRelease that first asks for the line eight slots further
// to be owned by this core: a reader that sits close behind otherwise holds
// that line when the stores to it arrive. A prefetch never faults, so it may
// point past the mapping.
//
//go:noescape
func commitSlot(p *uint64, v uint64)

// awaitWord looks at p up to looks times, with a PAUSE or YIELD after each
// look in vain, and reports whether it saw want. looks is at least 1 and at
// most 64: inside it the goroutine cannot be stopped, which the collector
// waits for; a call is where it can.
//
//go:noescape
func awaitWord(p *uint64, want, looks uint64) bool

// pause spends n PAUSE or YIELD instructions, n from 1 to 64.
//
//go:noescape
func pause(n uint64)

// ticks reads the processor's counter after what precedes it has executed.
//
//go:noescape
func ticks() uint64

// now is the counter's value, in ticks of a length that newTickClock measures.
func (c tickClock) now() uint64 { return ticks() }
