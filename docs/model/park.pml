// Parking and waking in both directions: CAP positions of one line each, one writer,
// READERS readers. Nobody has a timeout, so a lost wake-up is a deadlock.
//
// ASYMMETRIC: nobody fences on the hot path; who parks runs the barrier for all.
// MIXED: the writer starts asymmetric; readers attach while it commits, fence
// themselves and cannot run the barrier.
// LATE: the writer waits for a first reader; the last reader dies at some point.

#ifndef READERS
#define READERS 2
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#define CAP 2
#define WRITER READERS
#define CONTROL (READERS + 1)
#define BUFFERS (READERS + 2)
#define DEPTH 3

#define COMMIT(position) ((position) % CAP)
#define CURSOR(r) (CAP + (r))
#define OWN(r) (CAP + READERS + (r))
#define SUMMARY (CAP + 2 * READERS)
#define WANTED (SUMMARY + 1)
#define FINAL (SUMMARY + 2)
#define WORDS (SUMMARY + 3)

#include "memory.pml"

bit bell[READERS + 1]; // eventfd of each side, saturated by the first ring
bit gating[READERS];   // words of the writer's process, stored and read in any order
bit fenced;
bit sawAny;
bit attached[READERS];
byte start[READERS];
bit dead[READERS];

#define RING(side) bell[side] = 1
#define SLEEP(side) atomic { bell[side] -> bell[side] = 0 }

// ring/reader.go: (*Reader).wakeWriter, ring/wake.go: (*Writer).ringIfWanted
inline ringIfWanted(cpu, position) {
	atomic { ORDERED(cpu) -> wanted = mem[WANTED] };
	if
	:: wanted != 0 && position >= wanted - 1 ->
#ifdef MUT_WANTED_RING_THEN_CLEAR
		RING(WRITER);
		SEQCST(cpu, WANTED, 0)
#else
		SWAP0(cpu, WANTED, wanted);
		if
		:: wanted != 0 -> RING(WRITER)
		:: else
		fi
#endif
	:: else
	fi;
	wanted = 0
}

// ring/wake.go: (*Writer).ringSelf
inline ringSelf(cpu) {
	SWAP0(cpu, WANTED, wanted);
	if
	:: wanted != 0 -> RING(WRITER)
	:: else
	fi;
	wanted = 0
}

proctype reader(byte r) {
	byte pos;
	short word, wanted;
	byte drained;
	short drainedValue;

	attached[r];
	pos = start[r];
	do
	// ring/reader.go: (*Reader).Next, ring/park.go: (*Reader).await
	:: atomic { ORDERED(r) -> word = mem[COMMIT(pos)] };
		if
		:: word != 0
		:: else ->
			// ring/park.go: (*Reader).ending
			atomic { word = mem[FINAL] };
			if
			:: word == pos + 1 ->
				word = mem[COMMIT(pos)];
				if
				:: word == 0 -> break
				:: else
				fi
			:: else
			fi;
			// ring/park.go: (*Reader).park
#ifdef MUT_SUMMARY_FIRST
			SEQCST(r, SUMMARY, 1);
			SEQCST(r, OWN(r), 1);
#elif defined(MUT_RELEASE_PARK)
			RELEASE(r, OWN(r), 1);
			RELEASE(r, SUMMARY, 1);
#else
			SEQCST(r, OWN(r), 1);
			SEQCST(r, SUMMARY, 1);
#endif
#if !defined(MUT_RELEASE_PARK) && !defined(NO_PARK_FENCE)
			FENCE(r);
#endif
#if defined(ASYMMETRIC) && !defined(MUT_NO_BARRIER)
			atomic { DRAIN(WRITER) };
#endif
#ifdef MUT_NO_RECHECK
			word = 0;
#else
			atomic { ORDERED(r) -> word = mem[COMMIT(pos)] };
			if
			:: word == 0 ->
				word = mem[FINAL];
				if
				:: word == pos + 1
				:: else -> word = 0
				fi
			:: else
			fi;
#endif
			if
			:: word != 0 -> SEQCST(r, OWN(r), 0)
			:: else ->
				// ring/wait.go: Sleeper
				SLEEP(r);
				SWAP0(r, OWN(r), word)
			fi;
			word = 0
		fi;
		if
		:: word == 0
		:: else ->
			assert(word == pos + 1); // nothing of the lap before, nothing skipped
			word = 0;
#ifdef LATE
			// The process ends without a word.
			if
			:: r == READERS - 1 -> dead[r] = 1; goto done
			:: true
			fi;
#endif
			// ring/reader.go: (*Reader).Release
			pos++;
			RELEASE(r, CURSOR(r), pos);
#if !defined(ASYMMETRIC) && !defined(MUT_NO_READER_FENCE)
			FENCE(r);
#endif
			ringIfWanted(r, pos)
		fi
	od;
	assert(pos == FRAMES);
done:
	skip
}

// ring/gate.go: (*Writer).gate, (*Writer).firstGate
inline readGate() {
	gate = (sawAny -> pos : 0);
	i = 0;
	do
	:: i < READERS ->
		atomic {
			ORDERED(WRITER) ->
			if
			:: gating[i] && mem[CURSOR(i)] < gate -> gate = mem[CURSOR(i)]
			:: else
			fi;
			i++
		}
	:: else -> break
	od;
	i = 0
}

// ring/gate.go: (*Writer).awaitGate, (*Writer).parkAtGate
inline awaitGate(want) {
	readGate();
	do
	:: gate >= want -> break
	:: else ->
#ifdef MUT_GATE_RELEASE
		RELEASE(WRITER, WANTED, want + 1);
#else
		SEQCST(WRITER, WANTED, want + 1);
#ifndef NO_GATE_FENCE
		FENCE(WRITER);
#endif
#endif
#if defined(ASYMMETRIC) && !defined(MUT_NO_WRITER_BARRIER)
		// ring/gate.go: (*Writer).barrier
		atomic { DRAIN(0) };
#if READERS > 1
		atomic { DRAIN(1) };
#endif
#endif
#ifdef MUT_NO_GATE_RECHECK
		gate = 0;
#else
		readGate();
#endif
		if
		:: gate >= want -> SEQCST(WRITER, WANTED, 0); break
		:: else ->
			SLEEP(WRITER);
			SEQCST(WRITER, WANTED, 0);
			readGate()
		fi
	od;
	gate = 0
}

// ring/wake.go: (*Writer).wakeReaders
inline wakeReaders() {
#ifndef MUT_SUMMARY_CLEAR_LAST
	SWAP0(WRITER, SUMMARY, parked);
#endif
	i = 0;
	do
	:: i < READERS ->
#ifdef MUT_RING_THEN_CLEAR
		parked = mem[OWN(i)];
		if
		:: parked != 0 -> RING(i); SEQCST(WRITER, OWN(i), 0)
		:: else
		fi;
#else
		SWAP0(WRITER, OWN(i), parked);
		if
		:: parked != 0 -> RING(i)
		:: else
		fi;
#endif
		i++
	:: else -> break
	od;
#ifdef MUT_SUMMARY_CLEAR_LAST
	SEQCST(WRITER, SUMMARY, 0);
#endif
	i = 0;
	parked = 0
}

proctype writer() {
	byte pos, gate, i;
	short parked;
	byte drained;
	short drainedValue;

	do
	:: pos < FRAMES ->
		// ring/claim.go: (*Writer).reserve; the next commit word belongs to it
		if
		:: pos + 2 > CAP -> awaitGate(pos + 2 - CAP)
		:: else
		fi;
		// ring/claim.go: (*Claim).Commit
		STORE(WRITER, COMMIT(pos + 1), 0);
		RELEASE(WRITER, COMMIT(pos), pos + 1);
		pos++;
		// ring/claim.go: (*Writer).advance
#ifndef MUT_NO_FENCE
		if
		:: fenced -> FENCE(WRITER) // only with a reader that fences
		:: !fenced
		fi;
#endif
		atomic { ORDERED(WRITER) -> parked = mem[SUMMARY] };
		if
		:: parked != 0 -> wakeReaders()
		:: else
		fi
	:: else -> break
	od;
	// ring/writer.go: (*Writer).Finish
	SEQCST(WRITER, FINAL, pos + 1);
#ifndef MUT_NO_END_WAKE
	SEQCST(WRITER, SUMMARY, 1);
	wakeReaders();
#endif
	// ring/gate.go: (*Writer).Drain
	awaitGate(pos)
}

#if defined(MIXED) || defined(LATE)
// ring/slot.go: (*Writer).Attach, (*Writer).Detach; who serves the control socket
proctype control() {
	byte r;
	short wanted;
	byte drained;
	short drainedValue;

	do
	:: r < READERS ->
		// ring/slot.go: (*Writer).startOf; the oldest frame, or the end of the first
		if
		:: true
		:: r == 0 && mem[COMMIT(0)] == 1 -> start[r] = 1
		fi;
		// ring/slot.go: (*Writer).gateAt
		SEQCST(CONTROL, CURSOR(r), start[r]);
		FENCE(CONTROL);
		gating[r] = 1;
		// ring/slot.go: (*Writer).occupy
#ifdef MIXED
		fenced = 1;
#ifndef MUT_NO_ATTACH_BARRIER
		atomic { DRAIN(WRITER) };
#endif
#endif
		// ring/slot.go: (*Writer).sawReader, once all are there
		if
		:: r == READERS - 1 ->
			sawAny = 1;
#ifndef MUT_ATTACH_NO_RING
			ringSelf(CONTROL)
#endif
		:: else
		fi;
		attached[r] = 1;
		r++
	:: else -> break
	od;
#ifdef LATE
end:
	dead[READERS - 1];
	gating[READERS - 1] = 0;
#ifndef MUT_DETACH_NO_RING
	ringSelf(CONTROL)
#endif
#endif
}
#endif

proctype memory() {
	byte word;
	short value;
	bit release;
end:
	do
	REACH(0)
#if READERS > 1
	REACH(1)
#endif
	REACH(WRITER)
#if defined(RELAXED) && (defined(MIXED) || defined(LATE))
	REACH(CONTROL)
#endif
#ifdef RELAXED
	OVERTAKEN(WRITER, 0)
	OVERTAKEN(WRITER, 1)
#endif
	od
}

init {
	atomic {
		byte r;
#if defined(LATE) || defined(MIXED)
		sawAny = 0;
#else
		sawAny = 1;
#endif
#if defined(ASYMMETRIC) || defined(MIXED)
		fenced = 0;
#else
		fenced = 1;
#endif
#if !defined(MIXED) && !defined(LATE)
		for (r : 0 .. READERS - 1) {
			gating[r] = 1;
			attached[r] = 1
		}
#else
		run control();
#endif
		r = 0;
		for (r : 0 .. READERS - 1) {
			run reader(r)
		}
		run writer();
		run memory()
	}
}
