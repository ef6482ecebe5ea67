//go:build (amd64 || arm64) && !noasm && !race

package ring

// storeRelease stores v after everything stored before it.
//
//go:noescape
func storeRelease(p *uint64, v uint64)

// storeCommit is storeRelease for commit words: it also prefetches for the frames
// to come.
//
//go:noescape
func storeCommit(p *uint64, v uint64)

// prefetchWrite asks for up to 64 lines from p on in exclusive state.
//
//go:noescape
func prefetchWrite(p *uint64, lines int)

// fence orders every earlier store before every later load.
func fence()

// pause waits about n times the processor's spin-wait hint; n is at most 64, so
// that the garbage collector is never held up.
func pause(n int)

// pauseWhile returns the word at p as soon as it differs from old, or after n
// spin-wait hints; n is at most 64. The load has acquire order.
//
//go:noescape
func pauseWhile(p *uint64, old uint64, n int) uint64

// storePlain stores v in no particular order: a commit or release that follows
// orders it. It has a name of its own because under the race detector the words
// that readers poll must be stored atomically.
func storePlain(p *uint64, v uint64) { *p = v }
