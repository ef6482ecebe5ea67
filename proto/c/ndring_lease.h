/* A reader and the frame it holds: taking a committed frame, giving it back. Nothing
 * here waits. */
#ifndef NDRING_LEASE_H
#define NDRING_LEASE_H

#include "ndring_frame.h"
#include "ndring_owner.h"
#include "ndring_session.h"

#define NDR_RELEASE_DIVISOR 16 /* stream mode: capacity/16 is held back before it is said */

typedef struct ndring_reader {
    /* Zero in a forked process, see ndring_owner.h: */
    uint64_t like;   /* description of the inline frame in frame.header, or NDR_NOT_ALIKE */
    uint64_t size;   /* and its size */
    uint64_t plain;  /* a frame like it that starts here or before needs no look at wrap, mode or arming */
    ndr_slot *slot;
    ndr_table_head *table;
    int held;        /* a frame is leased */
    int stream;      /* stream mode */
    int fenced;      /* fence after each release */
    int armed;       /* the parked words are stored and not looked at since */
    /* From here on it is not. */
    uint64_t pos;    /* cursor: all before it is released */
    uintptr_t lap;   /* a position in front of the wrap is at lap + position */
    uint64_t epoch;  /* of the writer that let this reader in */
    uint64_t capacity;
    const ndr_writer_words *words;
    ndring_frame frame;
    ndr_session session;
    ndr_hello hello;
    char ring[NDRING_MAX_NAME_BYTES + 1];
    char *dir;
    int restart_wait_ms;
    int barrier;     /* membarrier before parking */
    int fatal;       /* why no frame will come any more */
    uint64_t known;  /* stream mode: all before it is published */
    uint64_t sent;   /* stream mode: the release told last */
    uint64_t rested; /* park mode: the position of the last wait */
    uint64_t rescues;
    int64_t lost_at; /* when the writer hung up, 0 = it did not */
    int poll;        /* epoll descriptor for the caller, -1 until asked for */
    int timer;       /* ticks while a writer is looked for */
    pid_t owner;     /* process that opened it */
    ndr_spinner spin;
    ndring_error error;
} ndring_reader;

/* ndr_reader_new makes a reader of this process, NULL when there is no memory. */
static inline ndring_reader *ndr_reader_new(void) {
    ndring_reader *r = (ndring_reader *)ndr_owned_new(offsetof(ndring_reader, pos), sizeof(ndring_reader));

    if (r != NULL) {
        r->poll = r->timer = -1;
        r->owner = getpid();
    }
    return r;
}

static inline void ndr_reader_free(ndring_reader *r) {
    free(r->dir);
    ndr_owned_free(r, offsetof(ndring_reader, pos));
}

/* ndr_reader_ours reports whether this process opened the reader. */
static inline int ndr_reader_ours(const ndring_reader *r) { return r->slot != NULL && r->owner == getpid(); }

#define NDR_NOT_ALIKE (~(uint64_t)0)

/* ndr_reader_unlike sends the next frame the slow way, wherever it is and whatever its
 * description says. */
static inline void ndr_reader_unlike(ndring_reader *r) {
    r->like = NDR_NOT_ALIKE;
    r->size = NDR_NO_SIZE;
    r->plain = r->pos - 1;
}

/* ndr_reader_fail makes a status final. An evicted reader sees overwritten memory as
 * corrupt, so the eviction is told first. */
NDR_COLD int ndr_reader_fail(ndring_reader *r, int status) {
    if (!ndr_intact(&r->session.segment, r->pos)) {
        status = ndr_fail(&r->error, NDRING_ERR_EVICTED, "reader of ring %s at position %llu", r->ring, (unsigned long long)r->pos);
    }
    r->fatal = status;
    ndr_reader_unlike(r);
    return status;
}

NDR_COLD void ndr_reader_say_released(ndring_reader *r) {
    if (r->sent != r->pos) {
        r->sent = r->pos;
        (void)ndr_outbox_offer(&r->session.out, r->session.socket, NDR_PLACE_RELEASED, NDRING_MSG_RELEASED, 0, r->pos);
        return;
    }
    (void)ndr_outbox_flush(&r->session.out, r->session.socket);
}

/* ndr_reader_answer wakes a writer that waits for this cursor. SYNC: park */
NDR_COLD void ndr_reader_answer(ndring_reader *r) {
    uint64_t wanted;

    if (r->fenced) {
        ndr_fence();
    }
    wanted = ndr_load(&r->table->writer_parked);
    if (wanted != 0 && (int64_t)(r->pos - (wanted & ~(uint64_t)NDRING_KIND_MASK)) >= 0 && ndr_swap(&r->table->writer_parked, 0) != 0) {
        ndr_ring(r->session.writer_bell);
    }
}

/* ndr_reader_advance moves the cursor to end, in park mode. SYNC: park */
NDR_HOT void ndr_reader_advance(ndring_reader *r, uint64_t end) {
    r->pos = end;
    ndr_store(&r->slot->cursor, end);
    ndr_compiler_fence();
    if (((uint64_t)(uint32_t)r->fenced | ndr_load(&r->table->writer_parked)) != 0) {
        ndr_reader_answer(r);
    }
}

/* ndr_reader_pass moves the cursor to end, in stream mode. */
NDR_COLD void ndr_reader_pass(ndring_reader *r, uint64_t end) {
    r->pos = end;
    if (r->pos - r->sent >= r->session.segment.capacity / NDR_RELEASE_DIVISOR) {
        ndr_reader_say_released(r);
    }
}

/* ndring_reader_release gives the leased frames back. NDRING_ERR_EVICTED says that they may
 * have been overwritten while they were held. Without a lease it does nothing. */
NDR_HOT int ndring_reader_release(ndring_reader *r) {
    if (!r->held) {
        return r->fatal;
    }
    r->held = 0;
    r->frame.payload = NULL;
    if (!ndr_intact(&r->session.segment, r->pos)) {
        return ndr_reader_fail(r, NDRING_ERR_EVICTED);
    }
    if (r->stream) {
        ndr_reader_pass(r, r->frame.end);
    } else {
        ndr_reader_advance(r, r->frame.end);
    }
    return NDRING_OK;
}

/* ndr_reader_take leases the frame at the cursor, or steps over one that is not for the
 * caller; then *deliver is 0. */
static inline int ndr_reader_take(ndring_reader *r, uint64_t word, int *deliver) {
    const ndr_segment *s = &r->session.segment;
    int status;

    ndr_reader_unlike(r);
    if (!ndr_is_commit(word, r->pos)) {
        return ndr_reader_fail(r, ndr_unexpected(r->pos, word, &r->error));
    }
    status = ndr_frame_set(&r->frame, s, r->pos, word & NDRING_KIND_MASK, &r->error);
    if (status == NDRING_OK && r->stream && (int64_t)(r->known - r->frame.end) < 0) {
        status = ndr_fail(&r->error, NDRING_ERR_CORRUPT, "frame at position %llu ends at %llu, announced were %llu",
                          (unsigned long long)r->pos, (unsigned long long)r->frame.end, (unsigned long long)r->known);
    }
    if (status == NDRING_OK) {
        status = ndr_frame_delivered(&r->frame, deliver, &r->error);
    }
    if (status != NDRING_OK) {
        return ndr_reader_fail(r, status);
    }
    r->held = 1;
    if (!*deliver) {
        return ndring_reader_release(r);
    }
    if (r->frame.header.kind == NDRING_KIND_DATA && !ndr_header_extended(&r->frame.header)) {
        r->like = ndr_describe(r->frame.header.payload_bytes, r->frame.header.dtype, 1, r->frame.header.flags);
        r->size = r->frame.end - r->frame.position;
        r->plain = r->stream ? r->plain : r->pos + ndr_to_wrap(s, r->pos) - r->size;
        r->lap = (uintptr_t)s->data - (uintptr_t)(r->pos & ~s->mask);
    }
    return NDRING_OK;
}

#endif
