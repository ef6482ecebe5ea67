// Package ringtest makes rings over the heap, for tests of what stands on them: writer,
// readers and doorbells live in one process, and the race detector sees all they do.
// Only tests import it, which houselint checks.
//
//	memory (heap) <- Ring: segment, table, writer <- Reader, one for each Attach
//	     Bell (a channel) in the place of sockets and eventfds
package ringtest
