/* bench [frames [rounds]]: frames a second of 40 bytes through ndring, from one process to
 * another, beside a bare ring on the same memory (bench_work.h), one by one and in batches. Rounds are interleaved; the ratio of each
 * round is taken, so that a busy machine hits both. What a line costs between the two
 * processors decides: it is printed first. */
#include "bench_work.h"

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

/* bare returns nanoseconds a frame. */
static double bare(uint64_t frames) {
    slots *s = slots_open();
    uint64_t began;
    int status = 0;
    pid_t reader = fork();

    if (reader == 0) {
        pin(1);
        _exit(bare_read(s, 0, frames) != sum_due(frames));
    }
    pin(0);
    began = ndr_now_ns(CLOCK_MONOTONIC);
    (void)bare_write(s, 0, frames);
    (void)waitpid(reader, &status, 0);
    began = ndr_now_ns(CLOCK_MONOTONIC) - began;
    munmap(s, sizeof *s);
    return status == 0 ? (double)began / (double)frames : -1;
}

static int ring_read(const char *dir, uint64_t frames, int batches) {
    ndring_reader_config config;
    ndring_reader *r = NULL;
    uint64_t sum;

    ndring_reader_defaults(&config);
    config.dir = dir;
    if (ndring_reader_open(&r, "bench", &config, NULL) != NDRING_OK) {
        return 1;
    }
    pin(1); /* who may use one processor only when it opens a ring does not spin */
    sum = batches ? read_batches(r, frames) : read_single(r, frames);
    ndring_reader_close(r);
    return sum != sum_due(frames);
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
        if (waitpid(reader, &status, WNOHANG) == reader) { /* it could not attach */
            (void)ndring_writer_close(w, 0);
            return -1;
        }
        ndr_server_turn(&w->server, NDR_SAFETY_MS);
    }
    began = ndr_now_ns(CLOCK_MONOTONIC);
    wrote = batches ? write_batches(w, 0, frames) : write_single(w, 0, frames);
    (void)ndring_writer_close(w, NDRING_FOREVER);
    (void)waitpid(reader, &status, 0);
    began = ndr_now_ns(CLOCK_MONOTONIC) - began;
    return status == 0 && wrote ? (double)began / (double)frames : -1;
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
