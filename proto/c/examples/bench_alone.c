/* bench_alone [rounds]: what writer and reader of frames of 40 bytes cost apart, on one
 * processor in cached memory: a quarter of the ring is written, then read, and both are
 * timed. Nothing waits and no line travels, so these figures hold wherever the host puts
 * its processors; bench shows what is left of them between two. */
#include "bench_work.h"

#include <pthread.h>

enum { PART = SLOTS / 4, WAYS = 3, MOST_ROUNDS = 1000 };

typedef struct sides {
    const char *dir;
    ndring_writer *w;
    ndring_reader *r;
    slots *s;
    uint64_t failed; /* to attach */
} sides;

static void *attach(void *context) {
    sides *b = (sides *)context;
    ndring_reader_config config;

    ndring_reader_defaults(&config);
    config.dir = b->dir;
    if (ndring_reader_open(&b->r, "bench", &config, NULL) != NDRING_OK) {
        ndr_store(&b->failed, 1);
    }
    return NULL;
}

/* open_sides makes a ring and its reader, which this thread lets in. */
static int open_sides(sides *b) {
    ndring_writer_config config;
    pthread_t other;

    ndring_writer_defaults(&config);
    config.dir = b->dir;
    config.capacity = CAPACITY;
    b->s = slots_open();
    if (b->s == (slots *)MAP_FAILED || ndring_writer_open(&b->w, "bench", &config, NULL) != NDRING_OK ||
        pthread_create(&other, NULL, attach, b) != 0) {
        return 0;
    }
    while (!b->w->core->saw_reader && !ndr_load(&b->failed)) {
        ndr_server_turn(&b->w->server, NDR_SAFETY_MS);
    }
    (void)pthread_join(other, NULL);
    return b->r != NULL;
}

static int write_part(sides *b, int way, uint64_t first) {
    return way == 0 ? bare_write(b->s, first, PART) : way == 1 ? write_single(b->w, first, PART) : write_batches(b->w, first, PART);
}

static uint64_t read_part(sides *b, int way, uint64_t first) {
    return way == 0 ? bare_read(b->s, first, PART) : way == 1 ? read_single(b->r, PART) : read_batches(b->r, PART);
}

/* measure fills took[way][side][round], in nanoseconds a frame. */
static int measure(sides *b, int rounds, double took[WAYS][2][MOST_ROUNDS]) {
    uint64_t bare = 0, ring = 0, began, between;
    int i, way;

    for (i = 0; i < rounds; i++) {
        for (way = 0; way < WAYS; way++) {
            uint64_t *first = way == 0 ? &bare : &ring, sum;
            began = ndr_now_ns(CLOCK_MONOTONIC);
            if (!write_part(b, way, *first)) {
                return 0;
            }
            between = ndr_now_ns(CLOCK_MONOTONIC);
            sum = read_part(b, way, *first);
            took[way][1][i] = (double)(ndr_now_ns(CLOCK_MONOTONIC) - between) / (double)PART;
            took[way][0][i] = (double)(between - began) / (double)PART;
            if (sum != sum_due(*first + PART) - sum_due(*first)) {
                return 0;
            }
            *first += PART;
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    static const char *const names[WAYS] = {"bare ring", "one by one", "batches"};
    static double took[WAYS][2][MOST_ROUNDS];
    int rounds = argc > 1 ? atoi(argv[1]) : 400, way, ok;
    char dir[] = "/dev/shm/ndring-bench-XXXXXX";
    sides b = {dir, NULL, NULL, NULL, 0};
    double slower = 0;

    if (rounds < 1 || rounds > MOST_ROUNDS || mkdtemp(dir) == NULL) {
        fprintf(stderr, "usage: bench_alone [rounds, at most %d]\n", MOST_ROUNDS);
        return 2;
    }
    pin(0);
    ok = open_sides(&b) && measure(&b, rounds, took);
    ndring_reader_close(b.r);
    (void)ndring_writer_close(b.w, 0);
    (void)rmdir(dir);
    if (!ok) {
        fprintf(stderr, "bench_alone: a round failed\n");
        return 1;
    }
    printf("%-12s %10s %10s %22s\n", "", "writer, ns", "reader, ns", "slower side, of bare's");
    for (way = 0; way < WAYS; way++) {
        double w = median(took[way][0], rounds), r = median(took[way][1], rounds), of = w > r ? w : r;
        slower = way == 0 ? of : slower;
        printf("%-12s %10.2f %10.2f %22.2f\n", names[way], w, r, slower / of);
    }
    return 0;
}
