/* Lossy readers: the writer does not know of them and never waits; each frame is copied
 * out and the copy proven intact. docs/layout.md, "Lossy readers". */
#ifndef NDRING_OBSERVER_H
#define NDRING_OBSERVER_H

#include "ndring_reader.h"

/* ndring_observer_config describes an observer. Fill it with ndring_observer_defaults. */
typedef struct ndring_observer_config {
    const char *dir;     /* NULL = the default */
    uint32_t start;      /* NDRING_START_OLDEST or NDRING_START_LATEST */
    int wait_ms;         /* how long to wait for a writer */
    int restart_wait_ms; /* for a writer that died; NDRING_FOREVER */
} ndring_observer_config;

static inline void ndring_observer_defaults(ndring_observer_config *c) {
    memset(c, 0, sizeof *c);
    c->start = NDRING_START_OLDEST;
    c->wait_ms = NDRING_FOREVER;
    c->restart_wait_ms = 5000;
}

typedef struct ndring_observer {
    uint64_t ours; /* 1; 0 in a forked process, see ndring_owner.h */
    pid_t owner;   /* process that opened it */
    ndr_session session;
    ndr_hello hello;
    char ring[NDRING_MAX_NAME_BYTES + 1];
    char *dir;
    int restart_wait_ms;
    int known;       /* number means something */
    int fatal;
    int64_t lost_at; /* when the writer hung up, 0 = it did not */
    uint64_t pos;
    uint64_t number; /* expected next */
    uint64_t missed; /* since the last frame returned */
    uint64_t laps;   /* times the observer was overtaken */
    uint8_t *copy;
    uint64_t copy_bytes;
    ndring_frame frame;
    ndring_error error;
} ndring_observer;

/* ndring_observer_close frees the observer and what it holds, in a forked process only what
 * that one has of it. */
static inline void ndring_observer_close(ndring_observer *o) {
    if (o != NULL) {
        if (o->ours && o->owner == getpid()) {
            ndr_session_goodbye(&o->session, o->pos);
        }
        ndr_session_close(&o->session);
        free(o->copy);
        free(o->dir);
        ndr_owned_free(o, offsetof(ndring_observer, owner));
    }
}

/* ndring_observer_open attaches an observer. Errors are those of ndring_reader_open. */
static inline int ndring_observer_open(ndring_observer **out, const char *ring, const ndring_observer_config *config,
                                       ndring_error *err) {
    ndring_observer *o;
    int status = ndr_name_check(ring, err);

    *out = NULL;
    if (status != NDRING_OK) {
        return status;
    }
    o = (ndring_observer *)ndr_owned_new(offsetof(ndring_observer, owner), sizeof *o);
    if (o == NULL) {
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "allocate", "an observer");
    }
    o->ours = 1;
    o->owner = getpid();
    ndr_session_clear(&o->session);
    o->restart_wait_ms = config->restart_wait_ms;
    snprintf(o->ring, sizeof o->ring, "%s", ring);
    o->dir = config->dir == NULL ? NULL : strdup(config->dir);
    if (config->dir != NULL && o->dir == NULL) {
        ndring_observer_close(o);
        errno = ENOMEM;
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "allocate", "an observer");
    }
    ndr_hello_start(&o->hello, NDRING_ROLE_OBSERVER, NDRING_WAKE_STREAM, NDRING_START_OLDEST, 0);
    status = ndr_session_connect(&o->session, o->dir, ring, &o->hello, ndr_deadline(config->wait_ms), NDR_ANSWER_MS, err);
    if (status != NDRING_OK) {
        ndring_observer_close(o);
        return status;
    }
    o->pos = config->start == NDRING_START_LATEST ? o->session.welcome.tail : o->session.welcome.oldest;
    *out = o;
    return NDRING_OK;
}

/* ndr_observer_resync goes on half a ring behind the writer: far enough from being
 * overtaken again at once, and with some history. */
static inline int ndr_observer_resync(ndring_observer *o) {
    const ndr_segment *s = &o->session.segment;
    uint64_t tail = ndr_shared_tail(s), limit = ndr_load(&s->words->limit);
    uint64_t next = ndr_boundary(s, limit - s->capacity / 2, tail);

    if ((int64_t)(next - o->pos) <= 0) {
        return o->fatal = ndr_fail(&o->error, NDRING_ERR_CORRUPT, "position %llu is overtaken by limit %llu, but the tail is %llu",
                                   (unsigned long long)o->pos, (unsigned long long)limit, (unsigned long long)tail);
    }
    o->pos = next;
    o->laps++;
    return NDRING_OK;
}

/* ndr_observer_copy copies the frame at the observer's position, torn or not. */
static inline int ndr_observer_copy(ndring_observer *o, uint32_t kind) {
    int status = ndr_frame_set(&o->frame, &o->session.segment, o->pos, kind, &o->error);
    uint64_t bytes = o->frame.header.payload_bytes;

    if (status != NDRING_OK || kind == NDRING_KIND_PADDING) {
        return status;
    }
    if (bytes > o->copy_bytes || o->copy == NULL) {
        uint8_t *more = (uint8_t *)realloc(o->copy, (size_t)bytes + 1);
        if (more == NULL) {
            return ndr_fail_errno(&o->error, NDRING_ERR_SYSTEM, "allocate", "a frame's copy");
        }
        o->copy = more;
        o->copy_bytes = bytes;
    }
    memcpy(o->copy, o->frame.payload, (size_t)bytes);
    o->frame.payload = o->copy;
    return NDRING_OK;
}

/* ndr_observer_look tries to take the frame at the observer's position. What it finds
 * counts only if the position was intact after the reading. SYNC: limit */
static inline int ndr_observer_look(ndring_observer *o, int *deliver) {
    uint64_t announced = o->session.published;
    uint64_t word = ndr_load(ndr_commit_word(&o->session.segment, o->pos));
    int committed = ndr_is_commit(word, o->pos), status = NDRING_OK;

    *deliver = 0;
    if (committed) {
        status = ndr_observer_copy(o, word & NDRING_KIND_MASK);
    }
    if (!ndr_intact(&o->session.segment, o->pos)) {
        return ndr_observer_resync(o);
    }
    if (status == NDRING_OK && !committed && word != 0) {
        status = ndr_unexpected(o->pos, word, &o->error);
    }
    if (word == 0 && (int64_t)(announced - o->pos) > 0) {
        status = ndr_fail(&o->error, NDRING_ERR_CORRUPT, "position %llu was announced, nothing is at %llu",
                          (unsigned long long)announced, (unsigned long long)o->pos);
    }
    if (status == NDRING_OK && committed) {
        status = ndr_frame_delivered(&o->frame, deliver, &o->error);
    }
    if (status != NDRING_OK || !committed) {
        return o->fatal = status;
    }
    o->pos = o->frame.end;
    if (o->frame.header.kind == NDRING_KIND_PADDING) {
        return NDRING_OK;
    }
    if (o->known) {
        o->missed += o->frame.header.number - o->number;
    }
    o->number = o->frame.header.number + 1;
    o->known = 1;
    if (*deliver) {
        o->frame.lost = o->missed;
        o->missed = 0;
    }
    return NDRING_OK;
}

/* ndr_observer_reconnect looks for the writer that took the ring up. */
static inline int ndr_observer_reconnect(ndring_observer *o, int64_t deadline) {
    int64_t until = ndr_session_until(o->lost_at, o->restart_wait_ms);
    ndr_hello h = o->hello;
    ndr_session next;
    int status;

    memcpy(h.ring_id, o->session.welcome.ring_id, sizeof h.ring_id);
    status = ndr_session_connect(&next, o->dir, o->ring, &h, until < deadline ? until : deadline, NDR_RETRY_GRACE_MS, &o->error);
    if ((status == NDRING_ERR_NO_RING || status == NDRING_ERR_TIMEOUT) && ndr_now_ms() < until) {
        return NDRING_ERR_TIMEOUT;
    }
    if (status != NDRING_OK) {
        return o->fatal = ndr_fail(&o->error, NDRING_ERR_WRITER_LOST, "ring %s: nobody took it up", o->ring);
    }
    ndr_segment_close(&next.segment);
    next.segment = o->session.segment;
    memset(&o->session.segment, 0, sizeof o->session.segment);
    ndr_session_close(&o->session);
    o->session = next;
    o->lost_at = 0;
    return NDRING_OK;
}

/* ndr_observer_wait waits until something beyond the position is announced. */
static inline int ndr_observer_wait(ndring_observer *o, int64_t deadline) {
    struct pollfd fds;
    int left;

    ndr_session_serve(&o->session);
    if (o->session.hung_up && o->lost_at == 0) {
        o->lost_at = ndr_now_ms();
        ndr_close(&o->session.socket);
        return NDRING_OK; /* one more look: the hang-up came after everything committed */
    }
    if (o->lost_at != 0) {
        return ndr_observer_reconnect(o, deadline);
    }
    if ((int64_t)(o->session.published - o->pos) > 0) {
        return NDRING_OK;
    }
    left = ndr_remaining_ms(deadline, NDR_SAFETY_MS);
    if (left == 0) {
        return NDRING_ERR_TIMEOUT;
    }
    fds.fd = o->session.socket;
    fds.events = POLLIN;
    (void)ndr_poll(&fds, 1, left);
    return NDRING_OK;
}

/* ndring_observer_next stores a copy of the next frame, valid until the next call;
 * frame.lost is the number of frames missed before it. Statuses are those of
 * ndring_reader_next, without evictions. */
static inline int ndring_observer_next(ndring_observer *o, const ndring_frame **out, int timeout_ms) {
    int64_t deadline = ndr_deadline(timeout_ms);
    int status, deliver = 0;

    if (!o->ours) {
        o->fatal = ndr_forked(&o->error, o->ring);
    }
    for (;;) {
        if (o->fatal) {
            return o->fatal;
        }
        status = ndr_observer_look(o, &deliver);
        if (status != NDRING_OK) {
            return status;
        }
        if (deliver) {
            *out = &o->frame;
            return NDRING_OK;
        }
        if (ndr_load(ndr_commit_word(&o->session.segment, o->pos)) != 0) {
            continue;
        }
        if (ndr_ended(&o->session.segment, o->pos)) {
            return NDRING_END;
        }
        status = ndr_observer_wait(o, deadline);
        if (status == NDRING_ERR_TIMEOUT && ndr_remaining_ms(deadline, 1) > 0) {
            continue;
        }
        if (status != NDRING_OK) {
            return status;
        }
    }
}

/* ndring_observer_fd is readable when something was announced; -1 while no writer is
 * there. */
static inline int ndring_observer_fd(const ndring_observer *o) { return o->session.socket; }

/* ndring_observer_error says more about the last status that was an error. */
static inline const ndring_error *ndring_observer_error(const ndring_observer *o) { return &o->error; }

#endif
