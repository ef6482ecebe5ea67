// Package stage reads frames of one or several rings, applies a kernel and writes
// the results into another ring.
//
// # The path of a frame
//
//	input ring                 output ring
//	+--------+   kernel        +---------+-------+
//	| x      | ──────────────► | PRIMARY | DELTA |   one group: both or neither
//	+--------+   in one pass   +---------+-------+
//	  lease         ▲               claim
//	                └── last PRIMARY of the stream
//
// The kernel reads the frame under lease and writes into the claimed frames of the
// output ring. Nothing lies in between; the only other bytes moved are those of
// the last PRIMARY, which DELTA needs and the kernel updates in the same pass. A
// strided frame is packed into the claim and computed there.
//
// # Results
//
// Every data frame is answered by a PRIMARY of its shape. A DELTA, this PRIMARY
// minus the one before it, follows in the same group if the frame before in the
// same stream had the same shape. Both carry the stream id and sequence of their
// source, its time if it has one, and its position and ring. Frames of no stream
// belong to stream 0, with their frame number plus one as sequence.
//
// Inputs hold float64; other types are refused with ErrDType, which names ring and
// frame: a conversion that loses bits is the producer's decision.
//
// # Streams
//
// State is kept per input and stream: the last PRIMARY and its shape. A stream end
// (proto.KindStreamEnd) drops it and is passed on behind all results of the stream.
// The state is bounded (Config.MaxStreams, Config.MaxStateBytes). Where the bound
// is met the stream that was silent longest is ended in band, so its reader learns
// of it; it never gets a DELTA that refers to a PRIMARY it did not receive.
//
// # Order
//
// The results are committed, then the input frame is released, then the next one
// is looked at. A stage killed anywhere leaves at most one frame that is answered
// but not released. Results name their source position, so a restarted stage finds
// the last frame answered in its own output ring (Stage.Resume) and skips to it.
//
// With several inputs a goroutine reads each, and one claim is open at a time, so
// the kernel runs for one input at a time. With one input no lock is taken. An input
// that ends within a result, evicted or without its memory, leaves the state of that
// stream changed; nobody claims after it, so that state is never saved.
//
// # The next life
//
// What the next life must know, the last PRIMARY of each stream and the last frame
// answered of each input, stands in the output ring already: the ring is a log of it,
// of which only the old end is lost. A journal (Config.Journal) holds what leaves that
// end:
//
//	journal                                 output ring
//	+------+----------+------+----------+   +---------------------------------+
//	| head | stream 7 | gone | commit F |   |  ... given up | F ...      tail |
//	+------+----------+------+----------+   +---------------------------------+
//	 state as results before F left it       results from F on, in order
//
// A commit with floor F says that the records before it and the results from F on are
// everything. Before a claim that could give up the result at F (ring.Reach bounds
// how far a claim can go), the stage writes down the streams that have said nothing
// since a later F, and commits that one. Until then the result of a stream stands in
// the ring, and nothing is written for it. So
//
//   - a death between a commit in the ring and one in the journal loses nothing: the
//     result is at F or later;
//   - a death in the middle of writing leaves a torn record behind the last commit,
//     about a stream whose result is still in the ring;
//   - a journal that is older than the ring, cut short, damaged or of another ring
//     shows: each record has a number and a CRC, reading stops at the first that is
//     wrong, and a commit counts only while the ring holds everything from its floor
//     on. What is left of the journal is then not used at all. Streams that the ring
//     does not show any more end at their next frame, in band and in the log, never
//     with a wrong DELTA; streams that begin (sequence 1) are served.
//
// The journal only grows until half of it is out of date, then it is written anew
// under another name and renamed; so is each life's. Kernel, parameters and NoDelta
// stand in its head: a stage with others is refused (ErrOther). Streams of a ring that
// is no input any more are ended when Run begins.
//
// # Inputs that have ended
//
// A ring goes with its writer, and that may go when its readers have said goodbye. So at
// the end of an input the order is: its last result is committed, a commit in the journal
// marks the input as ended, the input is closed. A life that dies before that mark finds
// the ring (its writer waits for the goodbye of a reader with a name and a time to be
// kept); one that dies after it does not need the ring: Ended names it, New is not given
// it, and its streams stay as they are. The mark is of the ring, not of its name: a new
// ring of that name holds other data, which belongs to a next output ring, as it would
// if nobody had died. Programs that know no mark ignore it and wait for the input; their
// journals mark nothing.
//
// # Ends that nobody sent
//
// A Source that is a Lives, such as a ring that a bridge feeds, says in which life of
// its writer a stream began. With the first frame of a new life the streams of those
// before are ended.
//
// # Cost
//
// A frame costs one lease, one claim and one pass of the kernel. No heap memory is
// taken for a frame of a known stream, and with a journal no system call is made for
// one but when the ring is about to give up a result that nothing newer replaces: each
// time something like three quarters of its capacity were written, for streams that
// spoke meanwhile one record of a hundred bytes, for others their last PRIMARY.
// BenchmarkStage measures it.
//
// # Caveats
//
// An output ring that drops when full (proto.PolicyDropNewest) may drop a stream
// end; readers that rely on ends, such as a bridge, need a blocking one. PRIMARY
// and DELTA together must fit half the output ring; where they take more than a third
// of it, the journal gets every other PRIMARY. Writing the journal anew takes as long
// as copying the state of all silent streams. A stage that attaches in the
// middle of a stream starts with a PRIMARY alone.
package stage
