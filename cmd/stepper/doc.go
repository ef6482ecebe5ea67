// Stepper stops the writer of a ring after every single instruction of its paths and
// lets a fresh reader, a fresh observer and a fresh writer judge the memory as it is
// there, each on a copy.
//
//	stepper [-short] [-only PART] [-kills N] [-seed N] [-v]
//
// # The processes
//
//	   this process                            a copy of this program
//	+----------------------------+          +----------------------------+
//	| check: compare, judge <----|-- maps --|-> x.ring  x.readers        |
//	|                            |   read   |        ^ stores            |
//	| trace: one instruction, ---|- ptrace -|-> script, on one thread:   |
//	|   then all stand still     |          |   ring.Writer, ring.Reader |
//	+----------------------------+          +----------------------------+
//
// The copy links the ring's packages as every program does, and plays a script
// (package script): attach, claim, write, commit, wrap, group, batch, abort, wait at
// the gate, drop, evict, recover, end. Package trace executes it instruction by
// instruction. After each one, package check compares the ring's memory with what it
// was and, if a byte changed, judges it.
//
// # Files, and real deaths
//
// Taking a ring over is more than memory, so ipc.Listen is stepped too, on an empty
// directory and on one left by a dead writer with two readers. As soon as the segment
// has a name its memory is judged after each instruction; after each system call, the
// only instructions that change files, a real ipc.Listen and a reader that dials take
// over a copy of the directory. The same is done with ipc.Writer.Close of a ring that owes
// its readers frames, until neither segment nor table has a name: before that whoever
// comes finds all frames, after it there is no ring.
//
// The control plane of a writer runs on a thread of its own. It is stepped while the
// writer's goroutine rests and real readers dial, resume, are refused, release by note,
// are evicted for a false note, say goodbye and die; a slot is in quarantine as long as
// who was evicted from it is there.
//
// Last, one ring is written by one process after the other, each killed with SIGKILL
// at an instruction drawn at random from claim, write, commit and Listen, while a
// reader in park mode and one in stream mode follow all lives. A life says with which
// frame it goes on: no fewer than those whose commit had returned, no more than the
// commit under way, and never the middle of a group.
//
// # What it proves, and what not
//
// A death of the writer is a stop of its stores at some instruction: nothing that it
// stored before is undone, nothing after it happens. So what is true of the memory
// after every instruction is true of what any death leaves, for the paths stepped,
// and for these inputs. The order in which another processor sees the stores is not
// looked at: on amd64 stores are seen in their order; that they are issued in the
// right order is what is seen here. Interleavings with readers that run at the same
// time are the models' business (docs/model).
//
// # Output
//
// A table with one line for each path: how often it ran, instructions stepped, how
// many different instructions of the ring's packages those were, and how often the
// memory changed. The exit code is 1 if anything was found; the message then names
// the script, the operation and the instruction.
package main
