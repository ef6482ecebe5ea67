// Shared memory behind store buffers; included by every model.
//
// mem is what all processors agree on. A store goes to the end of its processor's
// buffer and reaches mem later, when the process memory says so. A model defines
// WORDS, BUFFERS and DEPTH before it includes this file. A store into a full buffer
// waits, which only means that buffers are DEPTH stores long.
//
// Without RELAXED: total store order, as on amd64. Buffers are first in, first out;
// a seq-cst store is an XCHG, which waits until its buffer is empty.
//
// With RELAXED: as on arm64, as far as stores go. A plain store may overtake every
// store to another word, release stores too; a release store (STLR) reaches memory
// after all that precede it; a seq-cst store is a release store, and a seq-cst load
// (LDAR) waits for the release stores before it. A model names the words that are
// stored plainly with OVERTAKEN.
//
// No process loads a word that may still be in its own buffer, so loads look at mem.

short mem[WORDS];
chan buffer[BUFFERS] = [DEPTH] of { byte, short, bit } // word, value, release

// ring/order_asm.go: storePlain
#define STORE(cpu, word, value) buffer[cpu]!word, value, 0

// ring/order_asm.go: storeRelease, storeCommit
#define RELEASE(cpu, word, value) buffer[cpu]!word, value, 1

// ring/order_asm.go: fence
#define FENCE(cpu) empty(buffer[cpu])

// sync/atomic: StoreUint64, and what has to come before a LoadUint64
#ifdef RELAXED
#define SEQCST(cpu, word, value) RELEASE(cpu, word, value)
#define ORDERED(cpu) (!(buffer[cpu]??[_, _, 1]))
#else
#define SEQCST(cpu, word, value) atomic { empty(buffer[cpu]) -> mem[word] = value }
#define ORDERED(cpu) true
#endif

// sync/atomic: SwapUint64 with 0. A locked operation empties the buffer first.
#define SWAP0(cpu, word, old) atomic { empty(buffer[cpu]) -> old = mem[word]; mem[word] = 0 }

#define REACH(cpu) \
	:: atomic { buffer[cpu]?word, value, _ -> mem[word] = value; word = 0; value = 0 }

// The oldest store to this word, if it is a plain one, leaves before its turn.
#define OVERTAKEN(cpu, which) \
	:: atomic { buffer[cpu]??[which, _, 0] -> buffer[cpu]?? <which, value, release>; \
		if \
		:: !release -> buffer[cpu]??which, value, 0; mem[which] = value \
		:: else \
		fi; \
		value = 0; release = 0 }

// membarrier(2): each other processor runs a full fence at some time during the call.
#define DRAIN(cpu) \
	do \
	:: buffer[cpu]?drained, drainedValue, _ -> mem[drained] = drainedValue \
	:: empty(buffer[cpu]) -> break \
	od; \
	drained = 0; drainedValue = 0
