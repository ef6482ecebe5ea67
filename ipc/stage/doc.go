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
// The last PRIMARY of each stream stands there as well; a stream whose last one was
// overwritten since is ended, never continued with a wrong DELTA.
//
// With several inputs a goroutine reads each, and one claim is open at a time, so
// the kernel runs for one input at a time. With one input no lock is taken.
//
// # Cost
//
// A frame costs one lease, one claim and one pass of the kernel. No heap memory is
// taken for a frame of a known stream. BenchmarkStage measures it.
//
// # Caveats
//
// An output ring that drops when full (proto.PolicyDropNewest) may drop a stream
// end; readers that rely on ends, such as a bridge, need a blocking one. PRIMARY
// and DELTA together must fit half the output ring. A stage that attaches in the
// middle of a stream starts with a PRIMARY alone.
package stage
