/* What bench and bench_alone do with frames of 40 bytes: write and read them through a bare
 * ring of 64-byte slots (a commit word in each slot, payload beside it, no headers, no
 * readers to let in, no recovery) and through ndring, one by one and in batches. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "../ndring.h"

#include <sys/wait.h>

enum { VALUES = 5, SLOT_WORDS = 8, CAPACITY = 1 << 20, SLOTS = CAPACITY / 64, TELL = 16, MOST = 64, LOOK_PAUSES = 32 };

/* slots is the bare ring: word 0 of a slot is its sequence number + 1. */
typedef struct slots {
    uint64_t cursor;
    uint64_t pad[15];
    uint64_t slot[SLOTS][SLOT_WORDS];
} slots;

static inline slots *slots_open(void) {
    return (slots *)mmap(NULL, sizeof(slots), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

/* pin keeps this process on one processor, if there are two: otherwise writer and reader of
 * some rounds would share one. A negative number lifts that. */
static inline void pin(int cpu) {
    cpu_set_t some;
    int i;

    CPU_ZERO(&some);
    for (i = 0; i < CPU_SETSIZE; i++) {
        if (cpu < 0 || i == cpu) {
            CPU_SET((unsigned)i, &some);
        }
    }
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
        (void)sched_setaffinity(0, sizeof some, &some);
    }
}

/* rest waits between two looks at a word of the other side, so that looking does not take
 * the line away from who stores there. */
static inline void rest(void) {
    int i;

    for (i = 0; i < LOOK_PAUSES; i++) {
        ndr_pause();
    }
}

static inline void fill(void *payload, uint64_t n) {
    uint64_t i;

    for (i = 0; i < VALUES; i++) {
        ((uint64_t *)payload)[i] = n + i;
    }
}

static inline uint64_t sum_of(const void *payload) {
    const uint64_t *values = (const uint64_t *)payload;
    uint64_t sum = 0, i;

    for (i = 0; i < VALUES; i++) {
        sum += values[i];
    }
    return sum;
}

/* Writers write frames with numbers from first on and return whether they could. */

static inline int bare_write(slots *s, uint64_t first, uint64_t frames) {
    uint64_t n, known = ndr_load(&s->cursor);

    for (n = first; n < first + frames; n++) {
        uint64_t *slot = s->slot[n % SLOTS];
        while (n - known >= SLOTS) {
            known = ndr_load(&s->cursor);
            if (n - known >= SLOTS) {
                rest();
            }
        }
        fill(&slot[3], n);
        ndr_store(&slot[0], n + 1);
        ndr_prefetch_ahead(slot, NDR_AHEAD_BYTES);
    }
    return 1;
}

static inline int write_single(ndring_writer *w, uint64_t first, uint64_t frames) {
    uint64_t shape[1] = {VALUES}, n;
    void *payload = NULL;

    for (n = first; n < first + frames; n++) {
        if (ndring_writer_claim(w, NDRING_U64, 1, shape, NDRING_FOREVER, &payload) != NDRING_OK) {
            return 0;
        }
        fill(payload, n);
        ndring_writer_commit(w);
    }
    return 1;
}

static inline int write_batches(ndring_writer *w, uint64_t first, uint64_t frames) {
    ndring_batch b;
    uint64_t n, i;

    for (n = first; n < first + frames; n += b.count) {
        uint64_t most = first + frames - n < (uint64_t)MOST ? first + frames - n : (uint64_t)MOST;
        if (ndring_writer_claim_batch(w, NDRING_U64, VALUES, most, NDRING_FOREVER, &b) != NDRING_OK) {
            return 0;
        }
        for (i = 0; i < b.count; i++) {
            fill(b.payload + i * b.stride, n + i);
        }
        ndring_writer_commit(w);
    }
    return 1;
}

/* Readers read frames, up to the end of a ring at most, and return their sum. */

static inline uint64_t bare_read(slots *s, uint64_t first, uint64_t frames) {
    uint64_t n, sum = 0;

    for (n = first; n < first + frames; n++) {
        const uint64_t *slot = s->slot[n % SLOTS];
        while (ndr_load(&slot[0]) != n + 1) {
            rest();
        }
        sum += sum_of(&slot[3]);
        if (n % TELL == TELL - 1 || n + 1 == first + frames) {
            ndr_store(&s->cursor, n + 1);
        }
    }
    return sum;
}

static inline uint64_t read_single(ndring_reader *r, uint64_t frames) {
    const ndring_frame *f = NULL;
    uint64_t n, sum = 0;

    for (n = 0; n < frames && ndring_reader_next(r, &f, NDRING_FOREVER) == NDRING_OK; n++) {
        sum += sum_of(f->payload);
    }
    return sum;
}

static inline uint64_t read_batches(ndring_reader *r, uint64_t frames) {
    uint64_t n, i, sum = 0;
    ndring_run run;

    for (n = 0; n < frames && ndring_reader_next_run(r, &run, MOST, NDRING_FOREVER) == NDRING_OK; n += run.count) {
        for (i = 0; i < run.count; i++) {
            sum += sum_of(run.payload + i * run.stride);
        }
    }
    return sum;
}

static inline int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static inline double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, ascending);
    return values[n / 2];
}

/* sum_due is what readers of frames with numbers from 0 on return. */
static inline uint64_t sum_due(uint64_t frames) { return VALUES * (frames * (frames - 1) / 2) + frames * (VALUES * (VALUES - 1) / 2); }

#endif
