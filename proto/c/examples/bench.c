/* bench [frames [rounds]]: frames a second of 40 bytes through ndring, from one process to
 * another, beside a bare ring of 64-byte slots on the same memory: a commit word in each
 * slot, payload beside it, no headers, no readers to let in, no recovery. Rounds are
 * interleaved; the ratio of each round is taken, so that a busy machine hits both. */
#include "../ndring.h"

#include <sys/wait.h>

enum { VALUES = 5, SLOT_WORDS = 8, CAPACITY = 1 << 20, SLOTS = CAPACITY / 64, BATCH = 16, LOOK_PAUSES = 32 };

/* slots is the bare ring: word 0 of a slot is its sequence number + 1. */
typedef struct slots {
    uint64_t cursor;
    uint64_t pad[15];
    uint64_t slot[SLOTS][SLOT_WORDS];
} slots;

/* rest waits between two looks at a word of the other side, so that looking does not take
 * the line away from who stores there. */
static void rest(void) {
    int i;

    for (i = 0; i < LOOK_PAUSES; i++) {
        ndr_pause();
    }
}

static void bare_write(slots *s, uint64_t frames) {
    uint64_t n, known = 0, i;

    for (n = 0; n < frames; n++) {
        uint64_t *slot = s->slot[n % SLOTS];
        while (n - known >= SLOTS) {
            known = ndr_load(&s->cursor);
            if (n - known >= SLOTS) {
                rest();
            }
        }
        for (i = 0; i < VALUES; i++) {
            slot[3 + i] = n + i;
        }
        ndr_store(&slot[0], n + 1);
        ndr_prefetch_ahead(slot);
    }
}

static uint64_t bare_read(slots *s, uint64_t frames) {
    uint64_t n, sum = 0, i;

    for (n = 0; n < frames; n++) {
        const uint64_t *slot = s->slot[n % SLOTS];
        while (ndr_load(&slot[0]) != n + 1) {
            rest();
        }
        for (i = 0; i < VALUES; i++) {
            sum += slot[3 + i];
        }
        if (n % BATCH == BATCH - 1 || n + 1 == frames) {
            ndr_store(&s->cursor, n + 1);
        }
    }
    return sum;
}

/* bare returns nanoseconds a frame. */
static double bare(uint64_t frames) {
    slots *s = (slots *)mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    uint64_t began;
    int status = 0;
    pid_t reader = fork();

    if (reader == 0) {
        _exit(bare_read(s, frames) == 0);
    }
    began = ndr_now_ns(CLOCK_MONOTONIC);
    bare_write(s, frames);
    (void)waitpid(reader, &status, 0);
    began = ndr_now_ns(CLOCK_MONOTONIC) - began;
    munmap(s, sizeof *s);
    return status == 0 ? (double)began / (double)frames : -1;
}

static int ring_read(const char *dir, uint64_t frames) {
    ndring_reader_config config;
    const ndring_frame *f = NULL;
    ndring_reader *r = NULL;
    uint64_t sum = 0, n = 0, i;

    ndring_reader_defaults(&config);
    config.dir = dir;
    if (ndring_reader_open(&r, "bench", &config, NULL) != NDRING_OK) {
        return 1;
    }
    while (ndring_reader_next(r, &f, NDRING_FOREVER) == NDRING_OK) {
        const uint64_t *values = (const uint64_t *)f->payload;
        for (i = 0; i < VALUES; i++) {
            sum += values[i];
        }
        n++;
    }
    ndring_reader_close(r);
    return n != frames || sum == 0;
}

/* through returns nanoseconds a frame through ndring, from the first claim on. The writer
 * waits for its reader first, so that attaching does not count. */
static double through(const char *dir, uint64_t frames) {
    uint64_t shape[1] = {VALUES}, n, i, began;
    ndring_writer_config config;
    ndring_writer *w = NULL;
    int status = 0;
    pid_t reader;

    ndring_writer_defaults(&config);
    config.dir = dir;
    config.capacity = CAPACITY;
    if (ndring_writer_open(&w, "bench", &config, NULL) != NDRING_OK) {
        return -1;
    }
    reader = fork();
    if (reader == 0) {
        _exit(ring_read(dir, frames));
    }
    while (!w->core->saw_reader) {
        ndr_server_turn(&w->server, NDR_SAFETY_MS);
    }
    began = ndr_now_ns(CLOCK_MONOTONIC);
    for (n = 0; n < frames; n++) {
        void *payload = NULL;
        if (ndring_writer_claim(w, NDRING_U64, 1, shape, NDRING_FOREVER, &payload) != NDRING_OK) {
            return -1;
        }
        for (i = 0; i < VALUES; i++) {
            ((uint64_t *)payload)[i] = n + i;
        }
        ndring_writer_commit(w);
    }
    (void)ndring_writer_close(w, NDRING_FOREVER);
    (void)waitpid(reader, &status, 0);
    began = ndr_now_ns(CLOCK_MONOTONIC) - began;
    return status == 0 ? (double)began / (double)frames : -1;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    uint64_t frames = argc > 1 ? strtoull(argv[1], NULL, 0) : 5000000;
    int rounds = argc > 2 ? atoi(argv[2]) : 7, i;
    char dir[] = "/dev/shm/ndring-bench-XXXXXX";
    double bares[64], rings[64], ratios[64];

    if (rounds < 1 || rounds > 64 || mkdtemp(dir) == NULL) {
        fprintf(stderr, "usage: bench [frames [rounds, at most 64]]\n");
        return 2;
    }
    for (i = 0; i < rounds; i++) {
        bares[i] = bare(frames);
        rings[i] = through(dir, frames);
        if (bares[i] < 0 || rings[i] < 0) {
            fprintf(stderr, "bench: a round failed\n");
            return 1;
        }
        ratios[i] = bares[i] / rings[i];
    }
    (void)rmdir(dir);
    qsort(bares, (size_t)rounds, sizeof *bares, ascending);
    qsort(rings, (size_t)rounds, sizeof *rings, ascending);
    qsort(ratios, (size_t)rounds, sizeof *ratios, ascending);
    printf("bare ring  %6.1f ns/frame, best %6.1f\n", bares[rounds / 2], bares[0]);
    printf("ndring     %6.1f ns/frame, best %6.1f\n", rings[rounds / 2], rings[0]);
    printf("ratio      %6.2f, from %.2f to %.2f; of the best rounds %.2f\n", ratios[rounds / 2], ratios[0], ratios[rounds - 1],
           bares[0] / rings[0]);
    return 0;
}
