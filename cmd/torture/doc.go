//go:build linux

// Command torture is a crash laboratory: it kills, stops and cuts off real processes
// that use rings, again and again, and proves from what they wrote down that no frame
// was lost, torn, repeated or reordered.
//
//	torture -duration 60s -seed 7
//	torture -duration 30m -kills 20000 -rooms writers,writers,readers,all,gate
//
// # The laboratory
//
//	laboratory                              /dev/shm/ndring-torture-…/
//	  room writers0                           x.ring x.readers x.sock x.lock
//	    actor writer  --starts, kills, starts--> process: ipc.Listen, claim, commit
//	    actor parks   --starts, stops, cuts---> process: ipc.Dial, next, release
//	    actor looks   ------------------------> process: ipc.Observe
//	       ^   page of each actor: state, trap, log
//	       |
//	    judges (package history)
//
// A room is one ring, or a chain of them, with its cast. An actor is a role that is
// started again whenever its process has died; the processes are this program,
// re-executed (package role), over the shipped packages. What an actor does and what
// it saw it stores in memory it shares with the laboratory (package page), where it
// outlives any kill; the laboratory hands it to judges.
//
//	room      who dies                        who lives, across all of that
//	writers   the writer                      two named readers, one in each wake mode; an observer
//	readers   named, unnamed and lossy        the writer
//	all       everybody but one named reader  is stopped and cut off like the others
//	gate      readers that hold up the ring   the writer; the time is taken until it goes on
//	laps      an observer                     the writer, which waits for nobody; two observers
//	stage     writer, stage, a reader of      another reader of the results: each frame of the
//	          the results                     first ring once, each DELTA the difference it says
//	bridge    bridge, stage, TCP clients      a client: each connection brings the results of
//	                                          its first chunks, the last one of all
//	calm, restart                             for a soak: little load, seldom harm
//
// Stage and bridge are the shipped ndring (-ndring PATH).
//
// # Harm
//
// A life is planned before it begins, from the seed, the actor's name and the number
// of the life; so a seed repeats the plans, though not the instants at which a
// scheduler lets them come true. A quarter of the kills comes within 6 ms of the start
// of the process, while it starts, attaches or recovers. Half come at a random time of
// up to 8 ms under full load. The rest are aimed: the process stands still in a step
// drawn at random (a trap in its page), or is seen asleep, blocked or parked, and then
// gets its SIGKILL. Writers are also killed up to three times while they end their ring
// at the end of the run. In rooms where everybody suffers a tenth of the lives is stopped
// with SIGSTOP for up to 30 ms first, and killed while it is stopped or after SIGCONT;
// as many have their control connection shut down by the laboratory, which takes a
// duplicate of the descriptor out of the living process.
//
// # What is found
//
// The proof is that of package history. Besides, each process that ends by itself
// compares its descriptors, mappings and goroutines with those from before it
// attached; the laboratory does the same for itself and its children, and looks into
// the ring directories; a room in which no lossless reader gets a frame for a minute
// is stuck. Anything found is a FAULT line and exit code 1.
//
// The times from the death of a reader that blocks the writer to the writer's next
// claim are reported and never judged.
//
// # Caveats
//
// The state a kill hit is the step last stored: a kill that arrives between the end of
// a step and the store of the next counts for the former. What happens between two
// instructions inside a step is found by chance only. Processes of the laboratory
// share the machine's processors, so that most of the time most of them do not run.
package main
