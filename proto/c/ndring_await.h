/* What a reader does when no frame is there: spin, park, wait for an announcement, look
 * for the writer that took the ring up. docs/layout.md, "Parking". */
#ifndef NDRING_AWAIT_H
#define NDRING_AWAIT_H

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "ndring_handshake.h"
#include "ndring_lease.h"

#define NDR_RETRY_GRACE_MS 100 /* a reconnect in the making may exceed a shorter timeout by so much */
#define NDR_LOOK_MS 200      /* while a writer is looked for: between two looks whether one has ended the ring */
#define NDR_RUN_BYTES 1024   /* read without a wait: so many bytes are no answer to a single frame */
#define NDR_LINGER_PAUSES 128 /* what a writer then gets to be ahead: some hundred frames */

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
    r->words = r->session.segment.words;
    r->capacity = r->session.segment.capacity;
    r->epoch = w->epoch;
    r->pos = r->known = r->sent = w->start;
    r->lap = (uintptr_t)r->session.segment.data - (uintptr_t)(w->start & ~r->session.segment.mask);
    r->held = r->armed = 0;
    ndr_reader_unlike(r);
    r->fenced = !(asymmetric && (r->hello.flags & NDRING_HELLO_ASYMMETRIC));
    r->barrier = asymmetric && (r->hello.flags & NDRING_HELLO_BARRIER);
    r->lost_at = 0;
    ndr_reader_watch(r, r->session.socket);
    ndr_reader_watch(r, r->session.bell);
    if (!r->stream) {
        ndr_store(&r->slot->flags, r->fenced ? 0 : NDRING_READER_ASYMMETRIC);
    }
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
    return ndr_load(&r->words->epoch) != r->epoch;
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
 * the end of the reader's patience. NDRING_END says that it has ended the ring and left;
 * that is looked for before an attempt: a writer that ends it meanwhile waits for readers. */
static inline int ndr_reader_reconnect(ndring_reader *r, int64_t deadline) {
    ndr_session next;
    ndr_hello h = r->hello;
    int over = ndr_ended(&r->session.segment, r->pos);
    int64_t until = ndr_session_until(r->lost_at, r->restart_wait_ms), look = ndr_deadline(over ? 0 : NDR_LOOK_MS);
    int status;

    h.flags |= NDRING_HELLO_RECONNECT;
    memcpy(h.ring_id, r->session.welcome.ring_id, sizeof h.ring_id);
    h.slot = r->session.welcome.slot;
    h.generation = r->session.welcome.generation;
    h.start = NDRING_START_POSITION;
    h.position = r->pos;
    deadline = until < deadline ? until : deadline;
    status = ndr_session_connect(&next, r->dir, r->ring, &h, look < deadline ? look : deadline, NDR_RETRY_GRACE_MS, &r->error);
    if (over && status == NDRING_ERR_NO_RING) {
        return NDRING_END;
    }
    if ((status == NDRING_ERR_NO_RING || status == NDRING_ERR_TIMEOUT) && ndr_now_ms() < until) {
        return NDRING_ERR_TIMEOUT;
    }
    if (status == NDRING_OK && next.welcome.start != r->pos) {
        ndr_session_close(&next);
        return r->fatal = ndr_fail(&r->error, NDRING_ERR_WRITER_LOST, "ring %s: the new writer starts this reader at position %llu, it was at %llu",
                                   r->ring, (unsigned long long)next.welcome.start, (unsigned long long)r->pos);
    }
    if (status != NDRING_OK) {
        char why[256];
        snprintf(why, sizeof why, "%.*s", (int)sizeof why - 1, r->error.text);
        r->fatal = ndr_fail(&r->error, NDRING_ERR_WRITER_LOST, "%s", why);
        ndr_fail_in(&r->error, r->ring);
        return r->fatal;
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
        ndr_reader_unlike(r); /* the next look disarms first */
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

/* ndr_reader_linger lets a writer that is overtaken again and again get ahead before the
 * reader looks once more: looking takes the line away from who stores there. It does so
 * only after a run of frames, so that an answer to a single one is not held up. */
static inline void ndr_reader_linger(ndring_reader *r) {
    int i, run = r->pos - r->rested >= NDR_RUN_BYTES;

    r->rested = r->pos;
    for (i = 0; run && r->spin.most > 0 && i < NDR_LINGER_PAUSES; i++) {
        ndr_pause();
    }
}

/* ndr_reader_await_commit waits for the commit word at the cursor, in park mode. */
static inline int ndr_reader_await_commit(ndring_reader *r, uint64_t *out, int64_t deadline) {
    uint64_t *word = ndr_commit_word(&r->session.segment, r->pos);
    int status;

    ndr_reader_linger(r);
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

#endif
