// Package bench measures, between real processes, how fast data can pass from
// one to the other on this machine, the floors, and how fast it passes through
// rings, stages and bridges, in one run.
//
// # Processes
//
// A figure is carried out by processes of its own, the sides, which start
// anew in each round. The coordinator pins each to a CPU, tells it its part
// in an environment variable, and takes the reply from side 0:
//
//	coordinator ── Plan.Run: round after round, figure after figure
//	     │
//	     │ Host.Carry(Job{Seats, SharedBytes, Sockets, Params})
//	     │   exec of this program, affinity set, descriptors 3 and 4
//	     ├──────────────► side 0 ── Serve ── Role ──► reply, JSON on stdout
//	     │                   ▲  shared file, socket pair
//	     │                   ▼
//	     └──────────────► side 1 ── Serve ── Role
//
// The shared file begins with one word for each side, 128 bytes apart, on
// which Side.Meet counts; what follows belongs to the figure:
//
//	0          128        …   8192
//	├ met by 0 ┼ met by 1 ┼ … ┼ Side.Shared …
//
// The file has no name and the sides die with the coordinator, so a run that
// is killed leaves nothing behind. When one side fails, the others are killed;
// a side may therefore wait for its peer without a time limit.
//
// # Floors
//
//	line_rtt          one word each way, both sides spinning: no hand-over
//	                  that spins can have a shorter round trip
//	slot_rtt          one frame each way through rings of bare slots: a line that
//	                  moves on, and the next one zeroed before it
//	seqpacket_rtt     one message each way by blocking system calls, both
//	                  sides sleeping, on one CPU and on two
//	slot_ring_rate    frames of one cache line through a ring that is nothing
//	                  but slots, committed by a release store: what a Go
//	                  ring can be held against for small frames
//	shared_fill_sum   buffers filled on one core and summed on another
//	shared_copy       the same, copied in and out: what a transport that
//	                  copies at both ends can reach
//	tcp_echo_rtt      a chunk over TCP on loopback and back, by the plainest
//	                  server in Go: what a bridge's round trip is held against
//
// The bare ring meets two regimes. While it is mostly full the writer's lines
// lie in its own cache when it stores to them. While it is mostly empty the
// reader waits on the very line the writer fills and takes it away in between,
// which costs several times as much as the frame. To be a ceiling, the floor
// makes the second rarer: the writer prefetches for ownership eight slots ahead,
// and after a look in vain the reader stays off the line for a while.
//
// # Figures
//
// A figure does the same work as its floor through the public interface of package
// ipc: frames are filled in place by the writer and summed in place by the reader,
// unless the name says untouched. Suite lists them all, a floor next to what is
// divided by it. Sides that spin pin themselves once they run (Job.PinLate), for a
// process that is pinned from its start counts one CPU, and its rings then park
// at once. Parked sides are pinned from the start, like those of their floor.
//
// # Statistics
//
// A Measurement is one value a round. Rounds are interleaved, and a ratio is
// taken round by round before its median, so that a change of the machine's
// speed between rounds falls out of it. Latencies are quantiles of an HDR
// histogram over all round trips of a round; the processor's counter is read
// once a round trip, since time.Now would be a good part of what it measures.
//
// A round of a figure is disturbed when, while it ran, all CPUs together were busy
// for longer than its own processes, the one that measures among them, by more than a
// tenth of one CPU and 30 ms, which /proc/stat cannot resolve. Time that the host takes from a virtual machine counts
// as busy. Disturbed rounds are left out as long as at least half of the rounds are
// quiet; otherwise all count, and the table marks the row. A ratio is as disturbed
// as its parts.
//
// # Caveats
//
// A floor is one in Go: calls into assembly pass arguments on the stack and
// cannot be inlined, which C, or a commit by a plain store that the Go memory
// model does not allow, saves on slot_ring_rate. That rate falls into either
// regime by chance; compare spreads before medians. A machine that does other
// work spoils whatever spins, floors and figures alike. With -tags
// noasm the floors use sync/atomic and are no limits to anything. On a
// virtual machine the wake-up of an idle CPU dominates seqpacket_rtt_two_cpus.
// Sides pinned to one CPU run with GOMAXPROCS=1, as the Go runtime counts.
package bench
