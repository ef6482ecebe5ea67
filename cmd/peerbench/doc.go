// Command peerbench sets ndring beside what people use today to pass arrays
// from one Go process to another on one host, in one run.
//
//	peerbench [-peers NAME,NAME] [-rounds N] [-time DURATION] [-pin=false] [-json] [-markdown FILE]
//
// It is a module of its own, so that the go.mod of ndring stays free of those
// others. ZeroMQ needs cgo, libzmq and the build tag zmq; without them it is
// left out, and the report says so.
//
// # Method
//
// A workload through a peer is carried out by two processes, started anew in
// each round and pinned to a CPU each, by the harness of cmd/ndring/bench. All
// peers do it with the same loops over the same small interface, link:
//
//	side 0                                    side 1
//	buffer → (fill) → number → send           receive → check number → (sum)
//	   …                                         …
//	last number → send, flush      ────────►  last
//	receive, stop the clock        ◄────────  answer
//
// Every frame begins with a number, which the receiver compares with the one
// that must follow, so a frame that is lost, doubled or overtaken ends the
// measurement. Frames one way count when the receiver has answered the last
// one: what still lies in a queue is not through. A fifth of the time, with a
// last frame of its own, precedes to warm up.
//
// Rounds are interleaved, and every other one runs backwards. A ratio is taken
// round by round, and the median of the ratios is reported.
//
// # Fairness
//
// What a transport lets its user choose is chosen in its favour: no frame is
// held up by flow control below 16 MiB under way, which is also the capacity
// of the ring; gRPC gets large windows and pooled buffers instead of protobuf;
// shmipc-go gets slices of just the size of a frame. Each side is a single
// goroutine, not bound to a thread, with GOMAXPROCS the better of 1 and 2 for
// the peer (peer.threads). Nothing batches on behalf of a peer, but what the
// peer's own library batches counts; unix_batched and ndring_batched show what
// collecting frames is worth, in a bufio.Writer and in a claim for 64, at the price
// that they arrive late.
//
// # Caveats
//
// The loops cost ndring, through an interface, a good part of what a frame
// costs: cmd/ndring/bench measures it without. On two CPUs the NATS server
// shares them with both sides. Round trips are timed with the monotonic clock,
// which adds its own reading, some tens of nanoseconds. Sockets and rings lie
// in folders of /dev/shm that are removed after each measurement; a coordinator
// that is killed with SIGKILL leaves the one in use behind.
package main
