/* consumer RING [--option value]...: reads a ring to its end, checks each payload against the
 * pattern and the numbers against gaps, and prints what it got on one line.
 *
 *   --wake park     or stream, or observe: lossy
 *   --poll 0        or 1: waits in poll on the reader's descriptor
 *   --name NAME     of the reader
 *   --keep-ms N     how long the writer keeps a named reader's place
 *   --evict-ms N    patience it asks for
 *   --restart-ms N  how long to wait for a writer that died
 *   --kill-at N     dies by SIGKILL while it holds frame N
 *   --dir PATH      ring directory */
#include "arguments.h"

#include <signal.h>

/* tally is what was read. */
typedef struct tally {
    uint64_t frames, bytes, first, next, gaps, torn, checksum, rescues, kill_at;
    ndring_header last;
} tally;

static void count(tally *t, const ndring_frame *f) {
    const uint8_t *payload = (const uint8_t *)f->payload;
    uint64_t i, n = f->header.payload_bytes;

    if (t->frames == 0) {
        t->first = f->header.number;
    } else if (f->header.number != t->next) {
        t->gaps++;
    }
    if (f->header.number == t->kill_at) {
        (void)kill(getpid(), SIGKILL);
    }
    for (i = 0; i < n && payload[i] == pattern(f->header.number, i); i++) {
    }
    t->torn += i < n;
    t->checksum = t->checksum * 31 + ndr_crc32(payload, (size_t)n);
    t->next = f->header.number + 1;
    t->last = f->header;
    t->frames++;
    t->bytes += n;
}

static void print_extents(const char *key, uint32_t n, const uint64_t *extents) {
    uint32_t i;

    printf(" %s=%s", key, n == 0 ? "scalar" : "");
    for (i = 0; i < n; i++) {
        printf("%s%llu", i ? "x" : "", (unsigned long long)extents[i]);
    }
}

static void print(const tally *t) {
    uint64_t strides[NDRING_MAX_DIMS];

    memcpy(strides, t->last.strides, sizeof strides);
    printf("frames=%llu bytes=%llu first=%llu gaps=%llu torn=%llu checksum=%016llx dtype=%s", (unsigned long long)t->frames,
           (unsigned long long)t->bytes, (unsigned long long)t->first, (unsigned long long)t->gaps, (unsigned long long)t->torn,
           (unsigned long long)t->checksum, ndring_dtype_name(t->last.dtype));
    print_extents("shape", t->last.ndim, t->last.shape);
    print_extents("strides", t->last.ndim, strides);
    printf(" rescues=%llu\n", (unsigned long long)t->rescues);
}

/* next waits for a frame inside the reader, or in poll on its descriptor. */
static int next(ndring_reader *r, const ndring_frame **f, int polling) {
    int status;

    while (polling) {
        struct pollfd fds = {ndring_reader_fd(r), POLLIN, 0};
        status = ndring_reader_next(r, f, 0);
        if (status != NDRING_ERR_TIMEOUT) {
            return status;
        }
        (void)ndr_poll(&fds, 1, -1);
    }
    return ndring_reader_next(r, f, NDRING_FOREVER);
}

static int consume(int argc, char **argv, tally *t, ndring_error *err) {
    int polling = (int)number_argument(argc, argv, "--poll", 0), status;
    ndring_reader_config config;
    const ndring_frame *f = NULL;
    ndring_reader *r = NULL;

    ndring_reader_defaults(&config);
    config.dir = argument(argc, argv, "--dir", NULL);
    config.name = argument(argc, argv, "--name", NULL);
    config.keep_ms = (uint32_t)number_argument(argc, argv, "--keep-ms", 0);
    config.evict_ms = (uint32_t)number_argument(argc, argv, "--evict-ms", 0);
    config.restart_wait_ms = (int)number_argument(argc, argv, "--restart-ms", (uint64_t)config.restart_wait_ms);
    config.wake = strcmp(argument(argc, argv, "--wake", "park"), "stream") == 0 ? NDRING_WAKE_STREAM : NDRING_WAKE_PARK;
    status = ndring_reader_open(&r, argv[1], &config, err);
    if (status != NDRING_OK) {
        return status;
    }
    while ((status = next(r, &f, polling)) == NDRING_OK) {
        count(t, f);
    }
    *err = *ndring_reader_error(r);
    t->rescues = ndring_reader_rescues(r);
    ndring_reader_close(r);
    return status;
}

static int observe(int argc, char **argv, tally *t, ndring_error *err) {
    ndring_observer_config config;
    const ndring_frame *f = NULL;
    ndring_observer *o = NULL;
    int status;

    ndring_observer_defaults(&config);
    config.dir = argument(argc, argv, "--dir", NULL);
    status = ndring_observer_open(&o, argv[1], &config, err);
    if (status != NDRING_OK) {
        return status;
    }
    while ((status = ndring_observer_next(o, &f, NDRING_FOREVER)) == NDRING_OK) {
        t->next += f->lost; /* what was missed is no gap: it was told */
        count(t, f);
    }
    *err = *ndring_observer_error(o);
    ndring_observer_close(o);
    return status;
}

int main(int argc, char **argv) {
    static const char *const known[] = {"--wake", "--poll", "--name", "--keep-ms", "--evict-ms", "--restart-ms", "--kill-at", "--dir", NULL};
    const char *unknown = unknown_argument(argc, argv, known);
    ndring_error err;
    tally t;
    int status;

    memset(&t, 0, sizeof t);
    memset(&err, 0, sizeof err);
    if (argc < 2 || unknown != NULL) {
        fprintf(stderr, "usage: consumer RING [--option value]...: %s is not understood\n", unknown ? unknown : "the command line");
        return 2;
    }
    t.kill_at = number_argument(argc, argv, "--kill-at", UINT64_MAX);
    status = strcmp(argument(argc, argv, "--wake", "park"), "observe") == 0 ? observe(argc, argv, &t, &err) : consume(argc, argv, &t, &err);
    print(&t);
    if (status != NDRING_END) {
        fprintf(stderr, "consumer: %s: %s\n", ndring_status_name(status), err.text);
        return 1;
    }
    return t.gaps == 0 && t.torn == 0 ? 0 : 1;
}
