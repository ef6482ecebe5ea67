// Commit and recovery: CAP lines, a writer that commits up to line LAST and is killed
// up to KILLS times at any step, its successors, and one lossless reader.
//
// A frame is of one line or two, alone, or in a group of two; claims may be aborted;
// what does not fit before the wrap goes behind padding. The first word of a second
// line is payload, and it is chosen to look like the commit of a frame that might
// start there one lap later.
//
// A killed process makes no more stores; those in its buffer still reach memory
// before a successor runs.

#define CAP 4
#ifndef LAST
#define LAST 5
#endif
#ifndef KILLS
#define KILLS 1
#endif

#define AT(position) ((position) % CAP)
#define HEAD(position) (CAP + (position) % CAP)
#define LIMIT (2 * CAP)
#define TAIL (LIMIT + 1)
#define NUMBER (LIMIT + 2)
#define CURSOR(epoch) (LIMIT + 3 + (epoch))
#define WORDS (LIMIT + 5 + KILLS)

#define DATA(position) (2 * (position) + 1)
#define PADDING(position) (2 * (position) + 2)
#define POSE(position) DATA((position) + CAP)
#define DESCRIBE(number, size) (4 * (number) + (size))

#define WRITER 0
#define READER 1
#define BUFFERS 2
#ifndef DEPTH
#define DEPTH 3
#endif

#include "memory.pml"

bit over;
byte epoch, kills;

// The writer's process may be killed before each store; killed elsewhere, it is
// killed before the next one as well.
#define KILLED if :: kills < KILLS -> kills++; goto dead :: true fi
#define PUT(word, value) atomic { nfull(buffer[WRITER]) -> KILLED; STORE(WRITER, word, value) }
#define PUTLAST(word, value) atomic { nfull(buffer[WRITER]) -> KILLED; RELEASE(WRITER, word, value) }
#define PUTSEQCST(word, value) atomic { KILLED }; SEQCST(WRITER, word, value)

// What has been committed, and what the open claim would add: known to nobody.
byte committed, committedNumber, claimed, claimedNumber;

// ring/writer.go: (*Writer).storeTail
inline storeTail() {
	pub = pos;
#ifdef MUT_TAIL_FIRST
	PUTLAST(TAIL, pos);
	PUTLAST(NUMBER, number)
#else
	PUTLAST(NUMBER, number);
	PUTLAST(TAIL, pos)
#endif
}

// ring/recover.go: (*Segment).recoverTail; every refusal is an assertion
inline recoverTail() {
	shared = mem[LIMIT];
	pos = mem[TAIL];
	number = mem[NUMBER];
	assert(pos <= shared || pos == 0);
	assert(shared <= pos + CAP);
	pub = pos;
	do
	:: word = mem[AT(pos)];
		if
		:: word == DATA(pos) || word == PADDING(pos) ->
			head = mem[HEAD(pos)];
			// ring/recover.go: (*Segment).near
			assert(head / 4 == number || pos == pub && head / 4 < number); // only with KILLS
#ifdef MUT_TRUST_NUMBER
			number = (word == DATA(pos) -> number + 1 : number);
#else
			number = (word == DATA(pos) -> head / 4 + 1 : head / 4); // only with KILLS
#endif
			pos = pos + head % 4; // only with KILLS
			assert(pos <= pub + CAP) // only with KILLS
		:: else -> break
		fi
	od;
	// ring/recover.go: (*Segment).checkEnd
	assert(word == 0);
	// Nothing is lost; what was claimed is there whole or not at all.
	assert(pos == committed && number == committedNumber ||
		pos == claimed && number == claimedNumber);
	atomic { committed = pos; committedNumber = number };
	word = 0; head = 0
}

// ring/slot.go: (*Writer).adopt, ring/writer.go: NewWriter, (*Writer).announceEpoch
inline takeOver() {
	cursor = mem[CURSOR(epoch)];
	assert(cursor <= pos && pos <= cursor + CAP);
#ifdef MUT_NO_ADOPT
	cursor = pos;
#endif
	PUTSEQCST(CURSOR(epoch + 1), cursor);
	cursor = 0;
	PUTSEQCST(AT(pos), 0);
	storeTail();
	FENCE(WRITER);
	epoch++;
	limit = pos
}

// ring/gate.go: (*Writer).raise, (*Writer).prove; the gate is one cursor
inline raise() {
	atomic { mem[CURSOR(epoch)] + CAP >= need -> cursor = mem[CURSOR(epoch)] };
	limit = need;
	if
	:: need + 1 <= cursor + CAP -> limit = need + 1
	:: true
	fi;
	if
	:: limit < shared -> assert(shared <= cursor + CAP); limit = shared // only with KILLS
	:: else
	fi;
	cursor = 0;
	if
	:: limit > shared ->
		// ring/gate.go: (*Writer).keepTail
#ifndef MUT_NO_KEEP_TAIL
		if
		:: limit > pub + CAP -> storeTail()
		:: else
		fi;
#endif
		PUTSEQCST(LIMIT, limit);
		FENCE(WRITER);
		shared = limit
	:: else
	fi
}

// ring/claim.go: (*Writer).reserve
inline reserve() {
	at = (AT(pos) + size > CAP -> pos + CAP - AT(pos) : pos);
#ifdef MUT_ROOM
	need = at + size;
#else
	need = at + size + 1;
#endif
	if
	:: need > limit -> raise()
	:: else
	fi;
	need = 0;
	atomic { claimed = at + size; claimedNumber = number + frames }
}

#ifdef MUT_PLAIN_COMMIT
#define COMMIT(position, word) STORE(WRITER, AT(position), word)
#else
#define COMMIT(position, word) RELEASE(WRITER, AT(position), word)
#endif
#define PUTCOMMIT(position, word) atomic { nfull(buffer[WRITER]) -> KILLED; COMMIT(position, word) }

// The store that makes all of the claim visible is the one at the writer's position.
#define PUTVISIBLE(word) \
	atomic { \
		nfull(buffer[WRITER]) -> KILLED; COMMIT(pos, word); \
		committed = claimed; committedNumber = claimedNumber \
	}

// ring/claim.go: (*Writer).publish
inline padding() {
	PUT(HEAD(pos), DESCRIBE(number, at - pos));
	PUTVISIBLE(PADDING(pos))
}

inline publish() {
	if
	:: at == pos -> PUTVISIBLE(DATA(pos))
	:: else ->
#ifdef MUT_PAD_FIRST
		padding();
		PUTCOMMIT(at, DATA(at))
#else
		PUTCOMMIT(at, DATA(at));
		padding()
#endif
	fi
}

// ring/claim.go: (*Claim).Commit, (*Claim).commitExtended; ring/group.go: (*Group).Commit;
// ring/batch.go: (*WriteBatch).Commit
inline commit() {
#if !defined(MUT_NO_ZERO) && !defined(MUT_ZERO_LAST)
	PUT(AT(at + size), 0);
#endif
	PUT(HEAD(at), DESCRIBE(number, size / frames));
	if
	:: frames == 2 ->
		PUT(HEAD(at + 1), DESCRIBE(number + 1, 1));
#ifdef MUT_FIRST_FIRST
		publish();
		PUT(AT(at + 1), DATA(at + 1))
#else
		PUT(AT(at + 1), DATA(at + 1));
		publish()
#endif
	:: else -> publish()
	fi;
#ifdef MUT_ZERO_LAST
	PUT(AT(at + size), 0);
#endif
	// ring/claim.go: (*Writer).advance
	pos = at + size;
	number = number + frames;
	// ring/writer.go: (*Writer).passMark
	if
	:: true -> storeTail()
	:: true
	fi
}

inline live() {
	atomic { recoverTail() }; // it stores nothing
	takeOver();
	do
	:: pos < LAST ->
		if
		:: size = 1; frames = 1
		:: size = 2; frames = 1
		:: size = 2; frames = 2
		fi;
		reserve();
		// ring/claim.go: (*Claim).Payload
		if
		:: size > frames -> PUT(AT(at + 1), POSE(at + 1))
		:: else
		fi;
		if
		:: commit()
		:: size > frames // ring/claim.go: (*Claim).Abort
		fi;
		at = 0; size = 0; frames = 0
	:: else -> break
	od;
	over = 1
}

proctype writer() {
	byte pos, number, pub, limit, shared, at, size, frames, need, cursor, head;
	short word;

again:
	live();
	goto done;
dead:
	// The lock is free when the process is gone.
	atomic {
		empty(buffer[WRITER]) ->
		pos = 0; number = 0; pub = 0; limit = 0; // only with KILLS
		shared = 0; at = 0; size = 0; frames = 0; // only with KILLS
		need = 0; cursor = 0; head = 0; word = 0 // only with KILLS
	};
	goto again;
done:
	skip
}

// ring/reader.go: (*Reader).Next, (*Reader).nextSlow, (*Reader).Release
proctype reader() {
	byte pos, number, head, table;
	short word;

	do
	:: atomic {
			mem[AT(pos)] != 0 -> word = mem[AT(pos)];
			assert(word == DATA(pos) || word == PADDING(pos)); // nothing else poses as a commit
			head = mem[HEAD(pos)];
			assert(head / 4 == number); // each frame once, in order
			assert(head % 4 > 0 && AT(pos) + head % 4 <= CAP);
			assert(word == PADDING(pos) || head % 4 == 1 || mem[AT(pos + 1)] == POSE(pos + 1))
		};
		atomic {
			// Whole as long as it is held, and a reader that gates is not told ErrEvicted.
			assert(word == mem[AT(pos)] && head == mem[HEAD(pos)]);
			assert(word == PADDING(pos) || head % 4 == 1 || mem[AT(pos + 1)] == POSE(pos + 1));
			assert(mem[LIMIT] <= pos + CAP);
			number = (word == DATA(pos) -> number + 1 : number);
			pos = pos + head % 4;
			word = 0; head = 0
		};
		RELEASE(READER, CURSOR(table), pos)
	// ring/slot.go: (*Writer).Reattach, ring/reader.go: (*Reader).Rebind
	:: epoch > table ->
		atomic {
			empty(buffer[READER]) -> assert(mem[CURSOR(epoch)] <= pos);
			mem[CURSOR(epoch)] = pos;
			table = epoch
		}
	:: atomic { over && empty(buffer[WRITER]) && pos == committed -> break }
	od;
	assert(number == committedNumber)
}

proctype memory() {
	byte word;
	short value;
	bit release;
end:
	do
	REACH(WRITER)
	REACH(READER)
#ifdef RELAXED
	// AT and HEAD
	OVERTAKEN(WRITER, 0)
	OVERTAKEN(WRITER, 1)
	OVERTAKEN(WRITER, 2)
	OVERTAKEN(WRITER, 3)
	OVERTAKEN(WRITER, 4)
	OVERTAKEN(WRITER, 5)
	OVERTAKEN(WRITER, 6)
	OVERTAKEN(WRITER, 7)
#endif
	od
}

init {
	atomic {
		run writer();
		run reader();
		run memory()
	}
}
