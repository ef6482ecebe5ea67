// Package bridge connects TCP clients that speak the seed protocol to rings.
//
// # The protocol
//
//	client → bridge   u32 length, big-endian | length bytes of float64, little-endian
//	bridge → client   u64 time, u32 sequence, u8 type, big-endian | as many float64
//
// Each chunk is answered by a PRIMARY (type 0), from the connection's second chunk
// on also by a DELTA (type 1) if the chunk before was as long. Sequence ids count
// from 1 per connection. There is no handshake; a client half-closes when it is
// done, gets every result it is owed, and the bridge closes.
//
// # The path of a chunk
//
//	client ─┐                ring To                          ring From               ┌─ client
//	client ─┼─ one goroutine ──────► stage: kernel, per stream ──────► one goroutine ─┼─ client
//	client ─┘  each                                              for all, by stream   └─ client
//
// A client is a stream with an id of its own, never used again. Its end travels
// in band, through both rings and the stage: when it comes out of From, everything
// before it has. A bridge with a Kernel computes in the client's goroutine instead
// and has no rings.
//
// # Small chunks, large chunks
//
// What fits 64 KiB is read in blocks of that size, all whole chunks of a block
// going into the ring under one lock. Results are gathered per client and sent
// when the ring of results holds no more, or when enough are there. PRIMARY and
// DELTA of a chunk leave together.
//
// A larger chunk is read from the socket straight into the claimed frame, and a
// result of 64 KiB or more is written from the leased frame straight to the socket.
//
// # Nobody waits for a slow client
//
// The claim of To is shared. When its client sends nothing for a millisecond, or
// less than 64 KiB in one, what came moves to a buffer of that client, the claim is
// aborted, and the chunk is committed when it is whole. The buffer grows with what
// arrives, not with what is announced.
//
// The lease of From is shared too. What a socket does not take at once (for large
// results: after a millisecond) is copied to a queue of that client, which a
// goroutine of its own empties, and the lease ends. The queue is bounded by credit:
// a chunk takes credit for both its results, sending them gives it back, and a
// client without credit is not read from.
//
// So neither ring ever waits for a client, and a client that does not read its
// results stops only itself. Both goroutines of a client that makes no progress for
// Config.Progress end with the connection.
//
// # Memory of one client
//
//	idle                  a goroutine and a few hundred bytes
//	sending small chunks  a block of 64 KiB while bytes are there, 4 KiB while not
//	sending a large chunk up to three times its length, if it pauses in the middle
//	not reading           Config.MemoryBytes, and one chunk's results beyond it
//	in the kernel         Config.SocketBytes each way, which Linux doubles
//
// With a Kernel and large chunks each client also holds four arrays of a chunk's
// length: input, both results and the last PRIMARY.
//
// # Refusals
//
// A chunk of length 0, not a multiple of 8, over the limit, of another length than
// Config.ExactBytes, or cut short, ends its connection: results of the chunks before
// are delivered first, and one line is logged with the client's address, the byte
// count and the rule. Nobody else is touched. Config.MaxClients bounds connections;
// when descriptors run out, accepting pauses.
//
// # Caveats
//
// Stage and rings are trusted to answer each chunk once, with its length and in
// order; a From or To that drops frames is refused by New. Results carry the frame's
// time if it has one, else the time of delivery. After 2^32 chunks of one connection
// its sequence ids begin again at 0. A bridge that is killed leaves its streams
// without an end; the stage ends them with the first chunk of the next bridge, whose
// stream ids tell (Life).
package bridge
