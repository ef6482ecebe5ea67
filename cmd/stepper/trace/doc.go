// Package trace runs one thread of another process instruction by instruction,
// with ptrace(2), while every other thread of that process stands still.
//
// # Marks
//
// The traced thread says where it is with signals to itself: Mark raises one that
// the tracer sees, and takes away, before it is delivered. Without a tracer a mark
// ends the process, so nobody runs a program with marks in it by accident.
//
// # Why all others are frozen
//
// A Go program has threads nobody asked for: the system monitor asks a goroutine
// that runs for 10 ms to yield, which at a few thousand instructions in that time
// would be every few hundred of them, and the scheduler's own path would be most of
// what is seen. Frozen, none of that happens, and a run is repeated exactly: the
// same program takes the same steps, but for what the clock and addresses decide.
//
// A frozen thread may hold what the traced one needs, so threads are frozen when
// all of them sleep in the kernel: no thread then runs Go code, and none but the
// traced one holds the right to (the runtime's P). The program helps: GOMAXPROCS=1,
// no garbage collection, and a traced goroutine that is locked to its thread and
// waits in a plain read.
//
// # Caveats
//
// All calls must come from the thread that called Seize, so the caller locks its
// goroutine to it. A repeated string instruction stops after each repetition; a
// system call is one step. amd64 only: what is read of the registers has other names
// elsewhere.
package trace
