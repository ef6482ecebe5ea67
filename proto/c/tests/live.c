/* live DIR: what the matrix of producers and consumers does not show: groups, batches,
 * eviction, observers that are overtaken, a writer that is lost, and what callers do wrong.
 * Readers are processes of their own; the writer is this one. */
#include "processes.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/time.h>

/* A group comes whole, with flags and roles; what an aborted one held is never seen. */
static void read_group(int wake) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;
    int i;

    reader_config(&c);
    c.wake = (uint32_t)wake;
    r = reader_with(&c);
    for (i = 0; i < 600; i++) {
        CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
        CHECK(f->header.number == (uint64_t)i && f->header.role == (i % 2 ? NDRING_ROLE_DELTA : NDRING_ROLE_PRIMARY));
        CHECK(((f->header.flags & NDRING_FLAG_MORE) != 0) == (i % 2 == 0));
        CHECK(f->header.sequence == (uint32_t)i / 2 && *(const double *)f->payload == i);
    }
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_END);
    ndring_reader_close(r);
}

static void group_heads(ndring_header *heads, uint32_t sequence) {
    int i;

    memset(heads, 0, 2 * sizeof *heads);
    for (i = 0; i < 2; i++) {
        heads[i].dtype = NDRING_F64;
        heads[i].ndim = 1;
        heads[i].shape[0] = 5;
        heads[i].role = (uint8_t)(i == 0 ? NDRING_ROLE_PRIMARY : NDRING_ROLE_DELTA);
        heads[i].ext_flags = NDRING_EXT_STREAM;
        heads[i].sequence = sequence;
    }
}

static void groups(int wake) {
    ndring_writer *w = writer();
    pid_t reader = apart(read_group, wake);
    ndring_header heads[2];
    void *payloads[2] = {NULL, NULL};
    uint32_t i, n;

    for (n = 0; n < 300; n++) {
        if (n % 3 == 0) {
            group_heads(heads, 9999);
            CHECK(ndring_writer_claim_group(w, heads, 2, PATIENCE_MS, payloads) == NDRING_OK);
            ndring_writer_abort(w);
        }
        group_heads(heads, n);
        CHECK(ndring_writer_claim_group(w, heads, 2, PATIENCE_MS, payloads) == NDRING_OK);
        for (i = 0; i < 2; i++) {
            *(double *)payloads[i] = 2.0 * n + i;
        }
        ndring_writer_commit(w);
    }
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    joined(NULL, reader);
}

/* next_word is the commit word that follows what is committed: 0, at the wrap too, or old
 * payload could pose as a frame. */
static uint64_t next_word(ndring_writer *w) {
    return ndr_load(ndr_commit_word(&w->core->seg, ndring_writer_position(w)));
}

/* Batches and runs are ordinary frames: numbers, values and sizes follow each other across
 * wraps, marks and changes of the sort of frame. */
static void read_runs(int wake) {
    ndring_reader_config c;
    uint64_t n = 0, i;
    ndring_reader *r;
    ndring_run run;
    int status;

    reader_config(&c);
    c.wake = (uint32_t)wake;
    r = reader_with(&c);
    while ((status = ndring_reader_next_run(r, &run, 33, PATIENCE_MS)) == NDRING_OK) {
        CHECK(run.count >= 1 && run.count <= 33 && run.first->header.number == n);
        for (i = 0; i < run.count; i++) {
            CHECK(*(const double *)(const void *)(run.payload + i * run.stride) == (double)(n + i));
        }
        n += run.count;
    }
    CHECK(status == NDRING_END && n == 20000);
    ndring_reader_close(r);
}

static void batches(int wake) {
    ndring_writer *w = writer();
    pid_t reader = apart(read_runs, wake);
    uint64_t n = 0, i;
    ndring_batch b;

    while (n < 20000) {
        uint64_t items = n / 700 % 2 ? 5 : 30, most = 1 + n % 50;
        most = most < 20000 - n ? most : 20000 - n;
        CHECK(ndring_writer_claim_batch(w, NDRING_F64, items, most, PATIENCE_MS, &b) == NDRING_OK);
        CHECK(b.count >= 1 && b.count <= most);
        for (i = 0; i < b.count; i++) {
            *(double *)(void *)(b.payload + i * b.stride) = (double)(n + i);
        }
        if (n % 11 == 3) {
            ndring_writer_abort(w);
            publish(w, (double)n, items);
            b.count = 1;
        } else {
            ndring_writer_commit(w);
        }
        CHECK(next_word(w) == 0);
        n += b.count;
    }
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    joined(NULL, reader);
}

/* Frames that fill the ring without a rest end at each of its wraps. */
static void wraps(int unused) {
    ndring_writer_config c;
    ndring_batch b;
    ndring_writer *w;
    uint64_t i;

    (void)unused;
    writer_config(&c);
    c.free_run = 1;
    w = writer_with(&c);
    for (i = 0; i < 5 * RING_BYTES / 64; i++) {
        publish(w, (double)i, 5);
        CHECK(next_word(w) == 0);
    }
    for (i = 0; i < 5 * RING_BYTES / 64; i += b.count) {
        CHECK(ndring_writer_claim_batch(w, NDRING_F64, 5, 7, PATIENCE_MS, &b) == NDRING_OK);
        memset(b.payload, 0xff, (size_t)((b.count - 1) * b.stride + 40));
        ndring_writer_commit(w);
        CHECK(next_word(w) == 0);
    }
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
}

/* A reader that holds the full ring longer than agreed is evicted: the writer goes on, and
 * the reader is told so when it gives back what it held. */
static int told[2];

/* committed_marks counts the marks that may be started from, and sees that each is where a
 * frame begins in its own part of the ring. */
static uint32_t committed_marks(const ndr_segment *s, uint64_t end) {
    uint32_t part = (uint32_t)(s->capacity / NDRING_MARK_COUNT), i, found = 0;

    for (i = 0; i < NDRING_MARK_COUNT; i++) {
        uint64_t mark = ndr_load(&s->words->marks[i]);
        if (ndr_intact(s, mark) && (int64_t)(end - mark) > 0) {
            CHECK((mark & s->mask) / part == i);
            CHECK(ndr_committed(s, mark) == end);
            found++;
        }
    }
    return found;
}

/* The tail stays near and marks are stored however frames alike are written, although
 * most claims look at neither. */
static void marks(int batch) {
    ndring_writer_config c;
    ndring_writer *w;
    ndring_batch b;
    uint64_t laps = 3;

    writer_config(&c);
    c.free_run = 1;
    w = writer_with(&c);
    while (w->core->pos < laps * RING_BYTES) {
        CHECK(ndring_writer_claim_batch(w, NDRING_F64, 5, (uint64_t)batch, 0, &b) == NDRING_OK);
        memset(b.payload, 0xff, 5 * sizeof(double));
        ndring_writer_commit(w);
        CHECK(w->core->pos - ndr_load(&w->core->seg.words->tail) <= RING_BYTES / 4);
        if (w->core->pos >= RING_BYTES) { /* all but those about to be overwritten, and the next one */
            CHECK(committed_marks(&w->core->seg, w->core->pos) >= NDRING_MARK_COUNT - NDRING_MARK_COUNT / NDRING_LIMIT_DIVISOR - 2);
        }
    }
    CHECK(ndring_writer_close(w, 0) == NDRING_OK);
}

static void read_stuck(int wake) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;
    char byte;

    reader_config(&c);
    c.wake = (uint32_t)wake;
    c.evict_ms = 20;
    r = reader_with(&c);
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
    CHECK(read(told[0], &byte, 1) == 1); /* the writer has gone round */
    CHECK(ndring_reader_release(r) == NDRING_ERR_EVICTED && f->payload == NULL);
    CHECK(ndring_reader_next(r, &f, 0) == NDRING_ERR_EVICTED);
    CHECK(ndring_reader_error(r)->status == NDRING_ERR_EVICTED);
    ndring_reader_close(r);
}

static void eviction(int wake) {
    ndring_writer *w = writer();
    pid_t reader;
    int i;

    CHECK(pipe(told) == 0);
    reader = apart(read_stuck, wake);
    for (i = 0; i < 300; i++) {
        publish(w, i, 100);
    }
    CHECK(w->core->seg.words->evictions == 1);
    CHECK(write(told[1], "x", 1) == 1);
    joined(w, reader);
    close(told[0]);
    close(told[1]);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
}

/* An observer that is overtaken gets whole frames, and every gap is told. */
static void observe(int unused) {
    ndring_observer_config c;
    const ndring_frame *f = NULL;
    ndring_observer *o = NULL;
    uint64_t next = 0, i;
    int status, first = 1; /* what came before is not missed: nobody knows the number at which it began */
    ndring_error err;

    (void)unused;
    ndring_observer_defaults(&c);
    c.dir = folder;
    c.wait_ms = PATIENCE_MS;
    CHECK(ndring_observer_open(&o, "live", &c, &err) == NDRING_OK);
    CHECK(write(told[1], "x", 1) == 1);
    while ((status = ndring_observer_next(o, &f, PATIENCE_MS)) == NDRING_OK) {
        CHECK(first || f->header.number == next + f->lost);
        first = 0;
        for (i = 0; i < f->header.payload_bytes / 8; i++) {
            CHECK(((const double *)f->payload)[i] == (double)f->header.number);
        }
        next = f->header.number + 1;
    }
    CHECK(status == NDRING_END);
    ndring_observer_close(o);
}

static void observers(int unused) {
    ndring_writer_config c;
    ndring_writer *w;
    pid_t observer;
    int i;

    (void)unused;
    writer_config(&c);
    c.free_run = 1;
    w = writer_with(&c);
    CHECK(pipe(told) == 0);
    observer = apart(observe, 0);
    while (!ndr_readable(told[0], 0)) {
        ndr_server_turn(&w->server, 1);
    }
    for (i = 0; i < 20000; i++) {
        publish(w, i, 100);
    }
    ndring_writer_finish(w);
    joined(w, observer);
    close(told[0]);
    close(told[1]);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
}

/* A view of a ring whose files are gone and whose writer died stays readable; what was
 * committed is delivered; then the loss is told. */
static void read_lost(int wake) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;
    char path[512];
    int i;

    reader_config(&c);
    c.wake = (uint32_t)wake;
    c.restart_wait_ms = 50;
    r = reader_with(&c);
    for (i = 0; i < 10; i++) {
        CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
        if (i == 0) {
            CHECK(kill(getppid(), SIGKILL) == 0);
            snprintf(path, sizeof path, "%s/live.ring", folder);
            CHECK(unlink(path) == 0);
        }
        CHECK(*(const double *)f->payload == i);
    }
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_ERR_WRITER_LOST);
    CHECK(ndring_reader_next(r, &f, 0) == NDRING_ERR_WRITER_LOST);
    ndring_reader_close(r);
    CHECK(write(told[1], "x", 1) == 1);
}

static void write_and_die(int wake) {
    ndring_writer *w = writer();
    int i;

    for (i = 0; i < 10; i++) {
        publish(w, i, 5);
    }
    (void)apart(read_lost, wake);
    for (;;) {
        ndr_server_turn(&w->server, NDR_SAFETY_MS);
    }
}

static void lost(int wake) {
    char path[512], byte;
    pid_t dead;
    int status;

    CHECK(pipe(told) == 0);
    dead = apart(write_and_die, wake);
    CHECK(waitpid(dead, &status, 0) == dead && WIFSIGNALED(status));
    CHECK(read(told[0], &byte, 1) == 1);
    close(told[0]);
    close(told[1]);
    for (status = 0; status < 3; status++) {
        static const char *const left[] = {"readers", "sock", "lock"};
        snprintf(path, sizeof path, "%s/live.%s", folder, left[status]);
        CHECK(unlink(path) == 0);
    }
}

static void write_three(int unused) {
    ndring_writer *w = writer();
    int i;

    (void)unused;
    for (i = 0; i < 3; i++) {
        publish(w, i, 5);
    }
    for (;;) {
        ndr_server_turn(&w->server, NDR_SAFETY_MS);
    }
}

/* A reader that looks for a writer finds the end in the ring, if one took it up, owed
 * nothing and left between two attempts. */
static void ended_unseen(int wake) {
    pid_t first = apart(write_three, 0);
    ndring_writer_config again;
    const ndring_frame *f = NULL;
    ndring_reader_config c;
    ndring_writer *w;
    ndring_reader *r;
    int i;

    reader_config(&c);
    c.wake = (uint32_t)wake;
    c.restart_wait_ms = 1000;
    r = reader_with(&c);
    for (i = 0; i < 3; i++) {
        CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
    }
    CHECK(kill(first, SIGKILL) == 0 && waitpid(first, NULL, 0) == first);
    CHECK(ndring_reader_next(r, &f, 0) == NDRING_ERR_TIMEOUT);
    writer_config(&again);
    again.grace_ms = 0;
    w = writer_with(&again);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_END);
    CHECK(ndring_reader_next(r, &f, 0) == NDRING_END);
    ndring_reader_close(r);
}

/* What callers do wrong has its own status, and changes nothing. */
static void claims(int unused) {
    uint64_t shape[9] = {2, 3, 1, 1, 1, 1, 1, 1, 1}, wide[2] = {2, 4}, huge[2] = {1 << 20, 3};
    ndring_writer_config c;
    void *payload = NULL;
    ndring_writer *w;

    (void)unused;
    writer_config(&c);
    c.schema_dtype = NDRING_F64;
    c.schema_ndim = 2;
    c.schema_shape[0] = NDRING_ANY_DIM;
    c.schema_shape[1] = 3;
    c.free_run = 1;
    w = writer_with(&c);
    CHECK(ndring_writer_claim(w, NDRING_F32, 2, shape, 0, &payload) == NDRING_ERR_DTYPE);
    CHECK(ndring_writer_claim(w, 0, 2, shape, 0, &payload) == NDRING_ERR_DTYPE);
    CHECK(ndring_writer_claim(w, 999, 2, shape, 0, &payload) == NDRING_ERR_DTYPE);
    CHECK(ndring_writer_claim(w, NDRING_F64, 2, wide, 0, &payload) == NDRING_ERR_SHAPE);
    CHECK(ndring_writer_claim(w, NDRING_F64, 1, shape, 0, &payload) == NDRING_ERR_SHAPE);
    CHECK(ndring_writer_claim(w, NDRING_F64, 9, shape, 0, &payload) == NDRING_ERR_SHAPE);
    CHECK(ndring_writer_claim(w, NDRING_F64, 2, huge, 0, &payload) == NDRING_ERR_FRAME_TOO_LARGE);
    CHECK(ndring_writer_claim(w, NDRING_F64, 2, shape, 0, &payload) == NDRING_OK);
    CHECK(ndring_writer_claim(w, NDRING_F64, 2, shape, 0, &payload) == NDRING_ERR_CLAIM_OPEN);
    ndring_writer_abort(w);
    CHECK(ndring_writer_next_number(w) == 0);
    ndring_writer_finish(w);
    CHECK(ndring_writer_claim(w, NDRING_F64, 2, shape, 0, &payload) == NDRING_ERR_FINISHED);
    CHECK(ndring_writer_close(w, 0) == NDRING_OK);
}

/* What a peer sends just before it hangs up comes before the end. It must send and hang up
 * within one look of the kernel's: without a second look that comes now and then. */
static void say_and_hang_up(int fd) {
    ndr_note note;

    memset(&note, 0, sizeof note);
    CHECK(ndr_send(fd, &note, sizeof note, NULL, 0) == NDR_RECEIVED);
}

static void last_words(int unused) {
    enum { PAIRS = 100, TIMES = 40 };
    int mine[PAIRS], theirs[PAIRS], pair[2], times, i, status;
    uint8_t packet[NDR_PACKET];
    uint64_t *turn = (uint64_t *)mmap(NULL, sizeof *turn, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid, parent = getpid();

    (void)unused;
    CHECK(turn != MAP_FAILED);
    for (times = 0; times < TIMES; times++) {
        for (i = 0; i < PAIRS; i++) {
            CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
            mine[i] = pair[0];
            theirs[i] = pair[1];
        }
        ndr_store(turn, 0);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            CHECK(getppid() == parent); /* or it ended before */
        }
        for (i = 0; i < PAIRS; i++) {
            close(pid == 0 ? mine[i] : theirs[i]);
        }
        for (i = 0; i < PAIRS && pid == 0; i++) {
            while (ndr_load(turn) <= (uint64_t)i) {
                sched_yield();
            }
            say_and_hang_up(theirs[i]);
            close(theirs[i]);
        }
        if (pid == 0) {
            _exit(0);
        }
        for (i = 0; i < PAIRS; i++) {
            enum ndr_received got = NDR_WOULD_BLOCK;
            int rights[4 * NDR_MAX_RIGHTS];
            unsigned count, looks;
            size_t n = 0;
            ndr_store(turn, (uint64_t)i + 1);
            for (looks = 1; got == NDR_WOULD_BLOCK; looks++) {
                if (looks % 1000 == 0) {
                    sched_yield();
                }
                got = times % 2 ? ndr_receive(mine[i], packet, &n) : ndr_receive_rights(mine[i], packet, &n, rights, &count);
            }
            CHECK(got == NDR_RECEIVED && n == sizeof(ndr_note));
            close(mine[i]);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    CHECK(munmap(turn, sizeof *turn) == 0);
}

/* A ring that drops counts every frame of a group that found no room. */
static void dropping(int unused) {
    ndring_writer_config c;
    ndring_header heads[3];
    void *payloads[3];
    const double value = 1;
    const uint64_t items = 1;
    ndring_writer *w;
    int i, status = NDRING_OK;

    (void)unused;
    writer_config(&c);
    c.policy = NDRING_POLICY_DROP_NEWEST;
    w = writer_with(&c); /* which keeps its frames for a first reader */
    for (i = 0; status == NDRING_OK; i++) {
        CHECK(i <= RING_BYTES / 64);
        status = ndring_writer_publish(w, NDRING_F64, 1, &items, &value, 0);
    }
    CHECK(status == NDRING_ERR_DROPPED && ndr_load(&w->core->seg.words->dropped) == 1);
    memset(heads, 0, sizeof heads);
    for (i = 0; i < 3; i++) {
        heads[i].dtype = NDRING_F64;
        heads[i].ndim = 1;
        heads[i].shape[0] = 100;
    }
    CHECK(ndring_writer_claim_group(w, heads, 3, 0, payloads) == NDRING_ERR_DROPPED);
    CHECK(ndr_load(&w->core->seg.words->dropped) == 4);
    CHECK(ndring_writer_close(w, 0) == NDRING_ERR_TIMEOUT);
}

static int opened(const ndring_reader_config *c, const char *name) {
    ndring_reader *r = NULL;
    int status = ndring_reader_open(&r, name, c, NULL);

    ndring_reader_close(r);
    return status;
}

static void attach_wrongly(int unused) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;
    const void *values;
    uint64_t count;

    (void)unused;
    reader_config(&c);
    c.start = NDRING_START_POSITION;
    c.position = 640;
    CHECK(opened(&c, "live") == NDRING_ERR_NO_POSITION);
    c.start = NDRING_START_OLDEST;
    c.name = "one";
    r = reader_with(&c);
    CHECK(opened(&c, "live") == NDRING_ERR_NAME_IN_USE);
    c.name = NULL;
    CHECK(opened(&c, "live") == NDRING_ERR_TABLE_FULL);
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
    CHECK(ndring_frame_values(f, NDRING_F32, &values, &count) == NDRING_ERR_DTYPE);
    CHECK(ndring_frame_values(f, NDRING_F64, &values, &count) == NDRING_OK && count == 5);
    CHECK(ndring_reader_release(r) == NDRING_OK);
    CHECK(ndring_frame_values(f, NDRING_F64, &values, &count) == NDRING_ERR_RELEASED);
    CHECK(ndring_reader_next(r, &f, 0) == NDRING_ERR_TIMEOUT);
    ndring_reader_close(r);
    c.wait_ms = 0;
    CHECK(opened(&c, "nobody") == NDRING_ERR_NO_RING);
    CHECK(opened(&c, ".x") == NDRING_ERR_NAME && opened(&c, "") == NDRING_ERR_NAME);
}

static void attaching(int unused) {
    ndring_writer_config c;
    ndring_writer *w, *second = NULL;
    pid_t reader;

    (void)unused;
    writer_config(&c);
    c.slots = 1;
    c.free_run = 1;
    w = writer_with(&c);
    publish(w, 1, 5);
    CHECK(ndring_writer_open(&second, "live", &c, NULL) == NDRING_ERR_WRITER_ALIVE && second == NULL);
    reader = apart(attach_wrongly, 0);
    joined(w, reader);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
}

/* A directory that others can write to, and a pipe in the place of the segment, are
 * refused, and neither is waited for. */
static void files(int unused) {
    ndring_writer_config wc;
    ndring_reader_config rc;
    ndring_writer *w = NULL;
    char path[512];

    (void)unused;
    writer_config(&wc);
    reader_config(&rc);
    rc.wait_ms = 0;
    CHECK(chmod(folder, 0777) == 0);
    CHECK(ndring_writer_open(&w, "live", &wc, NULL) == NDRING_ERR_DIR);
    CHECK(opened(&rc, "live") == NDRING_ERR_DIR);
    CHECK(chmod(folder, 0700) == 0);
    snprintf(path, sizeof path, "%s/live.ring", folder);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK(ndring_writer_open(&w, "live", &wc, NULL) == NDRING_ERR_FILE);
    CHECK(unlink(path) == 0);
}

/* A frame described as nothing is described takes no short cut. */
static void read_hostile(int unused) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;

    (void)unused;
    reader_config(&c);
    r = reader_with(&c);
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_ERR_CORRUPT);
    CHECK(ndring_reader_next(r, &f, 0) == NDRING_ERR_CORRUPT);
    ndring_reader_close(r);
}

static void hostile(int unused) {
    ndring_writer *w = writer();
    uint64_t *word = ndr_commit_word(&w->core->seg, 0);
    pid_t reader;

    (void)unused;
    word[NDRING_FR_DESCRIBE / 8] = NDR_NOT_ALIKE;
    word[0] = NDRING_KIND_DATA;
    reader = apart(read_hostile, 0);
    joined(w, reader);
    word[0] = 0;
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
}

/* The end of a ring waits for the goodbye of readers with a name that asked to be kept. What
 * they have done is counted in memory that all processes share. */
enum { HOUR_MS = 3600000 };

typedef struct progress {
    uint64_t attached, released, back;
} progress;

static progress *done;

static void share_progress(void) {
    void *memory = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED);
    done = (progress *)memory;
}

static void unshare_progress(void) { CHECK(munmap(done, sizeof *done) == 0); }

static ndring_reader *kept_reader(int wake, const char *name, uint32_t keep_ms, uint32_t evict_ms) {
    ndring_reader_config c;

    reader_config(&c);
    c.wake = (uint32_t)wake;
    c.name = name;
    c.keep_ms = keep_ms;
    c.evict_ms = evict_ms;
    return reader_with(&c);
}

/* read_and_die reads to the end of the ring and dies before it says goodbye. */
static void read_and_die(int wake) {
    ndring_reader *r = kept_reader(wake, "kept", HOUR_MS, 0);
    const ndring_frame *f = NULL;

    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_END);
    (void)kill(getpid(), SIGKILL);
}

static void die_and_return(int wake) {
    pid_t first = apart(read_and_die, wake);
    const ndring_frame *f = NULL;
    ndring_reader *r;
    int status = 0;

    CHECK(waitpid(first, &status, 0) == first && WIFSIGNALED(status));
    r = kept_reader(wake, "kept", HOUR_MS, 0);
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_END);
    ndr_store(&done->back, 1);
    ndring_reader_close(r);
}

static void nothing(int signal) { (void)signal; }

/* signals makes the calls that wait return early, again and again, or no more. */
static void signals(int each_us) {
    struct sigaction action;
    struct itimerval t;

    memset(&action, 0, sizeof action);
    memset(&t, 0, sizeof t);
    action.sa_handler = nothing;
    t.it_value.tv_usec = t.it_interval.tv_usec = each_us;
    if (each_us > 0) {
        CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    }
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

/* The writer waits for a reader that died before it said goodbye, while signals come. */
static void goodbye(int wake) {
    ndring_writer *w;
    pid_t reader;

    share_progress();
    w = writer();
    reader = apart(die_and_return, wake);
    publish(w, 1, 5);
    signals(500);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    signals(0);
    CHECK(ndr_load(&done->back) == 1);
    joined(NULL, reader);
    unshare_progress();
}

/* Readers that say nothing once they have released the frame, and how long they are waited
 * for: each kind stays until it is told to go. */
enum silent { KEPT_FOR_LONG, KEPT_FOR_A_MOMENT, UNNAMED, NOT_KEPT, EVICTED, DEAD_AND_KEPT_FOR_A_MOMENT, SILENT };

static void stay_silent(int kind) {
    static const struct {
        const char *name;
        uint32_t keep_ms, evict_ms;
    } readers[SILENT] = {{"kept", HOUR_MS, 0}, {"kept", 20, 0}, {NULL, HOUR_MS, 0}, {"kept", 0, 0}, {"kept", HOUR_MS, 20}, {"kept", 20, 0}};
    ndring_reader *r = kept_reader(NDRING_WAKE_STREAM, readers[kind].name, readers[kind].keep_ms, readers[kind].evict_ms);
    const ndring_frame *f = NULL;
    char byte;

    close(told[1]); /* so that a test that fails lets it go */
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
    if (kind != EVICTED) {
        CHECK(ndring_reader_release(r) == NDRING_OK);
        ndr_reader_say_released(r);
    }
    ndr_store(&done->released, 1);
    CHECK(kind != DEAD_AND_KEPT_FOR_A_MOMENT || kill(getpid(), SIGKILL) == 0);
    CHECK(read(told[0], &byte, 1) == 1); /* the ring is gone */
    ndring_reader_close(r);
}

static void silent_readers(int kind) {
    ndring_writer_config c;
    int i, timeout, want = NDRING_OK, status = 0;
    ndring_writer *w;
    pid_t reader;

    share_progress();
    writer_config(&c);
    c.free_run = kind == KEPT_FOR_A_MOMENT; /* it makes no difference to a reader that came */
    w = writer_with(&c);
    CHECK(pipe(told) == 0);
    reader = apart(stay_silent, kind);
    while (!w->core->saw_reader) {
        ndr_server_turn(&w->server, 1);
    }
    publish(w, 1, 5);
    while (ndr_load(&done->released) == 0) {
        ndr_server_turn(&w->server, 1);
    }
    for (i = 0; kind == EVICTED && i < 300; i++) {
        publish(w, i, 100);
    }
    while (kind == DEAD_AND_KEPT_FOR_A_MOMENT && w->core->readers[0].state == NDRING_SLOT_ACTIVE) {
        ndr_server_turn(&w->server, 1);
    }
    timeout = kind == KEPT_FOR_LONG ? 50 : PATIENCE_MS;
    want = kind == KEPT_FOR_LONG ? NDRING_ERR_TIMEOUT : NDRING_OK;
    CHECK(ndring_writer_close(w, timeout) == want);
    CHECK(waitpid(reader, &status, WNOHANG) == (kind == DEAD_AND_KEPT_FOR_A_MOMENT ? reader : 0));
    if (kind != DEAD_AND_KEPT_FOR_A_MOMENT) {
        CHECK(write(told[1], "x", 1) == 1);
        joined(NULL, reader);
    }
    close(told[0]);
    close(told[1]);
    unshare_progress();
}

/* A close that may not wait says who was not done, and says nothing where nobody is owed. */
static void close_at_once(int with_reader) {
    ndring_writer_config c;
    ndring_writer *w;
    pid_t reader = 0;

    writer_config(&c);
    c.free_run = 1;
    share_progress();
    CHECK(pipe(told) == 0);
    w = writer_with(&c);
    if (with_reader) {
        reader = apart(stay_silent, KEPT_FOR_LONG);
        while (!w->core->saw_reader) {
            ndr_server_turn(&w->server, 1);
        }
        publish(w, 1, 5);
        while (ndr_load(&done->released) == 0) {
            ndr_server_turn(&w->server, 1);
        }
    }
    CHECK(ndring_writer_close(w, 0) == (with_reader ? NDRING_ERR_TIMEOUT : NDRING_OK));
    if (with_reader) {
        CHECK(write(told[1], "x", 1) == 1);
        joined(NULL, reader);
    }
    close(told[0]);
    close(told[1]);
    unshare_progress();
}

/* A reader that sees the end in memory, and says goodbye, before it is told of it by a
 * message has said it all the same: that message finds the connection broken. */
static void read_kept(int wake) {
    ndring_reader *r = kept_reader(wake, "kept", HOUR_MS, 0);
    const ndring_frame *f = NULL;

    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_END);
    ndring_reader_close(r);
}

static void early_goodbye(int wake) {
    ndring_writer *w = writer();
    ndr_core *core = w->core;
    pid_t reader;
    int status = -1;

    reader = apart(read_kept, wake);
    publish(w, 1, 5);
    while (!core->saw_reader || ndr_load(&ndr_core_slot(core, 0)->cursor) != core->pos) {
        ndr_server_turn(&w->server, 1);
    }
    ndr_store_seq(&core->seg.words->final_word, core->pos | 1);
    ndr_wake_readers(core);
    CHECK(waitpid(reader, &status, 0) == reader && status == 0);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
}

int main(int argc, char **argv) {
    static const live_case cases[] = {
        {"groups, park", groups, NDRING_WAKE_PARK},       {"groups, stream", groups, NDRING_WAKE_STREAM},
        {"batches, park", batches, NDRING_WAKE_PARK},     {"batches, stream", batches, NDRING_WAKE_STREAM},
        {"wraps", wraps, 0},                              {"marks, one by one", marks, 1},
        {"marks, batches", marks, 64},
        {"eviction, park", eviction, NDRING_WAKE_PARK},   {"eviction, stream", eviction, NDRING_WAKE_STREAM},
        {"observers", observers, 0},                      {"writer lost, park", lost, NDRING_WAKE_PARK},
        {"ended unseen, park", ended_unseen, NDRING_WAKE_PARK}, {"ended unseen, stream", ended_unseen, NDRING_WAKE_STREAM},
        {"writer lost, stream", lost, NDRING_WAKE_STREAM}, {"claims", claims, 0},
        {"dropping", dropping, 0},                        {"last words", last_words, 0},
        {"attaching", attaching, 0},                      {"files", files, 0},
        {"hostile description", hostile, 0},
        {"goodbye, park", goodbye, NDRING_WAKE_PARK},     {"goodbye, stream", goodbye, NDRING_WAKE_STREAM},
        {"early goodbye", early_goodbye, NDRING_WAKE_PARK},
        {"silent, kept for long", silent_readers, KEPT_FOR_LONG},
        {"silent, kept for a moment", silent_readers, KEPT_FOR_A_MOMENT},
        {"silent, unnamed", silent_readers, UNNAMED},     {"silent, not kept", silent_readers, NOT_KEPT},
        {"silent, evicted", silent_readers, EVICTED},     {"dead, kept for a moment", silent_readers, DEAD_AND_KEPT_FOR_A_MOMENT},
        {"close at once", close_at_once, 0},              {"close at once on a reader", close_at_once, 1},
    };

    return run_cases(argc, argv, cases, sizeof cases / sizeof *cases);
}
