/* vectors DIR: runs the test vectors in DIR, which every language runs. */
#include "vector.h"

/* extents writes numbers with blanks between, "scalar" for none. */
static const char *extents(char *dst, size_t room, uint32_t n, const uint64_t *values) {
    size_t used = (size_t)snprintf(dst, room, "%s", n == 0 ? "scalar" : "");
    uint32_t i;

    for (i = 0; i < n; i++) {
        used += (size_t)snprintf(dst + used, room - used, "%s%llu", i ? " " : "", (unsigned long long)values[i]);
    }
    return dst;
}

/* decode is the header at src with the check of the commit word in front. */
static int decode(ndring_header *h, const uint8_t *src, uint64_t space, uint64_t position, uint64_t limit) {
    uint64_t word;

    if (space < NDRING_LINE_BYTES) {
        return NDRING_ERR_TRUNCATED;
    }
    memcpy(&word, src, sizeof word);
    if (!ndr_is_commit(word, position)) {
        return NDRING_ERR_HEADER;
    }
    return ndr_header_decode(h, word & NDRING_KIND_MASK, src, space, position, limit, NULL);
}

static void want_encoded(vector *v, const ndring_header *h, const uint8_t *stored, size_t n) {
    uint8_t out[NDRING_HEAD_MAX];
    size_t head = (size_t)ndr_header_head(h);

    memset(out, 0xee, sizeof out);
    ndr_header_encode(h, out);
    n = n < head ? n : head;
    if (memcmp(out + NDRING_FR_NUMBER, stored + NDRING_FR_NUMBER, n - NDRING_FR_NUMBER) != 0) {
        complain(v, "encoding", 1, 0);
    }
}

static void check_header(vector *v) {
    uint64_t space = number(v, "space"), strides[NDRING_MAX_DIMS];
    uint8_t *src = (uint8_t *)calloc(1, (size_t)space + NDRING_LINE_BYTES);
    size_t n = bytes(v, "bytes", src, (size_t)space);
    char text[256];
    ndring_header h;

    memset(&h, 0, sizeof h);
    if (!failed(v, decode(&h, src, space, number(v, "position"), number(v, "limit")))) {
        want(v, "kind", h.kind);
        want(v, "number", h.number);
        want(v, "payload", h.payload_bytes);
        want(v, "dtype", h.dtype);
        want(v, "flags", h.flags);
        want(v, "ext_flags", h.ext_flags);
        want(v, "role", h.role);
        want(v, "sequence", h.sequence);
        want(v, "time", h.time_ns);
        want(v, "stream", h.stream);
        want(v, "source", h.source);
        want(v, "source_id", h.source_id);
        want(v, "head", ndr_header_head(&h));
        want(v, "frame", ndr_header_frame(&h));
        if (h.kind != NDRING_KIND_PADDING) {
            memcpy(strides, h.strides, sizeof strides);
            want_text(v, "shape", extents(text, sizeof text, h.ndim, h.shape));
            want_text(v, "strides", extents(text, sizeof text, h.ndim, strides));
        }
        if (lines(v, "encode", 0) == NULL) {
            want_encoded(v, &h, src, n);
        }
    }
    free(src);
}

static void want_ring_id(vector *v, const uint8_t *id) {
    uint8_t expected[16] = {0};

    (void)bytes(v, "ring_id", expected, sizeof expected);
    if (memcmp(id, expected, sizeof expected) != 0) {
        complain(v, "ring_id", id[0], expected[0]);
    }
}

static void check_identity(vector *v) {
    static uint8_t meta[NDRING_MAX_META_BYTES];
    static ndr_identity id;
    char name[NDRING_MAX_NAME_BYTES + 1], text[256];
    uint64_t size, none[NDRING_MAX_DIMS] = {0};
    uint8_t *mem = image(v, NDRING_IDENTITY_BYTES, &size);

    if (!failed(v, ndr_identity_decode(&id, mem, size, NULL))) {
        want(v, "major", id.major_version);
        want(v, "minor", id.minor_version);
        want(v, "optional", id.optional);
        want(v, "writer_off", id.writer_off);
        want(v, "writer_bytes", id.writer_bytes);
        want(v, "data_off", id.data_off);
        want(v, "capacity", id.capacity);
        want_ring_id(v, id.ring_id);
        want(v, "frame_limit", id.frame_limit);
        want(v, "start", id.start);
        want(v, "created_ns", id.created_ns);
        want(v, "creator_pid", id.creator_pid);
        want(v, "creator_uid", id.creator_uid);
        want(v, "policy", id.policy);
        want(v, "slots", id.slots);
        want(v, "schema_dtype", id.schema_dtype);
        want(v, "schema_ndim", id.schema_ndim);
        if (lines(v, "schema_shape", 0) != NULL) {
            want_text(v, "schema_shape", extents(text, sizeof text, NDRING_MAX_DIMS, id.schema_shape));
        } else if (memcmp(id.schema_shape, none, sizeof none) != 0) {
            complain(v, "schema_shape", id.schema_shape[0], 0);
        }
        ndr_field_name(name, id.name);
        want_text(v, "name", name);
        ndr_field_name(name, id.creator_exe);
        want_text(v, "creator_exe", name);
        if (bytes(v, "meta", meta, sizeof meta) != id.meta_bytes || memcmp(meta, id.meta, id.meta_bytes) != 0) {
            complain(v, "meta", id.meta_bytes, 0);
        }
    }
    free(mem);
}

static void check_table(vector *v) {
    uint64_t size;
    uint8_t *mem = image(v, 0, &size);
    ndr_table_head head;
    char name[NDRING_MAX_NAME_BYTES + 1], text[512];
    int i;

    if (!failed(v, ndr_table_decode(&head, mem, size, NULL))) {
        want(v, "major", head.major_version);
        want(v, "minor", head.minor_version);
        want(v, "slots", head.slots);
        want(v, "epoch", head.epoch);
        want_ring_id(v, head.ring_id);
        for (i = 0; lines(v, "slot", i) != NULL; i++) {
            const ndr_slot *s = ndr_table_slot(mem, (uint32_t)i);
            ndr_field_name(name, s->name);
            snprintf(text, sizeof text, "%d %u %u %u %u %u %u %llu %llu %s", i, (unsigned)(s->state & 0xff), (unsigned)(s->state >> 32),
                     s->pid, s->wake & 0xff, s->keep_ms, s->evict_ms, (unsigned long long)s->start,
                     (unsigned long long)s->attached_ns, name[0] ? name : "-");
            if (strcmp(text, lines(v, "slot", i)) != 0) {
                printf("%s:%d %s: slot is %s\n", v->file, v->line, v->name, text);
                failures++;
            }
        }
    }
    free(mem);
}

static const char *type_name(uint32_t type) {
    static const char *const names[] = {"",        "hello",  "welcome", "refusal", "published", "released",
                                        "evicted", "closed", "ping",    "pong",    "goodbye"};
    return type < sizeof names / sizeof *names ? names[type] : "";
}

static void check_hello(vector *v, const ndr_hello *h) {
    char name[NDRING_MAX_NAME_BYTES + 1];

    want(v, "major", h->major_version);
    want(v, "minor", h->minor_version);
    want(v, "position", h->position);
    want_ring_id(v, h->ring_id);
    want(v, "role", h->role);
    want(v, "wake", h->wake);
    want(v, "start", h->start);
    want(v, "flags", h->flags);
    want(v, "slot", h->slot);
    want(v, "generation", h->generation);
    want(v, "pid", h->pid);
    want(v, "keep_ms", h->keep_ms);
    want(v, "evict_ms", h->evict_ms);
    ndr_field_name(name, h->name);
    want_text(v, "name", name);
}

static void check_welcome(vector *v, const ndr_welcome *w) {
    want(v, "major", w->major_version);
    want(v, "minor", w->minor_version);
    want(v, "start", w->start);
    want_ring_id(v, w->ring_id);
    want(v, "epoch", w->epoch);
    want(v, "slot", w->slot);
    want(v, "generation", w->generation);
    want(v, "flags", w->flags);
    want(v, "descriptors", w->descriptors);
    want(v, "oldest", w->oldest);
    want(v, "tail", w->tail);
    want(v, "table_bytes", w->table_bytes);
}

static void check_message(vector *v) {
    union {
        uint8_t bytes[2 * NDR_PACKET];
        ndr_hello hello;
        ndr_welcome welcome;
        ndr_refusal refusal;
        ndr_note note;
    } m;
    char sentence[NDRING_SENTENCE_MAX + 1];
    uint32_t type = 0;
    size_t n;
    int status;

    memset(&m, 0, sizeof m);
    n = bytes(v, "bytes", m.bytes, sizeof m.bytes);
    status = ndr_message_type(m.bytes, n, &type, NULL);
    if (status == NDRING_OK && type == NDRING_MSG_HELLO) {
        status = ndr_hello_check(&m.hello, NULL);
    }
    if (status == NDRING_OK && type == NDRING_MSG_WELCOME && m.welcome.major_version != NDRING_VERSION_MAJOR) {
        status = NDRING_ERR_VERSION;
    }
    if (failed(v, status)) {
        return;
    }
    want_text(v, "type", type_name(type));
    if (type == NDRING_MSG_HELLO) {
        check_hello(v, &m.hello);
    } else if (type == NDRING_MSG_WELCOME) {
        check_welcome(v, &m.welcome);
    } else {
        want(v, "code", m.note.code);
        want(v, "position", m.note.position);
    }
    if (type == NDRING_MSG_REFUSAL) {
        snprintf(sentence, sizeof sentence, "%.*s", (int)sizeof m.refusal.sentence, m.refusal.sentence);
        want_text(v, "sentence", sentence);
    }
}

/* want_frame compares the frame at p with line i of the case. */
static void want_frame(vector *v, const ndr_segment *s, const ndring_header *h, uint64_t p, int i) {
    static uint8_t payload[1 << 20];
    const char *line = lines(v, "frame", i);
    char shape[256], kind[16], num[32], dtype[16], pos[32], *c;
    int used = 0;
    size_t n;

    if (line == NULL || sscanf(line, "%31s %15s %31s %15s %255s %n", pos, kind, num, dtype, shape, &used) != 5) {
        complain(v, "frame beyond those listed, at", p, 0);
        return;
    }
    if (strtoull(pos, NULL, 0) != p || strtoull(kind, NULL, 0) != h->kind || strtoull(num, NULL, 0) != h->number) {
        complain(v, "frame", p, strtoull(pos, NULL, 0));
    }
    if (h->kind == NDRING_KIND_PADDING) {
        return;
    }
    if (strtoull(dtype, NULL, 0) != h->dtype) {
        complain(v, "dtype", h->dtype, strtoull(dtype, NULL, 0));
    }
    {
        char text[256];
        (void)extents(text, sizeof text, h->ndim, h->shape);
        for (c = text; *c != 0; c++) {
            *c = *c == ' ' ? 'x' : *c;
        }
        if (strcmp(text, shape) != 0) {
            complain(v, "shape of frame", p, p);
        }
    }
    n = line[used] == '-' ? 0 : hex(payload, sizeof payload, line + used);
    if (n != h->payload_bytes || memcmp(payload, ndr_at(s, p) + ndr_header_head(h), n) != 0) {
        complain(v, "payload of frame", n, h->payload_bytes);
    }
}

static void check_segment(vector *v) {
    static ndr_identity id;
    uint64_t size, p, next = 0, word, recovered = 0, at = 0;
    uint8_t *mem = image(v, 0, &size);
    const char *first = lines(v, "frame", 0);
    int status = ndr_identity_decode(&id, mem, size, NULL), i = 0;
    ndring_header h;
    ndr_segment s;

    memset(&s, 0, sizeof s);
    if (status != NDRING_OK || ndr_segment_bytes(&id) != size) {
        complain(v, "identity", (uint64_t)status, 0);
        free(mem);
        return;
    }
    s.id = &id;
    s.mem = mem;
    s.words = (ndr_writer_words *)(void *)(mem + id.writer_off);
    s.data = mem + id.data_off;
    s.capacity = id.capacity;
    s.mask = id.capacity - 1;
    s.limit = id.frame_limit;
    want(v, "start", id.start);
    want(v, "epoch", s.words->epoch);
    want(v, "limit", s.words->limit);
    want(v, "tail", s.words->tail);
    want(v, "number", s.words->number);
    want(v, "flags", s.words->flags);
    want(v, "final", s.words->final_word & ~(uint64_t)NDRING_KIND_MASK);
    if ((s.words->final_word != 0) != (lines(v, "ended", 0) != NULL)) {
        complain(v, "final word", s.words->final_word, 0);
    }
    for (p = first ? strtoull(first, NULL, 0) : s.words->tail;; p += ndr_header_frame(&h)) {
        word = ndr_load(ndr_commit_word(&s, p));
        if (!ndr_is_commit(word, p)) {
            break;
        }
        status = ndr_header_at(&s, &h, p, word & NDRING_KIND_MASK, NULL);
        if (status != NDRING_OK) {
            break;
        }
        want_frame(v, &s, &h, p, i++);
        next = h.number + (h.kind != NDRING_KIND_PADDING);
    }
    if (!failed(v, status) && ndr_recover(&s, &at, &recovered, NULL) == NDRING_OK && at != number(v, "end")) {
        complain(v, "end of recovery", at, number(v, "end"));
    }
    want(v, "end", p);
    want(v, "next", next);
    if (lines(v, "frame", i) != NULL) {
        complain(v, "number of frames", (uint64_t)i, (uint64_t)i + 1);
    }
    free(mem);
}

/* check_layout compares every constant of layout.txt with this header's, by its Go name. */
static void check_layout(const char *dir) {
    static const struct {
        const char *name;
        uint64_t value;
    } all[] = {
#define ROW(name, value) {name, value},
        NDRING_CONSTANTS(ROW)
#undef ROW
    };
    size_t i, met = 0;
    char path[PATH_MAX], name[64], value[64], text[256];
    FILE *f;

    snprintf(path, sizeof path, "%s/layout.txt", dir);
    f = fopen(path, "r");
    while (f != NULL && fgets(text, sizeof text, f) != NULL) {
        if (sscanf(strip(text), "%63s = %63s", name, value) != 2) {
            continue;
        }
        for (i = 0; i < sizeof all / sizeof *all && strcmp(all[i].name, name) != 0; i++) {
        }
        if (i == sizeof all / sizeof *all || all[i].value != strtoull(value, NULL, 0)) {
            printf("layout.txt: %s = %s is not what ndring_layout.h says\n", name, value);
            failures++;
        }
        met++;
    }
    if (f != NULL) {
        fclose(f);
    }
    if (met != sizeof all / sizeof *all) {
        printf("layout.txt: %zu constants, ndring_layout.h has %zu\n", met, sizeof all / sizeof *all);
        failures++;
    }
}

int main(int argc, char **argv) {
    const char *dir = argc > 1 ? argv[1] : "../../testdata";

    check_layout(dir);
    each_vector(dir, "headers.txt", check_header);
    each_vector(dir, "identity.txt", check_identity);
    each_vector(dir, "table.txt", check_table);
    each_vector(dir, "messages.txt", check_message);
    each_vector(dir, "segments.txt", check_segment);
    printf("%d cases, %d failures\n", cases, failures);
    return failures == 0 ? 0 : 1;
}
