// Package history judges what the processes of a crash laboratory wrote down: did
// every reader see what the writers committed, once, in order and whole?
//
// # What a process writes down
//
// Each actor of the laboratory, a writer or a reader that is started again whenever
// it dies, keeps one log over all its lives. An event is a few words in memory that
// outlives the process, so a log holds exactly what was stored before the kill, at
// whichever instruction that came. Runs are extended in place:
//
//	writer   Listened  number of the next frame, epoch
//	         Wrote     first, end of what is meant, end of what is committed
//	                   (meant is stored before Commit, committed after it returned)
//	reader   Attached  position, epoch
//	         Read      first, end of what was verified, end of what was released, author
//	                   (verified is stored before Release, released after it returned)
//	         Lapped    frames that the ring said were missed
//	         Torn      number found or expected, position
//	         Ended, Evicted, Refused, Failed
//
// The author of a frame is the epoch that its payload names: the life that wrote it.
//
// # What is proven
//
// Of the writers: a life begins either at the end of what the life before it
// committed or at the end of what it meant: a group, a batch and a frame with its
// padding are there whole or not at all; nothing committed is ever given up and
// nothing that was not meant is found.
//
// A writer that is killed while it ends the ring goes on where it was; one that is
// killed when nobody had to be waited for any more makes an empty ring. A reader that
// has seen the end and left cannot tell a dead writer so; it may be asked to come back.
//
// Of a lossless reader within one life: the frames follow each other without gap,
// repetition or change of order, across all deaths of writers. It ends at the number
// the last writer ended at.
//
// Of a named reader that is killed and comes back: the first frame of a life is not
// before the end of what the last life released, nor beyond the end of what it
// verified. So nothing is lost, and what comes again is what was held, and not
// released, at the instant of death. A reader in stream mode tells of its releases
// now and then; of its next life it is proven that it does not begin before the
// last life did, nor beyond what that verified.
//
// An unnamed reader gives its place up when it dies; each life is judged alone. It
// may also be told that its place is gone (Evicted, Refused), which ends a life.
//
// When a named reader dies and a new writer has just taken its place over from the
// reader table of the one before, what the reader released into that one since is not
// known to anybody: those frames come again. Where writers die, too, that is counted and
// no fault, as long as no life begins before the one before it.
//
// Of a lossy reader: each frame's number is the one before, plus one, plus what was
// told missing with it.
//
// Of every reader: a frame was written by the life it names, within what that life
// meant, and no later life wrote its number again.
//
// # What is not
//
// A frame verified by a reader that died before it stored the word is not counted.
// Frames that nobody verified before the end of the ring are lost without witness
// only if every lossless reader skipped them, which the number of each run shows.
package history
