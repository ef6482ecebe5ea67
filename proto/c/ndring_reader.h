/* Lossless readers: every frame from the first position on, once and in order, also
 * across a restart of the writer. One thread at a time. */
#ifndef NDRING_READER_H
#define NDRING_READER_H

#include "ndring_await.h"

/* ndring_reader_config describes a reader. Fill it with ndring_reader_defaults. */
typedef struct ndring_reader_config {
    const char *dir;     /* NULL = $NDRING_DIR, or ndring-<uid> in /dev/shm */
    const char *name;    /* of the reader, NULL = unnamed */
    uint32_t wake;       /* NDRING_WAKE_PARK or NDRING_WAKE_STREAM */
    uint32_t start;      /* NDRING_START_... */
    uint64_t position;   /* for NDRING_START_POSITION */
    int wait_ms;         /* how long to wait for a writer; NDRING_FOREVER */
    uint32_t keep_ms;    /* how long the writer keeps a named reader's slot after its death */
    uint32_t evict_ms;   /* how long it may hold up a full ring; 0 = for ever */
    int restart_wait_ms; /* how long to wait for a writer that died to be taken up; NDRING_FOREVER */
    int64_t spin_ns;     /* spinning before parking */
} ndring_reader_config;

static inline void ndring_reader_defaults(ndring_reader_config *c) {
    memset(c, 0, sizeof *c);
    c->wake = NDRING_WAKE_PARK;
    c->start = NDRING_START_OLDEST;
    c->wait_ms = NDRING_FOREVER;
    c->restart_wait_ms = 5000;
    c->spin_ns = 20000;
}

/* ndring_reader_open attaches to a ring. Errors: NDRING_ERR_NO_RING, _REFUSED and what
 * refusals mean (_TABLE_FULL, _NAME_IN_USE, _NO_POSITION, _DENIED, _VERSION), _DIR,
 * _FILE, _HANDSHAKE, _NAME, those of a bad segment, _TIMEOUT, _SYSTEM. */
static inline int ndring_reader_open(ndring_reader **out, const char *ring, const ndring_reader_config *config,
                                     ndring_error *err) {
    ndring_reader *r;
    int status = ndr_name_check(ring, err);

    *out = NULL;
    if (status == NDRING_OK && config->name != NULL && config->name[0] != 0) {
        status = ndr_name_check(config->name, err);
    }
    if (status != NDRING_OK) {
        return status;
    }
    r = ndr_reader_new();
    if (r == NULL) {
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "allocate", "a reader");
    }
    r->restart_wait_ms = config->restart_wait_ms;
    r->stream = config->wake == NDRING_WAKE_STREAM;
    snprintf(r->ring, sizeof r->ring, "%s", ring);
    r->dir = config->dir == NULL ? NULL : strdup(config->dir);
    if (config->dir != NULL && r->dir == NULL) {
        ndr_reader_free(r);
        errno = ENOMEM;
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "allocate", "a reader");
    }
    ndr_spinner_set(&r->spin, config->spin_ns);
    ndr_hello_start(&r->hello, NDRING_ROLE_READER, config->wake, config->start, config->position);
    r->hello.keep_ms = config->keep_ms;
    r->hello.evict_ms = config->evict_ms;
    if (config->name != NULL) {
        memcpy(r->hello.name, config->name, strlen(config->name));
    }
    if (!r->stream && ndr_membarrier_register()) {
        r->hello.flags = NDRING_HELLO_ASYMMETRIC | NDRING_HELLO_BARRIER;
    }
    status = ndr_session_connect(&r->session, r->dir, ring, &r->hello, ndr_deadline(config->wait_ms),
                                 NDR_ANSWER_MS, err);
    if (status != NDRING_OK) {
        ndr_reader_free(r);
        return status;
    }
    ndr_reader_bind(r);
    *out = r;
    return NDRING_OK;
}

/* ndr_reader_next_slow is next for everything but an inline frame described like the one
 * before it. */
static inline int ndr_reader_next_slow(ndring_reader *r, const ndring_frame **out, int timeout_ms) {
    int64_t deadline = ndr_deadline(timeout_ms);
    uint64_t word = 0;
    int status, deliver = 0;

    if (r->slot == NULL) {
        r->fatal = ndr_forked(&r->error, r->ring);
    }
    if (r->fatal) {
        return r->fatal;
    }
    status = ndring_reader_release(r);
    if (status != NDRING_OK) {
        return status;
    }
    if (r->armed) {
        ndr_reader_disarm(r);
    }
    while (!deliver) {
        if (r->lost_at != 0 || (!r->stream && ndr_reader_epoch_passed(r) && !ndr_ended(&r->session.segment, r->pos))) {
            ndr_reader_lost(r);
            status = ndr_reader_reconnect(r, deadline);
            if (status == NDRING_ERR_TIMEOUT && ndr_remaining_ms(deadline, 1) > 0) {
                continue;
            }
        } else if (r->stream && r->pos != r->known) {
            word = ndr_load(ndr_commit_word(&r->session.segment, r->pos));
            status = ndr_reader_take(r, word, &deliver);
        } else if (r->stream) {
            status = ndr_reader_await_news(r, deadline);
        } else {
            status = ndr_reader_await_commit(r, &word, deadline);
            if (status == NDRING_OK && word != 0) {
                status = ndr_reader_take(r, word, &deliver);
            }
        }
        if (status == NDRING_ERR_WRITER_LOST && !r->fatal) {
            ndr_reader_lost(r);
        } else if (status != NDRING_OK) {
            return status;
        }
    }
    *out = &r->frame;
    return NDRING_OK;
}

/* ndr_reader_plain reports whether the frame at position, whose commit word is word, is a
 * committed one, described like the one before it. */
NDR_HOT int ndr_reader_plain(const uint64_t *word, uint64_t position, uint64_t like) {
    return ndr_load(word) == (position | NDRING_KIND_DATA) && /* SYNC: commit */
           ndr_load_relaxed(word + NDRING_FR_DESCRIBE / 8) == like;
}

/* ndring_reader_next leases the next frame and waits for it for timeout_ms, negative
 * meaning for ever. What is still held is released first. NDRING_END is the end of the
 * ring. After NDRING_ERR_TIMEOUT, with a timeout of 0 too, the reader is armed: poll
 * ndring_reader_fd and call again. Final: NDRING_ERR_WRITER_LOST once everything that
 * was committed was returned, _EVICTED, _CORRUPT, _KIND; and NDRING_ERR_CLOSED in a forked process. */
NDR_HOT int ndring_reader_next(ndring_reader *r, const ndring_frame **out, int timeout_ms) {
    uint64_t at = r->held ? r->frame.end : r->pos; /* kept in a register: the next frame waits for it */
    const uint64_t *word = (const uint64_t *)(r->lap + (uintptr_t)at);

    if ((int64_t)(at - r->plain) > 0) {
        return ndr_reader_next_slow(r, out, timeout_ms);
    }
    if (r->held) {
        ndr_load_fence();
        if ((int64_t)(ndr_load(&r->words->limit) - r->pos) > (int64_t)r->capacity) { /* SYNC: limit */
            return ndr_reader_next_slow(r, out, timeout_ms);
        }
        ndr_reader_advance(r, at);
    }
    if (!ndr_reader_plain(word, at, r->like) || ndr_reader_epoch_passed(r)) {
        r->held = 0;
        r->frame.payload = NULL;
        return ndr_reader_next_slow(r, out, timeout_ms);
    }
    r->frame.header.number = ndr_load_relaxed(word + NDRING_FR_NUMBER / 8);
    r->frame.position = at;
    r->frame.end = at + r->size;
    r->frame.payload = (const uint8_t *)word + NDRING_BASE_BYTES;
    r->held = 1;
    *out = &r->frame;
    return NDRING_OK;
}

/* ndring_run is one or more frames under one lease. The payload of frame i starts
 * i * stride bytes behind that of the first, and its number is first->header.number + i;
 * all are described as the first one is. */
typedef struct ndring_run {
    const ndring_frame *first;
    const uint8_t *payload;
    uint64_t stride;
    uint64_t count;
} ndring_run;

/* ndr_reader_follow counts the frames at hand from the leased one on, at most most, none
 * behind the wrap. */
NDR_HOT uint64_t ndr_reader_follow(const ndring_reader *r, uint64_t most) {
    uint64_t at = r->frame.end, size = r->size, like = r->like, count;
    const uint8_t *word = (const uint8_t *)r->frame.payload - NDRING_BASE_BYTES;

    for (count = 1; count < most && NDR_LIKELY(ndr_reader_plain((const uint64_t *)(const void *)(word + size), at, like)); count++) {
        word += size;
        at += size;
    }
    return count;
}

/* ndring_reader_next_run leases the next frame, waiting as ndring_reader_next does, and
 * with it up to most - 1 that follow, if they are at hand and small frames described
 * alike. A frame of another sort comes alone. They are released together. */
NDR_HOT int ndring_reader_next_run(ndring_reader *r, ndring_run *run, uint64_t most, int timeout_ms) {
    const ndr_segment *s = &r->session.segment;
    int status = ndring_reader_next(r, &run->first, timeout_ms);
    uint64_t fit;

    if (status != NDRING_OK) {
        return status;
    }
    run->payload = (const uint8_t *)run->first->payload;
    run->count = 1;
    run->stride = run->first->end - run->first->position;
    if (r->like == NDR_NOT_ALIKE) {
        return NDRING_OK;
    }
    fit = ndr_to_wrap(s, r->pos);
    fit = (r->stream && r->known - r->pos < fit ? r->known - r->pos : fit) / r->size;
    run->count = ndr_reader_follow(r, most < fit ? most : fit);
    r->frame.end = r->pos + run->count * r->size;
    return NDRING_OK;
}

/* ndring_reader_fd is a descriptor that is readable when ndring_reader_next may have
 * something, after it returned NDRING_ERR_TIMEOUT; -1 on failure. The reader owns it. */
static inline int ndring_reader_fd(ndring_reader *r) {
    if (r->poll < 0) {
        r->poll = epoll_create1(EPOLL_CLOEXEC);
        r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        ndr_reader_watch(r, r->timer);
        ndr_reader_watch(r, r->session.socket);
        ndr_reader_watch(r, r->session.bell);
    }
    return r->poll;
}

/* ndring_reader_error says more about the last status that was an error. */
static inline const ndring_error *ndring_reader_error(const ndring_reader *r) { return &r->error; }

/* ndring_reader_position is the cursor: all before it is released. */
static inline uint64_t ndring_reader_position(const ndring_reader *r) { return r->pos; }

/* ndring_reader_rescues counts sleeps that only the safety timeout ended although work
 * was there: 0 unless a wake-up was lost. */
static inline uint64_t ndring_reader_rescues(const ndring_reader *r) { return r->rescues; }

/* ndring_reader_close releases the frame held, gives the slot up and unmaps the ring:
 * payloads of its frames must not be used any more. In a process that was forked off it
 * frees what that one has of the reader, and nobody else notices. */
static inline void ndring_reader_close(ndring_reader *r) {
    if (r == NULL) {
        return;
    }
    if (ndr_reader_ours(r)) {
        (void)ndring_reader_release(r);
        if (r->stream && r->lost_at == 0) {
            ndr_reader_say_released(r);
        }
        ndr_session_goodbye(&r->session, r->pos);
    }
    ndr_session_close(&r->session);
    ndr_close(&r->poll);
    ndr_close(&r->timer);
    ndr_reader_free(r);
}

#endif
