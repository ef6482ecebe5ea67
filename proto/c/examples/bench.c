/* bench [frames [rounds]]: frames a second of 40 bytes through ndring, from one process to
 * another, beside a bare ring of 64-byte slots on the same memory: a commit word in each
 * slot, payload beside it, no headers, no readers to let in, no recovery. Frames are
 * claimed and read one by one, and in batches. Rounds are interleaved; the ratio of each
 * round is taken, so that a busy machine hits both. What a line costs between the two
 * processors decides: it is printed first. */
#include "../ndring.h"

#include <sys/wait.h>

enum { VALUES = 5, SLOT_WORDS = 8, CAPACITY = 1 << 20, SLOTS = CAPACITY / 64, TELL = 16, MOST = 64, LOOK_PAUSES = 32 };

/* slots is the bare ring: word 0 of a slot is its sequence number + 1. */
typedef struct slots {
    uint64_t cursor;
    uint64_t pad[15];
    uint64_t slot[SLOTS][SLOT_WORDS];
} slots;

/* pin keeps this process on one processor, if there are two: otherwise writer and reader of
 * some rounds would share one. A negative number lifts that. */
static void pin(int cpu) {
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

/* line_ns is how long a word takes to the other processor and back. */
static double line_ns(void) {
    uint64_t *words = (uint64_t *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0), n, began;
    const uint64_t trips = 200000;
    pid_t other = fork();

    if (other == 0) {
        pin(1);
        for (n = 1; n <= trips; n++) {
            while (ndr_load(&words[0]) != n) {
                ndr_pause();
            }
            ndr_store(&words[64], n);
        }
        _exit(0);
    }
    pin(0);
    began = ndr_now_ns(CLOCK_MONOTONIC);
    for (n = 1; n <= trips; n++) {
        ndr_store(&words[0], n);
        while (ndr_load(&words[64]) != n) {
            ndr_pause();
        }
    }
    began = ndr_now_ns(CLOCK_MONOTONIC) - began;
    (void)waitpid(other, NULL, 0);
    munmap(words, 4096);
    return (double)began / (double)trips;
}

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
        ndr_prefetch_ahead(slot, NDR_AHEAD_BYTES);
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
        if (n % TELL == TELL - 1 || n + 1 == frames) {
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
        pin(1);
        _exit(bare_read(s, frames) == 0);
    }
    pin(0);
    began = ndr_now_ns(CLOCK_MONOTONIC);
    bare_write(s, frames);
    (void)waitpid(reader, &status, 0);
    began = ndr_now_ns(CLOCK_MONOTONIC) - began;
    munmap(s, sizeof *s);
    return status == 0 ? (double)began / (double)frames : -1;
}

static uint64_t sum_of(const void *payload) {
    const uint64_t *values = (const uint64_t *)payload;
    uint64_t sum = 0, i;

    for (i = 0; i < VALUES; i++) {
        sum += values[i];
    }
    return sum;
}

static void fill(void *payload, uint64_t n) {
    uint64_t i;

    for (i = 0; i < VALUES; i++) {
        ((uint64_t *)payload)[i] = n + i;
    }
}

static uint64_t read_single(ndring_reader *r, uint64_t *sum) {
    const ndring_frame *f = NULL;
    uint64_t n = 0;

    while (ndring_reader_next(r, &f, NDRING_FOREVER) == NDRING_OK) {
        *sum += sum_of(f->payload);
        n++;
    }
    return n;
}

static uint64_t read_runs(ndring_reader *r, uint64_t *sum) {
    uint64_t n = 0, i;
    ndring_run run;

    while (ndring_reader_next_run(r, &run, MOST, NDRING_FOREVER) == NDRING_OK) {
        for (i = 0; i < run.count; i++) {
            *sum += sum_of(run.payload + i * run.stride);
        }
        n += run.count;
    }
    return n;
}

static int ring_read(const char *dir, uint64_t frames, int batches) {
    ndring_reader_config config;
    ndring_reader *r = NULL;
    uint64_t sum = 0, n;

    ndring_reader_defaults(&config);
    config.dir = dir;
    if (ndring_reader_open(&r, "bench", &config, NULL) != NDRING_OK) {
        return 1;
    }
    pin(1); /* who may use one processor only when it opens a ring does not spin */
    n = batches ? read_runs(r, &sum) : read_single(r, &sum);
    ndring_reader_close(r);
    return n != frames || sum == 0;
}

static int write_single(ndring_writer *w, uint64_t frames) {
    uint64_t shape[1] = {VALUES}, n;
    void *payload = NULL;

    for (n = 0; n < frames; n++) {
        if (ndring_writer_claim(w, NDRING_U64, 1, shape, NDRING_FOREVER, &payload) != NDRING_OK) {
            return 0;
        }
        fill(payload, n);
        ndring_writer_commit(w);
    }
    return 1;
}

static int write_batches(ndring_writer *w, uint64_t frames) {
    ndring_batch b;
    uint64_t n, i;

    for (n = 0; n < frames; n += b.count) {
        uint64_t most = frames - n < (uint64_t)MOST ? frames - n : (uint64_t)MOST;
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

/* through returns nanoseconds a frame through ndring, from the first claim on. The writer
 * waits for its reader first, so that attaching does not count. */
static double through(const char *dir, uint64_t frames, int batches) {
    ndring_writer_config config;
    ndring_writer *w = NULL;
    int status = 0, wrote;
    uint64_t began;
    pid_t reader;

    ndring_writer_defaults(&config);
    config.dir = dir;
    config.capacity = CAPACITY;
    if (ndring_writer_open(&w, "bench", &config, NULL) != NDRING_OK) {
        return -1;
    }
    reader = fork();
    if (reader == 0) {
        _exit(ring_read(dir, frames, batches));
    }
    pin(0);
    while (!w->core->saw_reader) {
        ndr_server_turn(&w->server, NDR_SAFETY_MS);
    }
    began = ndr_now_ns(CLOCK_MONOTONIC);
    wrote = batches ? write_batches(w, frames) : write_single(w, frames);
    (void)ndring_writer_close(w, NDRING_FOREVER);
    (void)waitpid(reader, &status, 0);
    began = ndr_now_ns(CLOCK_MONOTONIC) - began;
    return status == 0 && wrote ? (double)began / (double)frames : -1;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, ascending);
    return values[n / 2];
}

int main(int argc, char **argv) {
    uint64_t frames = argc > 1 ? strtoull(argv[1], NULL, 0) : 5000000;
    int rounds = argc > 2 ? atoi(argv[2]) : 7, i, way, failed = 0;
    static const char *const names[] = {"bare ring", "one by one", "batches"};
    char dir[] = "/dev/shm/ndring-bench-XXXXXX";
    double took[3][64], ratio[3][64];

    if (rounds < 1 || rounds > 64 || mkdtemp(dir) == NULL) {
        fprintf(stderr, "usage: bench [frames [rounds, at most 64]]\n");
        return 2;
    }
    printf("a line, there and back: %.0f ns\n", line_ns());
    for (i = 0; i < rounds && !failed; i++) {
        for (way = 0; way < 3 && !failed; way++) {
            pin(-1);
            took[way][i] = way == 0 ? bare(frames) : through(dir, frames, way == 2);
            ratio[way][i] = took[0][i] / took[way][i];
            failed = took[way][i] < 0;
        }
    }
    (void)rmdir(dir);
    if (failed) {
        fprintf(stderr, "bench: a round failed\n");
        return 1;
    }
    printf("%-12s %10s %10s %8s %8s %8s\n", "", "ns/frame", "best", "ratio", "lowest", "highest");
    for (way = 0; way < 3; way++) {
        double ns = median(took[way], rounds), of = median(ratio[way], rounds);
        printf("%-12s %10.2f %10.2f %8.2f %8.2f %8.2f\n", names[way], ns, took[way][0], of, ratio[way][0], ratio[way][rounds - 1]);
    }
    return 0;
}
