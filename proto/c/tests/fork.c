/* fork DIR: what a process that was forked off does with its parent's readers, observers
 * and writers: every call fails, closing frees its share, and neither the parent nor the
 * ring notices. */
#include "processes.h"

static int said[2], go[2];

static void pipes(void) { CHECK(pipe(said) == 0 && pipe(go) == 0); }

static void close_pipes(void) {
    int i;

    for (i = 0; i < 2; i++) {
        close(said[i]);
        close(go[i]);
    }
}

/* say and heard pass a moment on from one process to another. */
static void say(const int *way) { CHECK(write(way[1], "x", 1) == 1); }

static void heard(const int *way) {
    char byte = 0;

    CHECK(ndr_readable(way[0], PATIENCE_MS) && read(way[0], &byte, 1) == 1);
}

/* descriptors counts what this process has open. */
static int descriptors(void) {
    int fd, n = 0;

    for (fd = 0; fd < 1024; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

/* A child of a reader reads and releases nothing, not even what is leased, and its closing
 * does not say goodbye. */
static void misuse_reader(ndring_reader *r, const ndring_frame *held, int before) {
    const ndring_frame *f = NULL;
    ndring_run run;

    CHECK(held == NULL || *(const double *)held->payload == 0); /* a view of the ring is its to look at */
    CHECK(ndring_reader_release(r) == NDRING_OK);
    CHECK(ndring_reader_next(r, &f, 0) == NDRING_ERR_CLOSED && f == NULL);
    CHECK(ndring_reader_next_run(r, &run, 10, 0) == NDRING_ERR_CLOSED);
    CHECK(ndring_reader_error(r)->status == NDRING_ERR_CLOSED);
    ndring_reader_close(r);
    CHECK(descriptors() == before);
}

static void read_and_fork(int wake) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;
    int i, before = descriptors(), status;
    pid_t child;

    reader_config(&c);
    c.wake = (uint32_t)wake;
    r = reader_with(&c);
    (void)ndring_reader_fd(r);
    child = fork();
    if (child == 0) {
        misuse_reader(r, NULL, before);
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    for (i = 0; i < 2000; i++) {
        CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
        CHECK(f->header.number == (uint64_t)i && *(const double *)f->payload == i);
        if (i == 0 || i == 1000) {
            child = fork();
            if (child == 0) {
                if (i == 0) {
                    misuse_reader(r, f, before);
                }
                exit(0); /* with the reader open, the second time */
            }
            CHECK(waitpid(child, &status, 0) == child && status == 0);
        }
    }
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_END);
    ndring_reader_close(r);
    CHECK(descriptors() == before);
}

static void readers(int wake) {
    ndring_writer *w = writer();
    pid_t reader = apart(read_and_fork, wake);
    int i;

    for (i = 0; i < 2000; i++) {
        publish(w, i, i % 3 == 0 ? 5 : 100);
    }
    ndring_writer_finish(w);
    joined(w, reader);
    CHECK(ndr_load(&w->core->seg.words->evictions) == 0);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
}

static void observe_and_fork(int unused) {
    ndring_observer_config c;
    const ndring_frame *f = NULL;
    ndring_observer *o = NULL;
    int before = descriptors(), status;
    pid_t child;

    (void)unused;
    ndring_observer_defaults(&c);
    c.dir = folder;
    c.wait_ms = PATIENCE_MS;
    CHECK(ndring_observer_open(&o, "live", &c, NULL) == NDRING_OK);
    CHECK(ndring_observer_next(o, &f, PATIENCE_MS) == NDRING_OK && f->header.number == 0);
    child = fork();
    if (child == 0) {
        CHECK(ndring_observer_next(o, &f, 0) == NDRING_ERR_CLOSED);
        CHECK(ndring_observer_error(o)->status == NDRING_ERR_CLOSED);
        ndring_observer_close(o);
        CHECK(descriptors() == before);
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    say(said);
    heard(go);
    CHECK(ndring_observer_next(o, &f, PATIENCE_MS) == NDRING_OK && f->header.number == 1);
    CHECK(ndring_observer_next(o, &f, PATIENCE_MS) == NDRING_END);
    ndring_observer_close(o);
}

static void observers(int unused) {
    ndring_writer_config c;
    ndring_writer *w;
    pid_t observer;

    (void)unused;
    pipes();
    writer_config(&c);
    c.free_run = 1;
    w = writer_with(&c);
    publish(w, 0, 5);
    observer = apart(observe_and_fork, 0);
    while (!ndr_readable(said[0], 0)) {
        ndr_server_turn(&w->server, 1);
    }
    ndr_server_turn(&w->server, 0);
    CHECK(w->server.streams == 1); /* nobody has said goodbye */
    say(go);
    publish(w, 1, 5);
    ndring_writer_finish(w);
    joined(w, observer);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    close_pipes();
}

/* A child of a writer claims and commits nothing, not even what is claimed, lets nobody in,
 * and neither its closing nor its end takes the ring away. */
static void misuse_writer(ndring_writer *w, int before) {
    uint64_t items = 5, shape[2] = {2, 3}, at = ndring_writer_position(w);
    double values[6] = {9, 9, 9, 9, 9, 9};
    ndring_batch batch;
    void *payload = NULL;

    w->served_ns = ndr_now_ns(CLOCK_MONOTONIC); /* no look at the control plane is due */
    ndring_writer_commit(w); /* of what the parent has claimed */
    ndring_writer_abort(w);
    CHECK(ndring_writer_claim(w, NDRING_F64, 1, &items, 0, &payload) == NDRING_ERR_CLOSED);
    CHECK(ndring_writer_claim(w, NDRING_F64, 2, shape, 0, &payload) == NDRING_ERR_CLOSED);
    CHECK(ndring_writer_claim_batch(w, NDRING_F64, 5, 10, 0, &batch) == NDRING_ERR_CLOSED);
    CHECK(ndring_writer_publish(w, NDRING_F64, 1, &items, values, 0) == NDRING_ERR_CLOSED);
    CHECK(ndring_writer_error(w)->status == NDRING_ERR_CLOSED);
    ndring_writer_commit(w);
    ndring_writer_service(w);
    ndring_writer_finish(w);
    CHECK(ndring_writer_position(w) == at && ndr_load(ndr_commit_word(&w->core->seg, at)) == 0);
    CHECK(ndr_load(&w->core->seg.words->final_word) == 0);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    CHECK(descriptors() == before);
}

static void read_twice(int wake) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;
    int i;

    reader_config(&c);
    c.wake = (uint32_t)wake;
    r = reader_with(&c);
    for (i = 0; i < 40; i++) {
        CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
        CHECK(f->header.number == (uint64_t)i && *(const double *)f->payload == i);
        if (i == 0) {
            say(said);
        }
    }
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_END);
    ndring_reader_close(r);
}

static void writers(int wake) {
    int before, i, status;
    uint64_t items = 5;
    void *payload = NULL;
    ndring_writer *w;
    pid_t child, first, second;

    pipes();
    before = descriptors();
    w = writer();
    for (i = 0; i < 20; i++) {
        publish(w, i, 5);
    }
    first = apart(read_twice, wake);
    while (!ndr_readable(said[0], 0)) {
        ndr_server_turn(&w->server, 1);
    }
    for (i = 0; i < 2; i++) {
        CHECK(ndring_writer_claim(w, NDRING_F64, 1, &items, PATIENCE_MS, &payload) == NDRING_OK);
        child = fork();
        if (child == 0) {
            if (i == 0) {
                misuse_writer(w, before);
            } else {
                ndring_writer_finish(w);
            }
            exit(0); /* with the writer open, the second time */
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        ndring_writer_abort(w);
    }
    second = apart(read_twice, wake); /* the socket is there, and served */
    for (i = 20; i < 40; i++) {
        publish(w, i, 5);
    }
    ndring_writer_finish(w);
    joined(w, second);
    joined(w, first);
    CHECK(ndr_load(&w->core->seg.words->evictions) == 0);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    CHECK(descriptors() == before);
    close_pipes();
}

/* A writer that is killed leaves its ring to the next one although a child of it lives on,
 * if that has closed the writer; one that has not holds the lock. */
static void write_and_leave_child(int closes) {
    ndring_writer *w = writer();
    pid_t parent = getpid();

    publish(w, 1, 5);
    if (fork() == 0) {
        if (closes) {
            CHECK(ndring_writer_close(w, 0) == NDRING_OK);
        }
        CHECK(kill(parent, SIGKILL) == 0);
        say(said);
        heard(go);
        _exit(0); /* an exit would have a sanitizer look for what the parent has */
    }
    for (;;) {
        pause();
    }
}

static void inheritance(int closes) {
    ndring_writer_config c;
    ndring_writer *w = NULL;
    pid_t dead;
    int status;

    pipes();
    dead = apart(write_and_leave_child, closes);
    heard(said);
    CHECK(waitpid(dead, &status, 0) == dead && WIFSIGNALED(status));
    writer_config(&c);
    c.free_run = 1;
    CHECK(ndring_writer_open(&w, "live", &c, NULL) == (closes ? NDRING_OK : NDRING_ERR_WRITER_ALIVE));
    say(go);
    while (w == NULL) { /* until the child has ended */
        (void)ndring_writer_open(&w, "live", &c, NULL);
    }
    CHECK(ndring_writer_next_number(w) == 1 && ndring_writer_epoch(w) == 2);
    CHECK(ndring_writer_close(w, 0) == NDRING_OK);
    close_pipes();
}

int main(int argc, char **argv) {
    static const live_case cases[] = {
        {"a reader's child, park", readers, NDRING_WAKE_PARK},
        {"a reader's child, stream", readers, NDRING_WAKE_STREAM},
        {"an observer's child", observers, 0},
        {"a writer's child, park", writers, NDRING_WAKE_PARK},
        {"a writer's child, stream", writers, NDRING_WAKE_STREAM},
        {"an heir beside a child that closed", inheritance, 1},
        {"an heir beside a child that did not", inheritance, 0},
    };

    return run_cases(argc, argv, cases, sizeof cases / sizeof *cases);
}
