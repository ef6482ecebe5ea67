// Command crowd holds thousands of TCP clients on one bridge, good and bad ones,
// and measures what they cost it and everybody else.
//
//	crowd (this process)                      processes it starts
//	--------------------                      -------------------
//	idle clients, N of them        ─────────► ndring bridge ─► ring ─► ndring stage
//	tricklers, a byte a second     ─────────►      ▲                        │
//	deaf ones, which never read    ─────────►      └────────── ring ◄───────┘
//	babblers, random bytes         ─────────►
//	one client that waits for each           crowd writer ─► ring ─► ndring consume
//	answer: its latency
//
// The writer at the right shares nothing with the bridge but the machine. It
// commits a frame every millisecond and times each claim with its commit, which rings
// the bell of a reader that sleeps.
//
// # Phases
//
//	alone     the bridge, the waiting client, the writer
//	idle      and N clients that had one chunk answered and fell silent
//	hostile   and tricklers, deaf ones that are full of answers, and babblers
//	after     everybody hung up but the waiting client
//
// Each phase is measured for the same time; the rounds run through all of them.
// Memory is the bridge's resident set. At the end of a round every idle client
// must still be served: it plays another chunk and checks PRIMARY and DELTA. The
// bridge must have given back all descriptors, or the program fails.
//
// # Caveats
//
// All run on one machine, so the crowd's own work takes CPU time from what is
// measured. Kernel memory of sockets is not part of a resident set; the bridge
// bounds it by its socket buffers.
package main
