/* threads DIR: a writer and its readers as threads of one process, each on one thread, for
 * the thread sanitizer. It knows memory by address, so that each reader looks at the
 * writer's mapping, which is the same memory, and not at its own. */
#include "processes.h"

#include <pthread.h>

enum { FRAMES = 4000, READERS = 3 };

static ndring_writer *ring;
static uint64_t attached;

typedef struct views {
    uint8_t *segment, *table;
    ndr_writer_words *words;
    uint8_t *data;
} views;

/* look_at_writer has the reader see the writer's mapping; v keeps its own. */
static void look_at_writer(ndring_reader *r, views *v) {
    v->segment = r->session.segment.mem;
    v->words = r->session.segment.words;
    v->data = r->session.segment.data;
    v->table = r->session.table;
    r->session.segment.words = ring->core->seg.words;
    r->session.segment.data = ring->core->seg.data;
    r->words = ring->core->seg.words;
    r->lap = (uintptr_t)ring->core->seg.data - (uintptr_t)(r->pos & ~ring->core->seg.mask);
    r->session.table = ring->core->table;
    r->table = ndr_core_table(ring->core);
    r->slot = ndr_core_slot(ring->core, r->session.welcome.slot);
}

static void look_at_own(ndring_reader *r, const views *v) { r->session.table = v->table; }

static double sum(const void *payload, uint64_t items) {
    const double *values = (const double *)payload;
    double total = 0;
    uint64_t i;

    for (i = 0; i < items; i++) {
        total += values[i];
    }
    return total;
}

static uint64_t items_of(uint64_t n) { return n / 500 % 2 ? 5 : 90; }

static void read_frames(ndring_reader *r) {
    const ndring_frame *f = NULL;
    uint64_t n;

    for (n = 0; n < FRAMES / 2; n++) {
        CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK && f->header.number == n);
        CHECK(sum(f->payload, items_of(n)) == (double)(n * items_of(n)));
    }
}

static void read_run(ndring_reader *r) {
    uint64_t n = FRAMES / 2, i;
    ndring_run run;
    int status;

    while ((status = ndring_reader_next_run(r, &run, 16, PATIENCE_MS)) == NDRING_OK) {
        for (i = 0; i < run.count; i++, n++) {
            CHECK(run.first->header.number + i == n);
            CHECK(sum(run.payload + i * run.stride, items_of(n)) == (double)(n * items_of(n)));
        }
    }
    CHECK(status == NDRING_END && n == FRAMES);
}

static void *read_thread(void *wake) {
    ndring_reader_config c;
    ndring_reader *r;
    views own;

    reader_config(&c);
    c.wake = *(const uint32_t *)wake;
    r = reader_with(&c);
    look_at_writer(r, &own);
    (void)__atomic_fetch_add(&attached, 1, __ATOMIC_RELEASE);
    read_frames(r);
    read_run(r);
    CHECK(ndring_reader_rescues(r) == 0);
    look_at_own(r, &own);
    ndring_reader_close(r);
    return NULL;
}

static void *write_thread(void *unused) {
    uint64_t n = 0, i, k;
    ndring_batch b;

    (void)unused;
    while (ndr_load(&attached) < READERS) {
        ndr_server_turn(&ring->server, 1);
    }
    while (n < FRAMES) {
        uint64_t items = items_of(n), most = 500 - n % 500;
        if (n % 3 == 0) {
            publish(ring, (double)n, items);
            n++;
            continue;
        }
        CHECK(ndring_writer_claim_batch(ring, NDRING_F64, items, most < 7 ? most : 7, PATIENCE_MS, &b) == NDRING_OK);
        for (i = 0; i < b.count; i++, n++) {
            double *values = (double *)(void *)(b.payload + i * b.stride);
            for (k = 0; k < items; k++) {
                values[k] = (double)n;
            }
        }
        ndring_writer_commit(ring);
    }
    ndring_writer_finish(ring);
    while (ring->server.clients != NULL) { /* readers look at this mapping */
        ndr_server_turn(&ring->server, 1);
    }
    return NULL;
}

static void threads(int wake) {
    uint32_t mode = (uint32_t)wake;
    pthread_t writes, reads[READERS];
    int i;

    attached = 0;
    ring = writer();
    CHECK(pthread_create(&writes, NULL, write_thread, NULL) == 0);
    for (i = 0; i < READERS; i++) {
        CHECK(pthread_create(&reads[i], NULL, read_thread, &mode) == 0);
    }
    for (i = 0; i < READERS; i++) {
        CHECK(pthread_join(reads[i], NULL) == 0);
    }
    CHECK(pthread_join(writes, NULL) == 0);
    CHECK(ndring_writer_close(ring, PATIENCE_MS) == NDRING_OK); /* by a third thread: one at a time is enough */
}

/* Writers and readers of many rings, opened and closed by many threads at once, share
 * nothing. */
static void *own_ring(void *name) {
    ndring_writer_config wc;
    ndring_reader_config rc;
    ndring_writer *w = NULL;
    const double value = 7;
    const uint64_t items = 1;
    int i;

    writer_config(&wc);
    reader_config(&rc);
    rc.wait_ms = 0;
    for (i = 0; i < 20; i++) {
        ndring_observer_config oc;
        ndring_observer *o = NULL;
        ndring_reader *r = NULL;
        wc.free_run = 1;
        CHECK(ndring_writer_open(&w, (const char *)name, &wc, NULL) == NDRING_OK);
        CHECK(ndring_writer_publish(w, NDRING_F64, 1, &items, &value, 0) == NDRING_OK);
        CHECK(ndring_reader_open(&r, "nobody", &rc, NULL) == NDRING_ERR_NO_RING);
        ndring_observer_defaults(&oc);
        oc.dir = folder;
        oc.wait_ms = 0;
        CHECK(ndring_observer_open(&o, "nobody", &oc, NULL) == NDRING_ERR_NO_RING);
        CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    }
    return NULL;
}

static void many(int unused) {
    static char names[4][8] = {"one", "two", "three", "four"};
    pthread_t all[4];
    int i;

    (void)unused;
    for (i = 0; i < 4; i++) {
        CHECK(pthread_create(&all[i], NULL, own_ring, names[i]) == 0);
    }
    for (i = 0; i < 4; i++) {
        CHECK(pthread_join(all[i], NULL) == 0);
    }
}

int main(int argc, char **argv) {
    static const live_case cases[] = {
        {"a thread for each, park", threads, NDRING_WAKE_PARK},
        {"a thread for each, stream", threads, NDRING_WAKE_STREAM},
        {"a ring for each", many, 0},
    };

    return run_cases(argc, argv, cases, sizeof cases / sizeof *cases);
}
