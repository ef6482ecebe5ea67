/* Deadlines, spinning and sleeping. */
#ifndef NDRING_CLOCK_H
#define NDRING_CLOCK_H

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>

#include "ndring_segment.h"

#define NDR_SAFETY_MS 100       /* bounds one sleep; nothing depends on it */
#define NDR_SPIN_STEP 64        /* pauses between two looks at the clock's cheaper cousin */
#define NDR_SPIN_STEP_NS 500    /* about what one step takes */
#define NDRING_FOREVER (-1)     /* a timeout: wait without end */

static inline uint64_t ndr_now_ns(clockid_t clock) {
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t ndr_unix_ns(void) { return ndr_now_ns(CLOCK_REALTIME); }
static inline int64_t ndr_now_ms(void) { return (int64_t)(ndr_now_ns(CLOCK_MONOTONIC) / 1000000u); }

/* ndr_deadline turns a timeout in milliseconds into a time; negative is never. */
static inline int64_t ndr_deadline(int timeout_ms) { return timeout_ms < 0 ? INT64_MAX : ndr_now_ms() + timeout_ms; }

/* ndr_remaining_ms is the time to deadline, at most most and at least 0. */
static inline int ndr_remaining_ms(int64_t deadline, int most) {
    int64_t left = deadline == INT64_MAX ? most : deadline - ndr_now_ms();

    return left < 0 ? 0 : left > most ? most : (int)left;
}

/* A spin that met its event restores the full budget; one that did not halves it. */
typedef struct ndr_spinner {
    int most, now, misses;
} ndr_spinner;

static inline void ndr_spinner_set(ndr_spinner *s, int64_t total_ns) {
    cpu_set_t mine;

    memset(s, 0, sizeof *s);
    CPU_ZERO(&mine);
    if (total_ns > 0 && sched_getaffinity(0, sizeof mine, &mine) == 0 && CPU_COUNT(&mine) > 1) {
        s->most = s->now = 1 + (int)(total_ns / NDR_SPIN_STEP_NS < INT_MAX ? total_ns / NDR_SPIN_STEP_NS : INT_MAX - 1);
    }
}

static inline int ndr_spin_budget(ndr_spinner *s) {
    if (s->misses >= 64) {
        s->misses = 0;
        s->now = s->most;
    }
    return s->now;
}

static inline void ndr_spin_hit(ndr_spinner *s) {
    s->now = s->most;
    s->misses = 0;
}

static inline void ndr_spin_miss(ndr_spinner *s) {
    s->misses++;
    if (s->now > 1) {
        s->now /= 2;
    }
}

/* ndr_ring rings a doorbell; a full counter has been rung. */
static inline void ndr_ring(int bell) {
    uint64_t one = 1;
    ssize_t n;

    do {
        n = write(bell, &one, sizeof one);
    } while (n < 0 && errno == EINTR);
}

/* ndr_take empties a doorbell. */
static inline void ndr_take(int bell) {
    uint64_t count;
    ssize_t n;

    do {
        n = read(bell, &count, sizeof count);
    } while (n < 0 && errno == EINTR);
}

/* ndr_poll waits until a descriptor is readable, or returns 0 when the time has passed. A
 * signal ends it early with -1; callers look again. */
static inline int ndr_poll(struct pollfd *fds, nfds_t n, int timeout_ms) { return poll(fds, n, timeout_ms); }

/* ndr_readable reports whether a descriptor is readable, at the latest after timeout_ms. */
static inline int ndr_readable(int fd, int timeout_ms) {
    int64_t deadline = ndr_deadline(timeout_ms);
    struct pollfd fds;
    int got;

    fds.fd = fd;
    fds.events = POLLIN;
    do {
        got = ndr_poll(&fds, 1, ndr_remaining_ms(deadline, timeout_ms));
    } while (got < 0 && errno == EINTR);
    return got > 0;
}

#endif
