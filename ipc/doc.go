// Package ipc lets processes of one user on one Linux host share rings: it finds
// and creates their files, lets readers in and out, passes descriptors, wakes who
// sleeps and cleans up after who died. The frames themselves never come here; see
// package ring.
//
// # The processes
//
//	  writer's process                            a reader's process
//	+---------------------------+               +------------------------+
//	| Writer: claim, commit     |               | Reader: next, release  |
//	|   |        ^ doorbell     |               |   |        ^ doorbell  |
//	|   v        |              |               |   v        |           |
//	| x.ring (read, write)  ----|---------------|-> x.ring (read only)   |
//	| x.readers (read, write) <-|---------------|-- x.readers            |
//	|                           |  x.sock       |    (read, write)       |
//	| server goroutine <--------|---------------|-> handshake, then only |
//	|   connections, graces     |  16-byte notes|    when it sleeps      |
//	+---------------------------+               +------------------------+
//
// A ring x has four files in a directory that only its user can write to:
// x.ring, the segment; x.readers, the reader table, a new file in each epoch;
// x.sock, the control socket; x.lock, whose flock makes its holder the writer. Its
// writer may add a fifth for its successor, x.state (Writer.Journal).
//
// # The life of a connection
//
// A client connects to x.sock and sends a hello: version, role, wake mode, where
// to start or what to resume. The writer answers with a welcome that carries
// descriptors, or with a refusal that carries a code and a sentence:
//
//	role and wake mode   descriptors, in this order
//	reader, park         segment (O_RDONLY), reader table (O_RDWR),
//	                     the reader's doorbell, the writer's doorbell
//	reader, stream       segment (O_RDONLY), reader table (O_RDONLY)
//	observer             segment (O_RDONLY), reader table (O_RDONLY)
//
// Files are passed as descriptions of their own, never the writer's. The slot and
// the first cursor are stored by the writer before it answers, so that the frame
// a reader is welcomed to cannot be overwritten any more.
//
// A reader in park mode then sees frames and stores its cursor in shared memory
// alone. When it runs dry it sleeps in ppoll on its doorbell, an eventfd, and on
// the socket. A reader in stream mode, and an observer, is told of every batch by
// a note (published) and answers with notes (released). Positions are cumulative
// and notes are never waited for: one that finds no room is kept until there is,
// and replaced by a newer one meanwhile.
//
// # Who dies, and what happens
//
// A connection ends with a goodbye, or with a hang-up of the socket, or with the
// end of the peer's process as its pidfd tells it, which also catches a process
// whose child holds the socket open.
//
//   - An unnamed reader stops gating at once. If it parks and its process lives,
//     the connection was merely cut: the reader gates on for a second, in which it
//     may come back, and after that nobody else gets its slot until the process
//     ends, since it could still store to the cursor.
//   - A named reader that asked for it gates on for its grace (ReaderConfig.Keep).
//     Whoever comes back under that name takes the slot up where it was.
//   - A reader that is evicted learns of it by a note, by its slot's state and by
//     the ring's limit, which it compares after every look at a frame.
//   - A writer that dies leaves the segment as it was. Its readers deliver what is
//     committed, then wait for another writer (ReaderConfig.RestartWait). Listen
//     takes the lock, walks over the committed frames, carries the occupied slots
//     into a new table of the next epoch, and holds the gate for those readers for
//     a grace of its own (WriterConfig.Grace). A reader reconnects with slot,
//     generation and its own position, which is never below the cursor in the
//     table. So nothing is lost and nothing comes twice.
//   - A writer that ends stores the final position first and says so to every
//     client; it waits for lossless readers, then removes the files. One that dies
//     while it waits leaves a ring that still owes frames: its successor takes the
//     end back and goes on with it. A reader that looks for its writer while the ring
//     ends reads what is there to the end.
//
// # Why it is correct
//
// There is one writer because the lock is worth something only while its name
// leads to the file that was locked, which is looked at after locking, and because
// files are removed only under it. A segment with a name is complete because it is
// built without one. A fault for lack of memory cannot come later because every
// byte is reserved, and every page touched by the kernel, where failing is an
// error. Nobody waits for a peer: the writer rings and sends without blocking, and
// its control plane is one goroutine that only ever waits in epoll.
//
// # Caveats
//
// Processes of the same user can cut the files short or punch holes into them. What
// this package touches itself then fails with ErrSegmentLost, or ring.ErrCorrupt
// where a frame is gone, and no process dies; what a caller does with views needs
// Guard for that. Zeroed payload inside a frame is not noticed: there is no checksum.
//
// Slices of frames must not be used after Close, which unmaps them: that is a fault,
// and under Guard ErrSegmentLost and os.ErrClosed, while anything of the ring is
// referred to. Frame.Valid is false from then on. Pids in shared memory are labels
// for people.
package ipc
