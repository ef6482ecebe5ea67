// Package ring is the segment and the lock-free ring in it: one writer, many
// readers, variable-length frames that are N-dimensional arrays, no copies.
//
// It works on any []byte, so the same code runs over a heap slice under the race
// detector and over a file that several processes map. It makes no system call:
// who waits sleeps on a Sleeper that is handed in, who wakes rings a Bell.
// Package ipc provides both, and everything else that needs the operating system.
//
// # The ring
//
//	position   0        P0       P1            capacity          2*capacity
//	           |--frame--|-frame--|--...--|pad--|--frame--|--...
//	                     ^                      ^ no frame crosses
//	                     one commit word at the start of each
//
// Positions are 64-bit byte counts that only grow; all comparisons are made on
// differences, so that passing 2^63 and 2^64 changes nothing.
//
// # Commit
//
// The first eight bytes of a frame are its commit word: 0 while the frame is not
// there, position|kind when it is. A reader polls that word of the frame it waits
// for, so one cache line carries a small message whole. The writer zeroes the
// commit word that will follow before it stores the commit word itself (SYNC:
// commit): whatever lay there from the lap before, a reader that steps over a
// committed frame finds 0 or a commit meant for it.
//
// A group of frames, and a frame with the padding before it, become visible
// together: the word after the group is zeroed, the inner words are stored, the
// first word last.
//
// # Room
//
// A claim of L bytes at P needs P+L+64 <= gate+capacity, where the gate is the
// lowest cursor of the lossless readers: the next commit word belongs to what is
// written. Until a first lossless reader came, the gate stands at the start.
//
// The writer never stores at or beyond limit, a shared word that only grows. Before
// it raises it, it announces the limit it means (SYNC: limit) and reads the cursors
// again; the writer's process, which attaches readers, stores a cursor first and
// reads what is meant afterwards. One of the two sees the other, so limit never
// passes the cursor of a reader that gates by more than the capacity. A full fence
// parts limit and the stores it allows. Whatever anybody read at P was intact if limit <=
// P+capacity holds after the reading: the one check of observers, evicted
// readers, views and inspection.
//
// # Waiting
//
// Both sides spin for a bounded time, in assembly loops of at most 64 PAUSEs that
// return to Go, then park: store the parked words, fence, look again, sleep. The
// other side looks at the parked word after each commit or release (SYNC: park).
// Store then load needs a full fence on both sides. The hot side either pays for
// it or, if its process registered with membarrier(2), leaves it to the side that
// parks (WriterConfig.Asymmetric, ReaderConfig.Asymmetric).
//
// # Death
//
// Uncommitted bytes are invisible, so a writer may die at any instruction. Its
// successor starts at the shared tail, which trails by at most a quarter of the
// capacity, walks over committed frames and goes on where they end. It never
// relies on a word a reader can write: cursors are accepted between the last one
// seen and the writer's own tail only.
//
// # Lost memory
//
// Another process of the same user may cut the file short. A touch then faults, and
// the writer's own accesses and Frame.Valid turn that into ErrSegmentLost; readers
// and whoever looks at a Segment run under Guard, as package ipc's do. A frame that
// was zeroed by a hole in the file is ErrCorrupt to who waits for it.
//
// # Cost
//
// While both sides keep up, claim, commit, next and release make no system call,
// take no lock and allocate nothing. A frame of up to 40 payload bytes moves one
// cache line; the writer reads the cursors once for each sixteenth of the
// capacity. Nothing reads the clock for a frame: the time beside the tail is stored by
// whoever calls Stamp, a moment late.
//
// # Caveats
//
// A Writer, a Reader, a StreamReader and an Observer are each for one goroutine at
// a time. Views of a frame alias the ring: they are valid until the frame is
// released. Memory shared by processes is invisible to the race detector.
package ring
