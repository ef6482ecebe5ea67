/* The writer's memory and its gate: its own record of each reader, the lowest cursor,
 * limit, tail, marks, wake-ups. docs/layout.md, "Rules". Nothing here waits. */
#ifndef NDRING_GATE_H
#define NDRING_GATE_H

#include "ndring_session.h"

#define NDR_TAIL_DIVISOR 16 /* the tail is stored each capacity/16 bytes; capacity/4 is allowed */

struct ndr_connection;

/* ndr_record is the writer's own record of a reader; what the shared slot says is
 * checked against it. */
typedef struct ndr_record {
    uint32_t state; /* NDRING_SLOT_... */
    uint32_t generation;
    int active;     /* gates the writer */
    int asymmetric; /* the reader skips its fence */
    int bell;       /* wakes the reader, -1 = it never parks; the connection owns it */
    uint32_t evict_ms;
    uint32_t keep_ms; /* how long the reader asked to be kept, 0 = not, or it has no name */
    uint64_t last;     /* cursor last accepted */
    uint64_t stuck_at; /* cursor below which the writer waits since stuck_ms */
    int64_t stuck_ms;
    int64_t attached_ms;          /* when an active reader came, or came back */
    int64_t lost_until;           /* end of the grace of a lost reader */
    long pid;                     /* of a lost reader */
    char name[NDRING_MAX_NAME_BYTES + 1];
    struct ndr_connection *owner; /* whose slot it is; severed while lost */
} ndr_record;

/* ndr_core is the part of a writer that works on memory alone. */
typedef struct ndr_core {
    ndr_segment seg;
    uint8_t *table;
    uint64_t table_bytes;
    uint64_t epoch;
    uint64_t pos;    /* end of what is committed */
    uint64_t limit;  /* proven against every cursor */
    uint64_t room;   /* an unpadded frame may end here */
    uint64_t number; /* of the next frame */
    uint64_t mark;   /* the first frame at or beyond it becomes a mark */
    uint64_t published; /* tail stored last */
    int saw_reader, free_run, asymmetric, fenced;
    int bell;        /* the writer's doorbell */
    uint32_t top;    /* slots from here on were never used */
    ndr_record *readers;
    uint8_t *old; /* reader table of the epoch before, of old_slots slots */
    uint32_t old_slots;
    uint8_t evict_code[NDRING_MAX_READER_SLOTS]; /* dismissed at the gate, to be carried out */
    int dismissed;
} ndr_core;

static inline ndr_table_head *ndr_core_table(const ndr_core *w) { return (ndr_table_head *)(void *)w->table; }
static inline ndr_slot *ndr_core_slot(const ndr_core *w, uint32_t i) { return ndr_table_slot(w->table, i); }

static inline void ndr_set_room(ndr_core *w) {
    uint64_t below = w->limit - NDRING_LINE_BYTES, wrap = w->pos + ndr_to_wrap(&w->seg, w->pos), base = w->pos - NDRING_LINE_BYTES;

    w->room = below - base < wrap - base ? below : wrap;
}

/* ndr_store_tail stores number, then tail: whoever finds no frame beyond the tail relies
 * on the number. */
static inline void ndr_store_tail(ndr_core *w) {
    w->published = w->pos;
    ndr_store(&w->seg.words->number, w->number);
    ndr_store(&w->seg.words->tail_ns, ndr_unix_ns());
    ndr_store(&w->seg.words->tail, w->pos);
}

/* ndr_pass_mark makes first, where a commit begins, a mark if one is due, and stores the
 * tail now and then, whose time costs a look at the clock. */
static inline void ndr_pass_mark(ndr_core *w, uint64_t first) {
    uint64_t part = w->seg.capacity / NDRING_MARK_COUNT;

    if ((int64_t)(first - w->mark) >= 0) {
        ndr_store(&w->seg.words->marks[(first & w->seg.mask) / part], first);
        w->mark = (first & ~(part - 1)) + part;
    }
    if (w->pos - w->published >= w->seg.capacity / NDR_TAIL_DIVISOR) {
        ndr_store_tail(w);
    }
}

static inline void ndr_store_flags(ndr_core *w) {
    ndr_store(&w->seg.words->flags, (w->asymmetric ? (uint64_t)NDRING_WRITER_ASYMMETRIC : 0) |
                                        (w->free_run ? (uint64_t)NDRING_WRITER_FREE_RUN : 0) |
                                        (w->saw_reader ? (uint64_t)NDRING_WRITER_SAW_READER : 0));
}

/* ndr_wake_readers rings whoever parked. Each word is taken by swap, so a reader that
 * parks meanwhile finds its own store intact. SYNC: park */
static inline void ndr_wake_readers(ndr_core *w) {
    uint32_t i;

    (void)ndr_swap(&ndr_core_table(w)->readers_parked, 0);
    for (i = 0; i < w->top; i++) {
        if (w->readers[i].bell >= 0 && ndr_swap(&ndr_core_slot(w, i)->parked, 0) != 0) {
            ndr_ring(w->readers[i].bell);
        }
    }
}

/* ndr_dismiss stops a slot from gating; the control plane then evicts it. */
static inline void ndr_dismiss(ndr_core *w, uint32_t i, uint32_t code) {
    w->readers[i].active = 0;
    w->evict_code[i] = (uint8_t)code;
    w->dismissed = 1;
}

/* ndr_gate is the lowest cursor of the readers that gate, and its slot. A cursor that
 * goes back, passes the writer or leaves the lines costs its reader the gate. */
static inline uint64_t ndr_gate(ndr_core *w, int *slowest) {
    uint64_t lowest = w->pos, limit, c;
    uint32_t i;

    *slowest = -1;
    if (!w->saw_reader && !w->free_run) {
        limit = ndr_load(&w->seg.words->limit);
        return (int64_t)(limit - w->seg.id->start) <= (int64_t)w->seg.capacity ? w->seg.id->start : limit - w->seg.capacity;
    }
    for (i = 0; i < w->top; i++) {
        ndr_record *r = &w->readers[i];
        if (!r->active) {
            continue;
        }
        c = ndr_load(&ndr_core_slot(w, i)->cursor);
        if (c - r->last > w->pos - r->last || c % NDRING_LINE_BYTES != 0) {
            ndr_dismiss(w, i, NDRING_CODE_CURSOR);
            continue;
        }
        r->last = c;
        if (w->pos - c > w->pos - lowest) {
            lowest = c;
            *slowest = (int)i;
        }
    }
    return lowest;
}

/* ndr_prove moves the limit to limit, or to the shared one if that is higher and the gate
 * allows it. It returns 0 when a cursor no longer does. Readers attach on this thread
 * alone, so none can come between the look at the cursors and the store. SYNC: limit */
static inline int ndr_prove(ndr_core *w, uint64_t limit, uint64_t gate) {
    uint64_t shared = ndr_load(&w->seg.words->limit);
    int slowest;

    if ((int64_t)(limit - shared) < 0 && (int64_t)(shared - (gate + w->seg.capacity)) <= 0) {
        limit = shared;
    }
    if ((int64_t)(ndr_gate(w, &slowest) + w->seg.capacity - limit) < 0) {
        return 0;
    }
    if ((int64_t)(limit - shared) > 0) {
        if ((int64_t)(limit - w->published) > (int64_t)w->seg.capacity) {
            ndr_store_tail(w); /* recovery and observers start there */
        }
        ndr_store_seq(&w->seg.words->limit, limit);
        ndr_fence();
    }
    w->limit = limit;
    return 1;
}

/* ndr_describe_slot stores the writer's half of a slot, the state word last. */
static inline void ndr_describe_slot(ndr_core *w, uint32_t i, uint32_t wake, uint32_t keep_ms, uint64_t start) {
    ndr_record *r = &w->readers[i];
    ndr_slot *s = ndr_core_slot(w, i);
    size_t n = strlen(r->name);

    s->pid = (uint32_t)r->pid;
    s->wake = wake;
    s->keep_ms = keep_ms;
    s->evict_ms = r->evict_ms;
    s->start = start;
    s->attached_ns = r->state == NDRING_SLOT_FREE ? 0 : ndr_unix_ns();
    memcpy(s->name, r->name, n);
    memset(s->name + n, 0, sizeof s->name - n);
    ndr_store(&s->state, (uint64_t)r->state | (uint64_t)r->generation << 32);
}

static inline void ndr_slot_state(ndr_core *w, uint32_t i, uint32_t state) {
    w->readers[i].state = state;
    ndr_store(&ndr_core_slot(w, i)->state, (uint64_t)state | (uint64_t)w->readers[i].generation << 32);
}

/* ndr_gate_at stores a cursor on the reader's behalf, then makes it count. */
static inline void ndr_gate_at(ndr_core *w, uint32_t i, uint64_t start) {
    ndr_slot *s = ndr_core_slot(w, i);

    w->readers[i].last = start;
    ndr_store_seq(&s->cursor, start);
    ndr_store(&s->next, start);
    ndr_store_seq(&s->parked, 0);
    w->readers[i].active = 1;
    if (i >= w->top) {
        w->top = i + 1;
    }
    ndr_fence(); /* SYNC: limit */
}

static inline void ndr_free_slot(ndr_core *w, uint32_t i) {
    ndr_record *r = &w->readers[i];
    uint32_t generation = r->generation;

    memset(r, 0, sizeof *r);
    r->generation = generation;
    r->bell = -1;
    w->evict_code[i] = 0;
    ndr_describe_slot(w, i, 0, 0, 0);
}

#endif
