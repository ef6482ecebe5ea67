/* producer RING [--option value]...: writes frames with a pattern that every consumer of the
 * conformance tests knows, up to frame number --until, and waits for its readers.
 *
 *   --until N       frames to write, those of an earlier life of the ring included
 *   --dtype f64     element type
 *   --shape 4x3     extents, "scalar" for none
 *   --order c       or f: strides of the other order, stored with each frame
 *   --capacity N    bytes of the ring
 *   --policy block  or drop
 *   --kill-at N     dies by SIGKILL with frame N claimed and half written
 *   --pause-ms N    between frames, while the control plane is served
 *   --close-ms N    how long to wait for readers at the end, -1 = for ever
 *   --dir PATH      ring directory */
#include "arguments.h"

#include <signal.h>

typedef struct job {
    ndring_header frame;
    uint64_t until, kill_at;
    int pause_ms;
} job;

static int parse_shape(ndring_header *h, const char *text) {
    char *end = NULL;

    if (strcmp(text, "scalar") == 0) {
        return 1;
    }
    for (;; text = end + 1) {
        if (h->ndim == NDRING_MAX_DIMS) {
            return 0;
        }
        h->shape[h->ndim++] = strtoull(text, &end, 10);
        if (end == text || (*end != 'x' && *end != 0)) {
            return 0;
        }
        if (*end == 0) {
            return 1;
        }
    }
}

/* other_order makes the strides those of the array with its axes in the other order. */
static void other_order(ndring_header *h) {
    int64_t step = ndring_dtype_bytes(h->dtype);
    uint32_t i;

    h->ext_flags = NDRING_EXT_STRIDES;
    for (i = 0; i < h->ndim; i++) {
        h->strides[i] = step;
        step *= h->shape[i] > 0 ? (int64_t)h->shape[i] : 1;
    }
}

/* fill writes the pattern of frame n, or half of it and dies. */
static void fill(uint8_t *payload, uint64_t bytes, uint64_t n, int die) {
    uint64_t i;

    for (i = 0; i < (die ? bytes / 2 : bytes); i++) {
        payload[i] = pattern(n, i);
    }
    if (die) {
        (void)kill(getpid(), SIGKILL);
    }
}

/* rest serves the control plane for a while. */
static void rest(ndring_writer *w, int ms) {
    int64_t deadline = ndr_deadline(ms);

    while (ndr_remaining_ms(deadline, 1000) > 0) {
        struct pollfd fds = {ndring_writer_fd(w), POLLIN, 0};
        (void)ndr_poll(&fds, 1, ndr_remaining_ms(deadline, 1000));
        ndring_writer_service(w);
    }
}

static int produce(ndring_writer *w, const job *j) {
    while (ndring_writer_next_number(w) < j->until) {
        ndring_header h = j->frame;
        void *payload = NULL;
        int status = ndring_writer_claim_frame(w, &h, NDRING_FOREVER, &payload);
        if (status == NDRING_ERR_DROPPED) {
            rest(w, 1);
            continue;
        }
        if (status != NDRING_OK) {
            return status;
        }
        fill((uint8_t *)payload, h.payload_bytes, h.number, h.number == j->kill_at);
        ndring_writer_commit(w);
        if (j->pause_ms > 0) {
            rest(w, j->pause_ms);
        }
    }
    return NDRING_OK;
}

int main(int argc, char **argv) {
    static const char *const known[] = {"--until", "--dtype", "--shape", "--order", "--capacity", "--policy",
                                        "--kill-at", "--pause-ms", "--close-ms", "--dir", NULL};
    const char *unknown = unknown_argument(argc, argv, known);
    ndring_writer_config config;
    ndring_writer *w = NULL;
    ndring_error err;
    uint64_t written;
    int status;
    job j;

    memset(&j, 0, sizeof j);
    memset(&err, 0, sizeof err);
    j.until = number_argument(argc, argv, "--until", 1000);
    j.kill_at = number_argument(argc, argv, "--kill-at", UINT64_MAX);
    j.pause_ms = (int)number_argument(argc, argv, "--pause-ms", 0);
    j.frame.dtype = (uint8_t)ndring_dtype_parse(argument(argc, argv, "--dtype", "f64"));
    if (argc < 2 || unknown != NULL || j.frame.dtype == 0 || !parse_shape(&j.frame, argument(argc, argv, "--shape", "5"))) {
        fprintf(stderr, "usage: producer RING [--option value]...: %s is not understood\n", unknown ? unknown : "the command line");
        return 2;
    }
    if (strcmp(argument(argc, argv, "--order", "c"), "f") == 0) {
        other_order(&j.frame);
    }
    ndring_writer_defaults(&config);
    config.dir = argument(argc, argv, "--dir", NULL);
    config.capacity = number_argument(argc, argv, "--capacity", config.capacity);
    config.policy = strcmp(argument(argc, argv, "--policy", "block"), "drop") == 0 ? NDRING_POLICY_DROP_NEWEST : NDRING_POLICY_BLOCK;
    status = ndring_writer_open(&w, argv[1], &config, &err);
    if (status != NDRING_OK) {
        fprintf(stderr, "producer: %s: %s\n", ndring_status_name(status), err.text);
        return 1;
    }
    status = produce(w, &j);
    if (status != NDRING_OK) {
        fprintf(stderr, "producer: %s: %s\n", ndring_status_name(status), ndring_writer_error(w)->text);
    }
    written = ndring_writer_next_number(w);
    if (ndring_writer_close(w, (int)number_argument(argc, argv, "--close-ms", (uint64_t)-1)) != NDRING_OK) {
        fprintf(stderr, "producer: readers were not done\n");
    }
    printf("frames=%llu\n", (unsigned long long)written);
    return status == NDRING_OK ? 0 : 1;
}
