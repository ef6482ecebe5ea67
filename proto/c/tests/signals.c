/* signals DIR: what a program meets whose handler of a signal, without SA_RESTART, runs
 * every millisecond in all of its processes: nothing is lost, no wait ends early, no call
 * says EINTR, and a peer that is gone raises no SIGPIPE. */
#include "processes.h"

#include <sys/time.h>

enum { FRAMES = 3000, WAIT_MS = 60 };

static volatile sig_atomic_t beats;

static void beat(int number) {
    (void)number;
    beats = beats + 1;
}

/* beat_every has the handler run every so often, 0 meaning never, in this process alone. */
static void beat_every(int microseconds) {
    struct itimerval each;

    memset(&each, 0, sizeof each);
    each.it_interval.tv_usec = each.it_value.tv_usec = microseconds;
    CHECK(setitimer(ITIMER_REAL, &each, NULL) == 0);
}

static void drum(void) {
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = beat;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    beat_every(1000);
}

/* rest lets so many beats pass. */
static void rest(int count) {
    sig_atomic_t until = beats + count;

    while (beats < until) {
        (void)poll(NULL, 0, 1);
    }
}

/* waited reports whether a wait that began then lasted as long as it was to. */
static int waited(int64_t begun) { return ndr_now_ms() - begun >= WAIT_MS; }

/* Every wait that runs out of time takes all of it. */
static void observe_nothing(int unused) {
    ndring_observer_config c;
    const ndring_frame *f = NULL;
    ndring_observer *o = NULL;
    int64_t begun;

    (void)unused;
    drum();
    ndring_observer_defaults(&c);
    c.dir = folder;
    CHECK(ndring_observer_open(&o, "live", &c, NULL) == NDRING_OK);
    begun = ndr_now_ms();
    CHECK(ndring_observer_next(o, &f, WAIT_MS) == NDRING_ERR_TIMEOUT && waited(begun));
    ndring_observer_close(o);
}

static void read_nothing(int wake) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;
    int64_t begun;

    drum();
    reader_config(&c);
    c.wake = (uint32_t)wake;
    r = reader_with(&c);
    begun = ndr_now_ms();
    CHECK(ndring_reader_next(r, &f, WAIT_MS) == NDRING_ERR_TIMEOUT && waited(begun));
    ndring_reader_close(r);
}

static void timeouts(int wake) {
    ndring_reader_config c;
    ndring_reader *none = NULL;
    ndring_writer *w;
    uint64_t items = 1000;
    void *payload = NULL;
    int64_t begun;
    int status, pair[2];

    drum();
    CHECK(pipe(pair) == 0);
    begun = ndr_now_ms();
    CHECK(!ndr_readable(pair[0], WAIT_MS) && waited(begun));
    close(pair[0]);
    close(pair[1]);
    w = writer();
    joined(w, apart(read_nothing, wake));
    joined(w, apart(observe_nothing, 0));
    CHECK(ndring_writer_close(w, 0) == NDRING_OK);
    reader_config(&c);
    c.wait_ms = WAIT_MS;
    begun = ndr_now_ms();
    CHECK(ndring_reader_open(&none, "live", &c, NULL) == NDRING_ERR_NO_RING && waited(begun));
    w = writer(); /* which keeps its frames for a first reader */
    do {
        begun = ndr_now_ms();
        status = ndring_writer_claim(w, NDRING_F64, 1, &items, WAIT_MS, &payload);
        ndring_writer_commit(w);
    } while (status == NDRING_OK);
    CHECK(status == NDRING_ERR_TIMEOUT && waited(begun));
    begun = ndr_now_ms();
    CHECK(ndring_writer_close(w, WAIT_MS) == NDRING_ERR_TIMEOUT && waited(begun));
}

/* A signal that ends a reader's sleep is no rescue of a wake-up that was lost. */
static void read_unrung(int unused) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;

    (void)unused;
    drum();
    reader_config(&c);
    r = reader_with(&c);
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK && ndring_reader_rescues(r) == 0);
    ndring_reader_close(r);
}

static void unrung(int unused) {
    ndring_writer *w = writer();
    pid_t reader = apart(read_unrung, 0);
    uint64_t *word = ndr_commit_word(&w->core->seg, 0);

    (void)unused;
    while (ndr_load(&ndr_core_table(w->core)->readers_parked) == 0) {
        ndr_server_turn(&w->server, 1);
    }
    word[NDRING_FR_DESCRIBE / 8] = ndr_describe(8, NDRING_F64, 1, 0);
    ndr_store(word, NDRING_KIND_DATA); /* nobody rings */
    joined(w, reader);
    ndr_store(word, 0);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
}

/* Readers and writers that wait for each other lose nothing. */
static void read_all(int wake) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    ndring_reader *r;
    uint64_t n;

    drum();
    reader_config(&c);
    c.wake = (uint32_t)wake;
    c.restart_wait_ms = NDRING_FOREVER;
    c.spin_ns = 0;
    r = reader_with(&c);
    for (n = 0; n < FRAMES; n++) {
        CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_OK);
        CHECK(f->header.number == n && *(const double *)f->payload == (double)n);
        if (n % 300 == 150) {
            rest(10); /* the writer waits for room */
        }
    }
    CHECK(ndring_reader_next(r, &f, PATIENCE_MS) == NDRING_END && ndring_reader_rescues(r) == 0);
    ndring_reader_close(r);
}

/* write_up_to publishes up to a number; now and then readers wait for it. */
static void write_up_to(ndring_writer *w, uint64_t end) {
    uint64_t n;

    for (n = ndring_writer_next_number(w); n < end; n++) {
        publish(w, (double)n, 100);
        if (n % 300 == 0) {
            rest(10);
        }
    }
}

static void flow(int wake) {
    ndring_writer_config c;
    pid_t reader = apart(read_all, wake);
    ndring_writer *w;

    drum();
    writer_config(&c);
    c.spin_ns = 0;
    w = writer_with(&c);
    write_up_to(w, FRAMES);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    joined(NULL, reader);
}

/* So do readers that look for the writer that took the ring of a dead one up. */
static void write_half(int unused) {
    uint64_t items = 100;
    void *payload = NULL;
    ndring_writer *w;

    (void)unused;
    drum();
    w = writer();
    write_up_to(w, FRAMES / 2);
    CHECK(ndring_writer_claim(w, NDRING_F64, 1, &items, PATIENCE_MS, &payload) == NDRING_OK);
    memset(payload, 0xff, 100);
    CHECK(kill(getpid(), SIGKILL) == 0);
}

static void restart(int wake) {
    pid_t reader, dead;
    ndring_writer *w;
    int status;

    beat_every(0); /* until the one that dies has died */
    reader = apart(read_all, wake);
    dead = apart(write_half, 0);
    CHECK(waitpid(dead, &status, 0) == dead && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    drum();
    rest(20);
    w = writer();
    CHECK(ndring_writer_next_number(w) == FRAMES / 2 && ndring_writer_epoch(w) == 2);
    write_up_to(w, FRAMES);
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    joined(NULL, reader);
}

/* A reader that is gone without a word raises no SIGPIPE when it is told of a frame. */
static int told[2], go[2];

static void read_one(int unused) {
    ndring_reader_config c;
    const ndring_frame *f = NULL;
    char byte;

    (void)unused;
    reader_config(&c);
    c.wake = NDRING_WAKE_STREAM;
    CHECK(ndring_reader_next(reader_with(&c), &f, PATIENCE_MS) == NDRING_OK);
    CHECK(write(told[1], "x", 1) == 1);
    CHECK(read(go[0], &byte, 1) == 1);
    _exit(0);
}

static void hang_up(int unused) {
    ndring_writer_config c;
    ndring_writer *w;
    pid_t reader;
    int i;

    (void)unused;
    drum();
    CHECK(pipe(told) == 0 && pipe(go) == 0);
    writer_config(&c);
    c.free_run = 1;
    w = writer_with(&c);
    publish(w, 1, 5);
    reader = apart(read_one, 0);
    while (!ndr_readable(told[0], 0)) {
        ndr_server_turn(&w->server, 1);
    }
    CHECK(write(go[1], "x", 1) == 1);
    joined(NULL, reader); /* meanwhile the ring is not served */
    CHECK(w->server.streams == 1);
    for (i = 0; i < 3000; i++) {
        publish(w, i, 5);
    }
    CHECK(ndring_writer_close(w, PATIENCE_MS) == NDRING_OK);
    for (i = 0; i < 2; i++) {
        close(told[i]);
        close(go[i]);
    }
}

int main(int argc, char **argv) {
    static const live_case cases[] = {
        {"timeouts, park", timeouts, NDRING_WAKE_PARK}, {"timeouts, stream", timeouts, NDRING_WAKE_STREAM},
        {"a sleep that a signal ends", unrung, 0},      {"flow, park", flow, NDRING_WAKE_PARK},
        {"flow, stream", flow, NDRING_WAKE_STREAM},     {"restart, park", restart, NDRING_WAKE_PARK},
        {"restart, stream", restart, NDRING_WAKE_STREAM}, {"hang-up", hang_up, 0},
    };

    return run_cases(argc, argv, cases, sizeof cases / sizeof *cases);
}
