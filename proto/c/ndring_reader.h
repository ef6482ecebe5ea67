/* Lossless readers: every frame from the first position on, once and in order, also
 * across a restart of the writer. One thread at a time. */
#ifndef NDRING_READER_H
#define NDRING_READER_H

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "ndring_frame.h"
#include "ndring_session.h"

#define NDR_RELEASE_DIVISOR 16 /* stream mode: capacity/16 is held back before it is said */
#define NDR_RETRY_GRACE_MS 100 /* a reconnect in the making may exceed a shorter timeout by so much */

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
    int restart_wait_ms; /* how long to wait for a writer that died to be taken up */
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

typedef struct ndring_reader {
    ndr_session session;
    ndr_hello hello;
    char ring[NDRING_MAX_NAME_BYTES + 1];
    char *dir;
    int restart_wait_ms;
    int stream;      /* stream mode */
    int fenced;      /* fence after each release */
    int barrier;     /* membarrier before parking */
    int held;        /* a frame is leased */
    int armed;       /* the parked words are stored and not looked at since */
    int fatal;       /* why no frame will come any more */
    uint64_t pos;    /* cursor: all before it is released */
    uint64_t known;  /* stream mode: all before it is published */
    uint64_t sent;   /* stream mode: the release told last */
    uint64_t like;   /* description of the inline frame in frame.header, or NDR_NOT_ALIKE */
    uint64_t size;   /* and its size */
    uint64_t rescues;
    int64_t lost_at; /* when the writer hung up, 0 = it did not */
    int poll;        /* epoll descriptor for the caller, -1 until asked for */
    int timer;       /* ticks while a writer is looked for */
    ndr_spinner spin;
    ndr_slot *slot;
    ndr_table_head *table;
    ndring_frame frame;
    ndring_error error;
} ndring_reader;

#define NDR_NOT_ALIKE (~(uint64_t)0)

static inline void ndr_reader_watch(ndring_reader *r, int fd) {
    struct epoll_event event;

    if (r->poll >= 0 && fd >= 0) {
        memset(&event, 0, sizeof event);
        event.events = EPOLLIN;
        (void)epoll_ctl(r->poll, EPOLL_CTL_ADD, fd, &event);
    }
}

/* ndr_reader_bind starts with the session: at its first position, in its slot. */
static inline void ndr_reader_bind(ndring_reader *r) {
    const ndr_welcome *w = &r->session.welcome;
    int asymmetric = (w->flags & NDRING_WELCOME_ASYMMETRIC) != 0;

    r->table = ndr_session_table(&r->session);
    r->slot = ndr_table_slot(r->session.table, w->slot);
    r->pos = r->known = r->sent = w->start;
    r->held = r->armed = 0;
    r->like = NDR_NOT_ALIKE;
    r->fenced = !(asymmetric && (r->hello.flags & NDRING_HELLO_ASYMMETRIC));
    r->barrier = asymmetric && (r->hello.flags & NDRING_HELLO_BARRIER);
    r->lost_at = 0;
    ndr_reader_watch(r, r->session.socket);
    ndr_reader_watch(r, r->session.bell);
    if (!r->stream) {
        ndr_store(&r->slot->flags, r->fenced ? 0 : NDRING_READER_ASYMMETRIC);
    }
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
    r = (ndring_reader *)calloc(1, sizeof *r);
    if (r == NULL) {
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "allocate", "a reader");
    }
    r->poll = r->timer = -1;
    r->restart_wait_ms = config->restart_wait_ms;
    r->stream = config->wake == NDRING_WAKE_STREAM;
    snprintf(r->ring, sizeof r->ring, "%s", ring);
    r->dir = config->dir == NULL ? NULL : strdup(config->dir);
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
        free(r->dir);
        free(r);
        return status;
    }
    ndr_reader_bind(r);
    *out = r;
    return NDRING_OK;
}

/* ndr_reader_fail makes a status final. An evicted reader sees overwritten memory as
 * corrupt, so the eviction is told first. */
static inline int ndr_reader_fail(ndring_reader *r, int status) {
    if (!ndr_intact(&r->session.segment, r->pos)) {
        status = ndr_fail(&r->error, NDRING_ERR_EVICTED, "reader of ring %s at position %llu", r->ring, (unsigned long long)r->pos);
    }
    r->fatal = status;
    r->like = NDR_NOT_ALIKE;
    return status;
}

static inline void ndr_reader_say_released(ndring_reader *r) {
    if (r->sent != r->pos) {
        r->sent = r->pos;
        (void)ndr_outbox_offer(&r->session.out, r->session.socket, NDR_PLACE_RELEASED, NDRING_MSG_RELEASED, 0, r->pos);
        return;
    }
    (void)ndr_outbox_flush(&r->session.out, r->session.socket);
}

/* ndr_reader_advance moves the cursor to end. SYNC: park */
static inline void ndr_reader_advance(ndring_reader *r, uint64_t end) {
    uint64_t wanted;

    r->pos = end;
    if (r->stream) {
        if (r->pos - r->sent >= r->session.segment.capacity / NDR_RELEASE_DIVISOR) {
            ndr_reader_say_released(r);
        }
        return;
    }
    ndr_store(&r->slot->cursor, end);
    if (r->fenced) {
        ndr_fence();
    } else {
        ndr_compiler_fence();
    }
    wanted = ndr_load(&r->table->writer_parked);
    if (wanted != 0 && (int64_t)(end - (wanted & ~(uint64_t)NDRING_KIND_MASK)) >= 0 &&
        ndr_swap(&r->table->writer_parked, 0) != 0) {
        ndr_ring(r->session.writer_bell);
    }
}

/* ndring_reader_release gives the leased frame back. NDRING_ERR_EVICTED says that it may
 * have been overwritten while it was held. Without a lease it does nothing. */
static inline int ndring_reader_release(ndring_reader *r) {
    if (!r->held) {
        return r->fatal;
    }
    r->held = 0;
    r->frame.payload = NULL;
    if (!ndr_intact(&r->session.segment, r->pos)) {
        return ndr_reader_fail(r, NDRING_ERR_EVICTED);
    }
    ndr_reader_advance(r, r->frame.end);
    return NDRING_OK;
}

/* ndr_reader_take leases the frame at the cursor, or steps over one that is not for the
 * caller; then *deliver is 0. */
static inline int ndr_reader_take(ndring_reader *r, uint64_t word, int *deliver) {
    const ndr_segment *s = &r->session.segment;
    int status;

    r->like = NDR_NOT_ALIKE;
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
    }
    return NDRING_OK;
}

/* ndr_reader_ending reports why no frame will come at the cursor: NDRING_END, an
 * eviction, or NDRING_OK when one still may. */
static inline int ndr_reader_ending(ndring_reader *r) {
    uint64_t state = ndr_load(&r->slot->state);

    if (ndr_ended(&r->session.segment, r->pos) && ndr_load(ndr_commit_word(&r->session.segment, r->pos)) == 0) {
        return NDRING_END;
    }
    if (r->session.evicted) {
        ndr_fail(&r->error, NDRING_ERR_EVICTED, "reader of ring %s %s", r->ring, ndr_code_text(r->session.evicted - 1));
        r->error.code = r->session.evicted - 1;
        return r->fatal = NDRING_ERR_EVICTED;
    }
    if ((state & 0xff) == NDRING_SLOT_EVICTED && (uint32_t)(state >> 32) == r->session.welcome.generation) {
        return ndr_reader_fail(r, ndr_fail(&r->error, NDRING_ERR_EVICTED, "slot %u of ring %s", r->session.welcome.slot, r->ring));
    }
    return NDRING_OK;
}

static inline int ndr_reader_epoch_passed(const ndring_reader *r) {
    return ndr_load(&r->session.segment.words->epoch) != r->session.welcome.epoch;
}

/* ndr_reader_tick makes the caller's poll descriptor ready every so often while there is
 * no connection that could. */
static inline void ndr_reader_tick(ndring_reader *r, int on) {
    struct itimerspec t;

    if (r->timer >= 0) {
        memset(&t, 0, sizeof t);
        t.it_value.tv_nsec = t.it_interval.tv_nsec = on ? NDR_LAST_RETRY_MS * 1000000 : 0;
        (void)timerfd_settime(r->timer, 0, &t, NULL);
    }
}

/* ndr_reader_lost ends the connection; the reader then looks for another writer. */
static inline void ndr_reader_lost(ndring_reader *r) {
    if (r->lost_at == 0) {
        r->lost_at = ndr_now_ms();
        r->session.hung_up = 1;
        ndr_close(&r->session.socket); /* a writer that lives on then knows that the reader left */
        ndr_reader_tick(r, 1);
    }
}

/* ndr_reader_reconnect tries to find the writer that took the ring up, until deadline or
 * the end of the reader's patience. */
static inline int ndr_reader_reconnect(ndring_reader *r, int64_t deadline) {
    ndr_session next;
    ndr_hello h = r->hello;
    int64_t until = r->lost_at + r->restart_wait_ms;
    int status;

    h.flags |= NDRING_HELLO_RECONNECT;
    memcpy(h.ring_id, r->session.welcome.ring_id, sizeof h.ring_id);
    h.slot = r->session.welcome.slot;
    h.generation = r->session.welcome.generation;
    h.start = NDRING_START_POSITION;
    h.position = r->pos;
    status = ndr_session_connect(&next, r->dir, r->ring, &h, until < deadline ? until : deadline,
                                 NDR_RETRY_GRACE_MS, &r->error);
    if ((status == NDRING_ERR_NO_RING || status == NDRING_ERR_TIMEOUT) && ndr_now_ms() < until) {
        return NDRING_ERR_TIMEOUT;
    }
    if (status == NDRING_OK && next.welcome.start != r->pos) {
        ndr_session_close(&next);
        status = NDRING_ERR_WRITER_LOST;
    }
    if (status != NDRING_OK) {
        char why[160];
        snprintf(why, sizeof why, "%.*s", (int)sizeof why - 1, r->error.text);
        return r->fatal = ndr_fail(&r->error, NDRING_ERR_WRITER_LOST, "ring %s: %s", r->ring, why);
    }
    ndr_segment_close(&next.segment); /* views stay where they are: the file is the same */
    next.segment = r->session.segment;
    memset(&r->session.segment, 0, sizeof r->session.segment);
    ndr_session_close(&r->session);
    r->session = next;
    ndr_reader_tick(r, 0);
    ndr_reader_bind(r);
    return NDRING_OK;
}

/* ndr_reader_disarm takes the parked word back after a sleep, or before a look. */
static inline void ndr_reader_disarm(ndring_reader *r) {
    if (r->armed) {
        r->armed = 0;
        (void)ndr_swap(&r->slot->parked, 0);
        ndr_take(r->session.bell);
    }
    if (r->timer >= 0) {
        ndr_take(r->timer);
    }
    ndr_session_serve(&r->session);
}

/* ndr_reader_park stores the parked words, looks again, and sleeps. Without time left
 * it stays armed, so that the caller can poll. SYNC: park */
static inline int ndr_reader_park(ndring_reader *r, uint64_t *word, int64_t deadline) {
    struct pollfd fds[2];
    int left = ndr_remaining_ms(deadline, NDR_SAFETY_MS), rung, woken;

    ndr_store(&r->slot->next, r->pos);
    ndr_store_seq(&r->slot->parked, 1);
    ndr_store_seq(&r->table->readers_parked, 1);
    ndr_fence();
    if (r->barrier) {
        ndr_membarrier();
    }
    if (ndr_load(word) != 0 || ndr_ended(&r->session.segment, r->pos)) {
        ndr_store_seq(&r->slot->parked, 0);
        return NDRING_OK;
    }
    r->armed = 1;
    if (left == 0) {
        return NDRING_ERR_TIMEOUT;
    }
    fds[0].fd = r->session.bell;
    fds[1].fd = r->session.socket;
    fds[0].events = fds[1].events = POLLIN;
    woken = ndr_poll(fds, 2, left);
    rung = ndr_swap(&r->slot->parked, 0) == 0;
    if (woken == 0 && !rung && left == NDR_SAFETY_MS && ndr_load(word) != 0) {
        r->rescues++;
    }
    ndr_reader_disarm(r);
    return NDRING_OK;
}

static inline uint64_t ndr_reader_spin(ndring_reader *r, const uint64_t *word) {
    int step, budget = ndr_spin_budget(&r->spin), i;

    if (budget == 0) {
        return 0;
    }
    for (step = 0; step < budget; step++) {
        for (i = 0; i < NDR_SPIN_STEP; i++) {
            uint64_t v = ndr_load(word);
            if (v != 0) {
                ndr_spin_hit(&r->spin);
                return v;
            }
            ndr_pause();
        }
    }
    ndr_spin_miss(&r->spin);
    return 0;
}

/* ndr_reader_await_commit waits for the commit word at the cursor, in park mode. */
static inline int ndr_reader_await_commit(ndring_reader *r, uint64_t *out, int64_t deadline) {
    uint64_t *word = ndr_commit_word(&r->session.segment, r->pos);
    int status;

    for (;;) {
        *out = ndr_load(word);
        if (*out != 0 || (*out = ndr_reader_spin(r, word)) != 0) {
            return NDRING_OK;
        }
        status = ndr_reader_ending(r);
        if (status != NDRING_OK) {
            return status;
        }
        if (r->session.hung_up || ndr_reader_epoch_passed(r)) {
            *out = ndr_load(word); /* the hang-up came after everything that was committed */
            return *out != 0 || ndr_ended(&r->session.segment, r->pos) ? NDRING_OK : NDRING_ERR_WRITER_LOST;
        }
        status = ndr_reader_park(r, word, deadline);
        if (status != NDRING_OK) {
            return status;
        }
    }
}

/* ndr_reader_await_news waits for an announcement beyond the cursor, in stream mode. */
static inline int ndr_reader_await_news(ndring_reader *r, int64_t deadline) {
    struct pollfd fds;
    int status, left;

    ndr_session_serve(&r->session);
    for (;;) {
        if (r->session.hung_up) { /* orders like a message: what is committed may be read */
            uint64_t end = ndr_tail(&r->session.segment);
            if ((int64_t)(end - r->session.published) > 0) {
                r->session.published = end;
            }
        }
        if (!r->session.evicted && (int64_t)(r->session.published - r->pos) > 0) {
            r->known = r->session.published;
            return r->known - r->pos <= r->session.segment.capacity
                       ? NDRING_OK
                       : ndr_reader_fail(r, ndr_fail(&r->error, NDRING_ERR_CORRUPT, "announced position %llu, the reader is at %llu",
                                                     (unsigned long long)r->known, (unsigned long long)r->pos));
        }
        ndr_reader_say_released(r);
        status = ndr_reader_ending(r);
        if (status != NDRING_OK || r->session.hung_up) {
            return status != NDRING_OK ? status : NDRING_ERR_WRITER_LOST;
        }
        left = ndr_remaining_ms(deadline, NDR_SAFETY_MS);
        if (left == 0) {
            return NDRING_ERR_TIMEOUT;
        }
        fds.fd = r->session.socket;
        fds.events = POLLIN;
        if (!ndr_outbox_empty(&r->session.out)) {
            fds.events |= POLLOUT;
        }
        (void)ndr_poll(&fds, 1, left);
        ndr_session_serve(&r->session);
    }
}

/* ndr_reader_next_slow is next for everything but an inline frame described like the one
 * before it. */
static inline int ndr_reader_next_slow(ndring_reader *r, const ndring_frame **out, int timeout_ms) {
    int64_t deadline = ndr_deadline(timeout_ms);
    uint64_t word = 0;
    int status, deliver = 0;

    if (r->fatal) {
        return r->fatal;
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

/* ndring_reader_next leases the next frame and waits for it for timeout_ms, negative
 * meaning for ever. A frame still held is released first. NDRING_END is the end of the
 * ring. After NDRING_ERR_TIMEOUT, with a timeout of 0 too, the reader is armed: poll
 * ndring_reader_fd and call again. Final: NDRING_ERR_WRITER_LOST once everything that
 * was committed was returned, _EVICTED, _CORRUPT, _KIND. */
static inline int ndring_reader_next(ndring_reader *r, const ndring_frame **out, int timeout_ms) {
    const ndr_segment *s = &r->session.segment;
    uint64_t *word, number, desc;
    int status;

    if (r->held) {
        status = ndring_reader_release(r);
        if (status != NDRING_OK) {
            return status;
        }
    }
    word = ndr_commit_word(s, r->pos);
    if (r->stream || r->like == NDR_NOT_ALIKE || ndr_load(word) != (r->pos | NDRING_KIND_DATA) || /* SYNC: commit */
        ndr_reader_epoch_passed(r)) {
        return ndr_reader_next_slow(r, out, timeout_ms);
    }
    number = ndr_load_relaxed(word + NDRING_FR_NUMBER / 8);
    desc = ndr_load_relaxed(word + NDRING_FR_DESCRIBE / 8);
    if (desc != r->like || r->size > ndr_to_wrap(s, r->pos) || r->armed) {
        return ndr_reader_next_slow(r, out, timeout_ms);
    }
    r->frame.header.number = number;
    r->frame.position = r->pos;
    r->frame.end = r->pos + r->size;
    r->frame.payload = (const uint8_t *)word + NDRING_BASE_BYTES;
    r->held = 1;
    *out = &r->frame;
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
 * payloads of its frames must not be used any more. */
static inline void ndring_reader_close(ndring_reader *r) {
    if (r == NULL) {
        return;
    }
    (void)ndring_reader_release(r);
    if (r->stream && r->lost_at == 0) {
        ndr_reader_say_released(r);
    }
    ndr_session_goodbye(&r->session, r->pos);
    ndr_session_close(&r->session);
    ndr_close(&r->poll);
    ndr_close(&r->timer);
    free(r->dir);
    free(r);
}

#endif
