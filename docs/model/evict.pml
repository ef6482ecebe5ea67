// Limit, attach, eviction and the intact check: CAP positions of one line each, one
// writer that commits FRAMES frames, one slot, READERS readers that have it in turn,
// and whoever serves the control socket.
//
// PATIENCE: the writer may give up the reader it waits for, and the reader may leave,
// at any time. With two readers that holds for the first of them.
// OBSERVER: no reader but a lossy one.

#ifndef CAP
#define CAP 3
#endif
#ifndef FRAMES
#define FRAMES 5
#endif
#ifndef READERS
#define READERS 1
#endif

#define WORD(position) ((position) % CAP)
#define BODY(position) (CAP + (position) % CAP)
#define LIMIT (2 * CAP)
#define MEANT (LIMIT + 1)
#define PUB (LIMIT + 2)
#define TAIL (LIMIT + 3)
#define CURSOR (LIMIT + 4)
#define START (LIMIT + 5)
#define GATING (LIMIT + 6)
#define WORDS (LIMIT + 7)

#define WRITER 0
#define CONTROL 1
#define READER(generation) (1 + (generation))
#define BUFFERS (2 + READERS)
#define DEPTH 4

#include "memory.pml"

chan welcome[READERS + 1] = [1] of { byte };  // first position
chan news = [3] of { bit, byte };             // evict or gone, generation
bit dismissed[READERS + 1];                   // the writer has given this generation up
byte described;                               // generation the table tells of
bit over;

#define EVICT 0
#define GONE 1

#ifdef MUT_LIMIT_FIRST
#define RELIED LIMIT
#else
#define RELIED MEANT
#endif

// ring/gate.go: (*Writer).dismiss
inline dismiss() {
#ifdef MUT_DISMISS_ANY
	atomic { empty(buffer[WRITER]) -> taken = seen; mem[GATING] = 0 };
#else
	atomic {
		empty(buffer[WRITER]) ->
		if
		:: mem[GATING] == seen -> taken = seen; mem[GATING] = 0; dismissed[seen] = 1
		:: else
		fi
	};
#endif
	if
	:: taken != 0 ->
		// ipc/writer.go: (*Writer).onEvict
#ifdef MUT_LATE_GENERATION
		taken = described;
#endif
		news!EVICT, taken
	:: else
	fi;
	taken = 0
}

// ring/gate.go: (*Writer).gate, (*Writer).accept
inline readGate(lowest) {
	lowest = pos;
#ifndef OBSERVER
	atomic { ORDERED(WRITER) -> generation = mem[GATING] };
	if
	:: generation == 0
	:: else ->
		if
		:: generation != seen -> seen = generation; last = mem[START]
		:: else
		fi;
		cursor = mem[CURSOR];
		assert(cursor >= last && cursor <= pos); // no honest reader is dismissed for its cursor
		last = cursor;
		cursor = 0;
		lowest = last
	fi;
	generation = 0
#endif
}

// ring/writer.go: (*Writer).storeTail
inline storeTail() {
	pub = pos;
	SEQCST(WRITER, PUB, pos);
#ifdef OBSERVER
	RELEASE(WRITER, TAIL, pos)
#endif
}

// ring/gate.go: (*Writer).raise
inline raise(need) {
	do
	:: // ring/gate.go: (*Writer).awaitGate; sleeping is the matter of park.pml
		readGate(gate);
		if
		:: gate + CAP < need ->
#ifdef PATIENCE
			// ring/gate.go: (*Writer).evictStuck
			if
			:: true
			:: seen != 0 && (READERS == 1 || seen < READERS) -> dismiss()
			fi
#endif
		:: else ->
			limit = need;
			if
			:: need + 1 <= gate + CAP -> limit = need + 1
			:: true
			fi;
			// ring/gate.go: (*Writer).prove
#ifndef MUT_LIMIT_FIRST
#ifndef MUT_NOT_ANNOUNCED
			SEQCST(WRITER, MEANT, limit);
#endif
#ifndef MUT_NO_REREAD
			readGate(gate);
#endif
			if
#ifndef OBSERVER
			:: gate + CAP < limit -> SEQCST(WRITER, MEANT, shared)
#endif
			:: else ->
				// ring/gate.go: (*Writer).keepTail
#ifndef MUT_NO_KEEP_TAIL
				if
				:: limit > pub + CAP -> storeTail()
				:: else
				fi;
#endif
#ifndef MUT_NO_LIMIT
				SEQCST(WRITER, LIMIT, limit);
#endif
#ifndef MUT_NO_LIMIT_FENCE
				FENCE(WRITER);
#endif
				shared = limit;
				break
			fi
#else
			SEQCST(WRITER, LIMIT, limit);
			FENCE(WRITER);
			shared = limit;
			do
			:: readGate(gate);
				if
				:: gate + CAP >= limit -> break
				:: else
				fi
			od;
			break
#endif
		fi
	od;
	gate = 0;
	limit = 0
}

proctype writer() {
	byte pos, pub, limit, shared, gate;
	byte generation, seen, last, cursor, taken;

	do
	:: pos < FRAMES ->
		// ring/claim.go: (*Writer).reserve
		if
		:: pos + 2 > shared -> raise(pos + 2)
		:: else
		fi;
		// ring/claim.go: (*Claim).Commit
		STORE(WRITER, BODY(pos), pos + 1);
		STORE(WRITER, WORD(pos + 1), 0);
		RELEASE(WRITER, WORD(pos), pos + 1);
		pos++;
		// ring/claim.go: (*Writer).advance; (*Writer).passMark
#if READERS == 1
		if
		:: true -> storeTail()
		:: true
		fi
#endif
	:: else -> break
	od;
	over = 1
}

#ifdef OBSERVER
// ring/observer.go: (*Observer).Next, (*Observer).look
proctype observer() {
	byte pos, body, limit, tail;
	short word;

	do
	:: pos < FRAMES ->
#ifdef MUT_CHECK_BEFORE
		limit = mem[LIMIT];
#endif
		word = mem[WORD(pos)];
#if defined(MUT_NO_LOAD_FENCE)
		// A later load may be made early.
		limit = mem[LIMIT];
#endif
		if
		:: word == pos + 1 -> body = mem[BODY(pos)]
		:: else
		fi;
#if !defined(MUT_CHECK_BEFORE) && !defined(MUT_NO_CHECK) && !defined(MUT_NO_LOAD_FENCE)
		// ring/segment.go: (*Segment).intact
		limit = mem[LIMIT];
#endif
		if
		:: limit > pos + CAP ->
			// ring/observer.go: (*Observer).resync, ring/boundary.go: (*Segment).boundary
			tail = mem[TAIL];
			limit = mem[LIMIT];
			if
			:: tail > limit - 1 -> tail = limit - 1
			:: true
			fi;
			assert(tail > pos); // a lap is never taken for corruption
			pos = tail;
			tail = 0
		:: limit <= pos + CAP && word == pos + 1 ->
			assert(body == pos + 1); // no torn frame is delivered
			pos++
		:: else ->
			assert(word == 0); // nor anything else than "not yet"
			if
			:: over && mem[WORD(pos)] == 0 && empty(buffer[WRITER]) -> break
			:: else
			fi
		fi;
		word = 0; body = 0; limit = 0
	:: else -> break
	od
}
#else

// ring/slot.go: (*Writer).Attach, (*Writer).startOf
inline attach(generation) {
	if
	:: latest = 0
#if READERS == 1
	:: latest = 1
#endif
	fi;
	do
	::
		// ring/recover.go: (*Segment).committed
		tail = mem[PUB];
		do
		:: mem[WORD(tail)] == tail + 1 ->
			limit = mem[LIMIT];
			if
			:: limit <= tail + CAP -> tail++
			:: else -> break
			fi
		:: else -> break
		od;
		limit = mem[RELIED];
		next = (latest || limit > tail + CAP -> tail : (limit > CAP -> limit - CAP : 0));
#ifndef MUT_ATTACH_BACKWARDS
		next = (next < start -> start : next);
#endif
		start = next;
		// ring/slot.go: (*Writer).gateAt
#ifdef MUT_START_BEFORE_CURSOR
		SEQCST(CONTROL, START, start);
		SEQCST(CONTROL, CURSOR, start);
#else
		SEQCST(CONTROL, CURSOR, start);
		SEQCST(CONTROL, START, start);
#endif
		SEQCST(CONTROL, GATING, generation);
#ifndef NO_ATTACH_FENCE
		FENCE(CONTROL);
#endif
		atomic { ORDERED(CONTROL) -> limit = mem[RELIED] };
		if
		:: limit <= start + CAP -> break
		:: else
#ifdef MUT_NO_ATTACH_CHECK
			-> break
#endif
		fi
	od;
	// ring/slot.go: (*Writer).occupy
	described = generation;
	welcome[generation]!start;
	tail = 0; limit = 0; start = 0; next = 0; latest = 0
}

proctype control() {
	byte generation, tail, limit, start, next, which;
	bit sort, latest;

	do
	:: generation < READERS ->
		generation++;
		attach(generation);
end:
		do
		:: news?sort, which ->
			if
			:: which != generation
			:: which == generation && sort == EVICT ->
				// ring/slot.go: (*Writer).Evict
				// Nobody is evicted whom the writer has not given up.
				SEQCST(CONTROL, GATING, 0); // only with PATIENCE
				assert(dismissed[generation]); // only with PATIENCE
#ifdef MUT_NO_QUARANTINE
				break
#endif
			:: which == generation && sort == GONE ->
				// ring/slot.go: (*Writer).Detach
				SEQCST(CONTROL, GATING, 0);
				break
			fi
		od;
		which = 0; sort = 0
	:: else -> break
	od
end2:
	do
	:: news?_, _
	od
}

// ring/reader.go: (*Reader).Next, (*Reader).Release
proctype reader(byte generation) {
	byte pos, body, limit;
	short word;

end:
	welcome[generation]?pos;
	do
	:: pos < FRAMES ->
		if
#ifdef PATIENCE
		:: generation < READERS -> goto gone // goodbye, or death
		:: dismissed[generation] -> goto gone // ring/park.go: (*Reader).ending
#endif
		:: atomic { mem[WORD(pos)] != 0 -> word = mem[WORD(pos)] }
		fi;
		if
		:: word != pos + 1 ->
			// ring/reader.go: (*Reader).fail; a reader that gates finds no other word
			assert(dismissed[generation]); // only with PATIENCE
			goto gone
		:: else
		fi;
		body = mem[BODY(pos)];
		assert(body == pos + 1 || dismissed[generation]); // a lease protects the frame
#ifndef MUT_NO_RELEASE_CHECK
		limit = mem[LIMIT];
		if
		:: limit > pos + CAP ->
			// ErrEvicted is told to nobody else.
			assert(dismissed[generation]); // only with PATIENCE
			goto gone
		:: else
		fi;
#endif
		assert(body == pos + 1); // what passed the check may be acted on
		pos++;
		RELEASE(READER(generation), CURSOR, pos);
		word = 0; body = 0; limit = 0
	:: else -> break
	od;
gone:
	// The process ends, and with it its stores.
	empty(buffer[READER(generation)]);
	news!GONE, generation
}
#endif

proctype memory() {
	byte word;
	short value;
	bit release;
end:
	do
	REACH(WRITER)
#ifndef OBSERVER
#ifdef RELAXED
	REACH(CONTROL)
#endif
	REACH(READER(1))
#if READERS > 1
	REACH(READER(2))
#endif
#endif
#ifdef RELAXED
	// WORD and BODY
	OVERTAKEN(WRITER, 0)
	OVERTAKEN(WRITER, 1)
	OVERTAKEN(WRITER, 2)
	OVERTAKEN(WRITER, 3)
	OVERTAKEN(WRITER, 4)
	OVERTAKEN(WRITER, 5)
#endif
	od
}

init {
	atomic {
		run writer();
#ifdef OBSERVER
		run observer();
#else
		byte generation;
		for (generation : 1 .. READERS) {
			run reader(generation)
		}
		run control();
#endif
		run memory()
	}
}
