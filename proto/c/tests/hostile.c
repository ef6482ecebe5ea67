/* hostile DIR: readers, observers and a writer meet memory and messages that no peer of
 * theirs makes: bits flipped and words replaced at random in rings that were good, at
 * positions near 0, 2^63 and 2^64. Whatever comes of it is a status; nothing outside the
 * ring is touched, and every walk ends. NDRING_SEED repeats a run. */
#include "image.h"

enum { ROUNDS = 1500, CALLS = 4000, HELLOS = 1500 };

static image ring;

/* Walks over a damaged ring end, and stay in it. */
static void walk(void) {
    uint64_t end = 0, number = 0, tail = ndr_shared_tail(&ring.segment);

    (void)ndr_tail(&ring.segment);
    (void)ndr_committed(&ring.segment, some_position(&ring));
    (void)ndr_boundary(&ring.segment, some_position(&ring), tail);
    (void)ndr_meets(&ring.segment, some_position(&ring), some_position(&ring), tail);
    if (ndr_recover(&ring.segment, &end, &number, NULL) == NDRING_OK) {
        CHECK(end % NDRING_LINE_BYTES == 0);
    }
}

/* touch reads every byte of a frame: what lies outside the ring, the sanitizer tells. */
static void touch(const ndring_frame *f) {
    const uint8_t *bytes = (const uint8_t *)f->payload;
    static volatile uint8_t sum;
    uint64_t i;

    CHECK(f->header.payload_bytes <= ring.segment.limit && f->header.ndim <= NDRING_MAX_DIMS);
    for (i = 0; i < f->header.payload_bytes; i++) {
        sum = (uint8_t)((sum + bytes[i]) & 0xff);
    }
}

/* say_anything sends the client what a writer might say, or might not. */
static void say_anything(int fd) {
    ndr_note note;

    ndr_note_encode(&note, pick(2) ? NDRING_MSG_PUBLISHED : (uint32_t)pick(16), (uint32_t)pick(8), some_position(&ring));
    (void)ndr_send(fd, &note, pick(16) ? sizeof note : 1 + (size_t)pick(sizeof note), NULL, 0);
}

/* session makes a connection whose other end is theirs and whose ring is the image. */
static void session(ndr_session *s, uint64_t start, int *theirs) {
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    ndr_session_clear(s);
    s->socket = pair[0];
    *theirs = pair[1];
    s->segment = ring.segment;
    s->segment.id = (ndr_identity *)malloc(sizeof *s->segment.id);
    CHECK(s->segment.id != NULL);
    memcpy(s->segment.id, ring.segment.id, sizeof *s->segment.id);
    s->segment.mem = NULL; /* not the session's to unmap */
    s->welcome.epoch = 1;
    s->welcome.start = s->welcome.tail = s->published = start;
}

static void observe(void) {
    ndring_observer *o = (ndring_observer *)ndr_owned_new(offsetof(ndring_observer, owner), sizeof *o);
    const ndring_frame *f = NULL;
    int theirs, calls;

    CHECK(o != NULL);
    o->ours = 1;
    o->owner = getpid();
    snprintf(o->ring, sizeof o->ring, "nobody");
    o->dir = strdup(folder);
    session(&o->session, ring.first, &theirs);
    o->pos = pick(2) ? ring.first : some_position(&ring);
    for (calls = 0; calls < CALLS && ndring_observer_next(o, &f, 0) == NDRING_OK; calls++) {
        touch(f);
        if (calls % 16 == 0) {
            say_anything(theirs);
        }
    }
    CHECK(calls < CALLS);
    close(theirs);
    ndring_observer_close(o);
}

static int take_some(ndring_reader *r) {
    const ndring_frame *f = NULL;
    ndring_run run;
    uint64_t i;
    int status;

    if (pick(2)) {
        status = ndring_reader_next(r, &f, 0);
        if (status == NDRING_OK) {
            touch(f);
        }
        return status;
    }
    status = ndring_reader_next_run(r, &run, 1 + pick(40), 0);
    for (i = 0; status == NDRING_OK && i < run.count; i++) {
        ndring_frame each = *run.first;
        each.payload = run.payload + i * run.stride;
        touch(&each);
    }
    return status;
}

static void read_lossless(uint32_t wake) {
    uint64_t bytes = ndr_table_bytes(1);
    ndring_reader *r = ndr_reader_new();
    int theirs, calls;

    CHECK(r != NULL);
    snprintf(r->ring, sizeof r->ring, "nobody");
    r->dir = strdup(folder);
    r->stream = wake == NDRING_WAKE_STREAM;
    session(&r->session, pick(4) ? ring.first : some_position(&ring), &theirs);
    r->session.table = (uint8_t *)calloc(1, (size_t)bytes);
    CHECK(r->session.table != NULL);
    r->session.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->session.writer_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ndr_reader_bind(r);
    for (calls = 0; calls < CALLS && take_some(r) == NDRING_OK; calls++) {
        if (pick(16) == 0) {
            say_anything(theirs);
            ndr_session_table(&r->session)->writer_parked = some_position(&ring) | 1;
        }
    }
    CHECK(calls < CALLS);
    close(theirs);
    free(r->session.table);
    r->session.table = NULL;
    r->slot = NULL; /* its memory is gone: what is held is not released */
    ndring_reader_close(r);
}

static void segments(int unused) {
    int round;

    (void)unused;
    for (round = 0; round < ROUNDS; round++) {
        image_make(&ring);
        image_damage(&ring);
        walk();
        observe();
        read_lossless(round % 2 ? NDRING_WAKE_PARK : NDRING_WAKE_STREAM);
        image_free(&ring);
    }
}

/* An identity that passes describes memory that can be: sizes do not wrap around. */
static void identities(int unused) {
    ndr_identity *id = (ndr_identity *)malloc(sizeof *id), *damaged = (ndr_identity *)malloc(sizeof *id);
    int round;

    (void)unused;
    CHECK(id != NULL && damaged != NULL);
    image_make(&ring);
    for (round = 0; round < 3 * ROUNDS; round++) {
        memcpy(damaged, ring.segment.id, sizeof *damaged);
        damage_words(damaged, pick(4) ? NDRING_ID_META : sizeof *damaged, 1 + pick(4), ring.first);
        if (pick(8)) {
            damaged->ready = NDRING_READY_WORD;
            damaged->crc = ndr_crc32((const uint8_t *)damaged, NDRING_ID_CRC);
        }
        if (ndr_identity_decode(id, damaged, sizeof *damaged, NULL) == NDRING_OK) {
            CHECK(id->writer_off + id->writer_bytes <= id->data_off && id->data_off <= ndr_segment_bytes(id));
            CHECK(id->frame_limit <= id->capacity && ndr_segment_bytes(id) <= NDRING_MAX_CAPACITY_BYTES * 2);
        }
    }
    image_free(&ring);
    free(id);
    free(damaged);
}

/* Cursors that no reader can have never raise the gate above the writer, nor do slots of a
 * dead writer's table. */
static void tables(int unused) {
    static ndr_record records[4];
    ndr_core core;
    uint8_t *old;
    int round, slowest;
    uint32_t i;

    (void)unused;
    image_make(&ring);
    ring.segment.id->slots = 4;
    for (round = 0; round < ROUNDS; round++) {
        memset(&core, 0, sizeof core);
        memset(records, 0, sizeof records);
        core.seg = ring.segment;
        core.pos = ring.end;
        core.readers = records;
        core.table = (uint8_t *)calloc(1, (size_t)ndr_table_bytes(4));
        old = (uint8_t *)calloc(1, (size_t)ndr_table_bytes(4));
        CHECK(core.table != NULL && old != NULL);
        for (i = 0; i < 4; i++) {
            ndr_table_slot(old, i)->state = NDRING_SLOT_ACTIVE;
            ndr_table_slot(old, i)->cursor = some_position(&ring);
            memset(ndr_table_slot(old, i)->name, 'x', NDRING_MAX_NAME_BYTES);
        }
        damage_words(old, (size_t)ndr_table_bytes(4), pick(4), ring.first);
        core.old = old;
        core.old_slots = 4;
        ndr_adopt(&core, old, 4, 1000);
        for (i = 0; i < 4; i++) {
            if (pick(2)) {
                ndr_table_slot(core.table, i)->cursor = some_position(&ring);
            }
            (void)ndr_released_up_to(&core, i);
        }
        CHECK(core.pos - ndr_gate(&core, &slowest) <= core.seg.capacity && slowest < 4);
        free(core.table);
        free(old);
    }
    image_free(&ring);
}

/* A writer to which anything is said goes on, and keeps no descriptor of who said it. */
static void hello(ndr_hello *h) {
    ndr_hello_start(h, pick(2) ? NDRING_ROLE_READER : NDRING_ROLE_OBSERVER, pick(2) ? NDRING_WAKE_PARK : NDRING_WAKE_STREAM,
                    1 + (uint32_t)pick(3), pick(2) ? 0 : some_word(0));
    h->flags = (uint8_t)pick(8);
    h->slot = (uint32_t)pick(4);
    if (pick(2)) {
        snprintf(h->name, sizeof h->name, "n%u", (unsigned)pick(3));
    }
    if (pick(2)) {
        damage_words(h, sizeof *h, 1 + pick(3), 0);
    }
}

static int client(const ndring_writer *w) {
    struct sockaddr_un address;
    int fd = ndr_socket();

    ndr_socket_address(&address, &w->dir, "live");
    CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void messages(int unused) {
    uint8_t answer[NDR_PACKET];
    ndring_writer_config c;
    ndring_writer *w;
    int round, fd, before = dup(0);
    size_t n;

    (void)unused;
    close(before);
    writer_config(&c);
    c.free_run = 1;
    c.slots = 4;
    w = writer_with(&c);
    for (round = 0; round < HELLOS; round++) {
        ndr_note note;
        ndr_hello h;
        int notes = (int)pick(4);
        fd = client(w);
        hello(&h);
        (void)ndr_send(fd, &h, pick(8) ? sizeof h : 1 + (size_t)pick(sizeof h), NULL, 0);
        ndr_server_turn(&w->server, 0);
        ndr_server_turn(&w->server, 0);
        (void)ndr_receive(fd, answer, &n);
        while (notes-- > 0) {
            ndr_note_encode(&note, (uint32_t)pick(16), (uint32_t)pick(8), pick(2) ? ndring_writer_position(w) : some_word(0));
            (void)ndr_send(fd, &note, sizeof note, NULL, 0);
        }
        publish(w, round, 5);
        ndr_server_turn(&w->server, 0);
        close(fd);
        ndr_server_turn(&w->server, 0);
    }
    (void)ndring_writer_close(w, 0); /* named readers that are to come back may hold it up */
    fd = dup(0);
    CHECK(fd == before);
    close(fd);
}

int main(int argc, char **argv) {
    static const live_case cases[] = {
        {"segments", segments, 0},
        {"identities", identities, 0},
        {"tables", tables, 0},
        {"messages", messages, 0},
    };

    seed(getenv("NDRING_SEED"));
    return run_cases(argc, argv, cases, sizeof cases / sizeof *cases);
}
