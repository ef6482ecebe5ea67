/* The files of a ring in its writer's process: made anew, or continued after a writer
 * died. docs/layout.md, "Recovery". */
#ifndef NDRING_FILES_H
#define NDRING_FILES_H

#include <sys/random.h>

#include "ndring_recover.h"

/* ndring_writer_config describes a ring. Fill it with ndring_writer_defaults. */
typedef struct ndring_writer_config {
    const char *dir;      /* NULL = $NDRING_DIR, or ndring-<uid> in /dev/shm */
    uint64_t capacity;    /* bytes, rounded up to a power of two */
    uint64_t frame_limit; /* largest payload, 0 = a quarter of the capacity */
    uint32_t schema_dtype; /* 0 = any */
    uint32_t schema_ndim;  /* NDRING_ANY_NDIM = any shape */
    uint64_t schema_shape[NDRING_MAX_DIMS]; /* NDRING_ANY_DIM = any extent */
    const void *meta;     /* UTF-8 JSON for readers */
    uint32_t meta_bytes;
    uint32_t policy;      /* NDRING_POLICY_... */
    uint32_t slots;       /* reader slots */
    uint64_t start;       /* first position of a new ring */
    int free_run;         /* do not wait for a first reader */
    int recreate;         /* replace a left-over ring that cannot be continued */
    int grace_ms;         /* for the readers of a writer that died */
    int64_t spin_ns;      /* spinning before parking */
} ndring_writer_config;

static inline void ndring_writer_defaults(ndring_writer_config *c) {
    memset(c, 0, sizeof *c);
    c->capacity = (uint64_t)64 << 20;
    c->schema_ndim = NDRING_ANY_NDIM;
    c->slots = NDRING_DEFAULT_SLOTS;
    c->grace_ms = 5000;
    c->spin_ns = 20000;
}

/* ndr_files is the open files. */
typedef struct ndr_store {
    int segment_file, table_file;
    uint8_t *old; /* reader table of the epoch before */
    uint64_t old_bytes;
    uint32_t old_slots;
} ndr_files;

/* ndr_identity_fill makes the identity that the configuration asks for. */
static inline int ndr_identity_fill(ndr_identity *id, const char *ring, const ndring_writer_config *c, ndring_error *err) {
    const char *exe = program_invocation_short_name;
    size_t n = strlen(exe);
    ssize_t drawn;
    uint32_t i;
    int status = ndr_name_check(ring, err);

    if (status != NDRING_OK) {
        return status;
    }
    if (c->capacity > NDRING_MAX_CAPACITY_BYTES || c->meta_bytes > NDRING_MAX_META_BYTES || c->schema_ndim > NDRING_ANY_NDIM ||
        c->schema_dtype > 255) {
        return ndr_fail(err, NDRING_ERR_GEOMETRY, "capacity of %llu bytes, metadata of %u bytes",
                        (unsigned long long)c->capacity, c->meta_bytes);
    }
    memset(id, 0, sizeof *id);
    id->magic = NDRING_SEGMENT_MAGIC;
    id->endian = NDRING_ENDIAN_PROBE;
    id->major_version = NDRING_VERSION_MAJOR;
    id->minor_version = NDRING_VERSION_MINOR;
    id->writer_off = NDRING_IDENTITY_BYTES;
    id->writer_bytes = NDRING_WRITER_BYTES;
    id->capacity = NDRING_MIN_CAPACITY_BYTES;
    while (id->capacity < c->capacity) {
        id->capacity *= 2;
    }
    id->data_off = id->capacity < NDRING_HUGE_FROM_BYTES ? NDRING_DATA_OFFSET : NDRING_HUGE_ALIGN_BYTES;
    id->frame_limit = c->frame_limit ? c->frame_limit : id->capacity / NDRING_PAYLOAD_DIVISOR;
    id->start = c->start;
    id->created_ns = ndr_unix_ns();
    id->creator_pid = (uint32_t)getpid();
    id->creator_uid = (uint32_t)geteuid();
    id->policy = c->policy;
    id->slots = c->slots;
    id->schema_dtype = (uint8_t)c->schema_dtype;
    id->schema_ndim = (uint8_t)c->schema_ndim;
    for (i = 0; i < NDRING_MAX_DIMS && i < c->schema_ndim && c->schema_ndim != NDRING_ANY_NDIM; i++) {
        id->schema_shape[i] = c->schema_shape[i];
    }
    memcpy(id->name, ring, strlen(ring));
    memcpy(id->creator_exe, exe, n < sizeof id->creator_exe ? n : sizeof id->creator_exe);
    id->meta_bytes = c->meta_bytes;
    if (c->meta_bytes > 0) {
        memcpy(id->meta, c->meta, c->meta_bytes);
    }
    do {
        drawn = getrandom(id->ring_id, sizeof id->ring_id, 0);
    } while (drawn < 0 && errno == EINTR);
    if (drawn != (ssize_t)sizeof id->ring_id) {
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "draw", "a ring id");
    }
    id->crc = ndr_crc32((const uint8_t *)id, NDRING_ID_CRC);
    return ndr_identity_check(id, err);
}

/* ndr_files_table makes the empty reader table of an epoch. */
static inline int ndr_files_table(ndr_files *st, ndr_core *w, const ndr_directory *d, ndring_error *err) {
    ndr_table_head *head;
    int status;

    w->table_bytes = ndr_table_bytes(w->seg.id->slots);
    status = ndr_file_new(d, w->table_bytes, &st->table_file, err);
    if (status == NDRING_OK) {
        status = ndr_map(st->table_file, w->table_bytes, 1, &w->table, err);
    }
    if (status != NDRING_OK) {
        return status;
    }
    head = ndr_core_table(w);
    head->magic = NDRING_TABLE_MAGIC;
    head->major_version = NDRING_VERSION_MAJOR;
    head->minor_version = NDRING_VERSION_MINOR;
    head->slots = w->seg.id->slots;
    memcpy(head->ring_id, w->seg.id->ring_id, sizeof head->ring_id);
    head->epoch = w->epoch;
    return NDRING_OK;
}

/* ndr_files_create makes the files of a new ring, still without names. */
static inline int ndr_files_create(ndr_files *st, ndr_core *w, const ndr_directory *d, const ndr_identity *id, ndring_error *err) {
    uint64_t bytes = ndr_segment_bytes(id), part = id->capacity / NDRING_MARK_COUNT;
    ndr_identity *shared;
    ndr_writer_words *words;
    uint8_t *mem = NULL;
    int status = ndr_file_new(d, bytes, &st->segment_file, err);

    if (status == NDRING_OK) {
        status = ndr_map(st->segment_file, bytes, 1, &mem, err);
    }
    if (status != NDRING_OK) {
        return status;
    }
    shared = (ndr_identity *)(void *)mem;
    words = (ndr_writer_words *)(void *)(mem + id->writer_off);
    memcpy(shared, id, sizeof *id);
    ndr_store(&words->limit, id->start);
    ndr_store(&words->tail, id->start);
    ndr_store(&words->marks[(id->start & (id->capacity - 1)) / part], id->start);
    ndr_store_seq(&shared->ready, NDRING_READY_WORD);
    munmap(mem, (size_t)bytes);
    status = ndr_segment_open(&w->seg, st->segment_file, 1, err);
    w->epoch = 1;
    return status == NDRING_OK ? ndr_files_table(st, w, d, err) : status;
}

static inline int ndr_identity_differs(const ndr_identity *have, const ndr_identity *want, ndring_error *err) {
    const char *what = NULL;

    if (have->capacity != want->capacity) {
        what = "capacity";
    } else if (have->frame_limit != want->frame_limit) {
        what = "frame limit";
    } else if (have->schema_dtype != want->schema_dtype || have->schema_ndim != want->schema_ndim ||
               memcmp(have->schema_shape, want->schema_shape, sizeof have->schema_shape) != 0) {
        what = "schema";
    } else if (have->slots != want->slots) {
        what = "number of reader slots";
    } else if (have->policy != want->policy) {
        what = "policy";
    } else if (have->meta_bytes != want->meta_bytes || memcmp(have->meta, want->meta, want->meta_bytes) != 0) {
        what = "metadata";
    }
    if (what == NULL) {
        return NDRING_OK;
    }
    return ndr_fail(err, NDRING_ERR_MISMATCH, "the unfinished ring has another %s; ask for the same, let its readers finish, or recreate it",
                    what);
}

/* ndr_files_old maps the reader table of the epoch before. Without one, readers come back
 * by position alone. */
static inline void ndr_files_old(ndr_files *st, const ndr_core *w, const ndr_directory *d, const char *ring) {
    char name[NDR_FILE_NAME];
    ndr_table_head head;
    uint64_t bytes = 0;
    int fd;

    ndr_file_name(name, ring, ".readers");
    fd = ndr_file_open(d, name, O_RDONLY);
    if (fd < 0) {
        return;
    }
    if (ndr_file_check(fd, name, &bytes, NULL) == NDRING_OK && bytes >= NDRING_TABLE_HEAD_BYTES &&
        bytes <= ndr_table_bytes(NDRING_MAX_READER_SLOTS) && ndr_map(fd, bytes, 0, &st->old, NULL) == NDRING_OK) {
        st->old_bytes = bytes;
        if (ndr_table_decode(&head, st->old, bytes, NULL) == NDRING_OK && memcmp(head.ring_id, w->seg.id->ring_id, 16) == 0) {
            st->old_slots = head.slots;
        }
    }
    close(fd);
}

/* ndr_files_owes reports whether a ring has frames that somebody was promised: a reader of
 * its last table that gates and is not at the end, or, if none ever came and the ring does
 * not run free, a first reader. A writer that dies while it waits for them to end the ring
 * leaves it so. */
static inline int ndr_files_owes(const ndr_files *st, const ndr_segment *s) {
    uint64_t flags = ndr_load(&s->words->flags), tail = ndr_load(&s->words->tail);
    uint32_t i;

    if ((flags & (NDRING_WRITER_SAW_READER | NDRING_WRITER_FREE_RUN)) == 0 && tail != s->id->start) {
        return 1;
    }
    for (i = 0; i < st->old_slots; i++) {
        const ndr_slot *slot = ndr_table_slot(st->old, i);
        uint64_t state = ndr_load(&slot->state) & 0xff, left = tail - ndr_load(&slot->cursor);
        if ((state == NDRING_SLOT_ACTIVE || state == NDRING_SLOT_LOST) && left != 0 && left <= s->capacity &&
            left % NDRING_LINE_BYTES == 0) {
            return 1;
        }
    }
    return 0;
}

/* ndr_files_resume opens what a dead writer left. NDRING_ERR_NO_RING says that nothing is
 * there that could be continued. */
static inline int ndr_files_resume(ndr_files *st, ndr_core *w, const ndr_directory *d, const char *ring, const ndr_identity *want,
                                   ndring_error *err) {
    char name[NDR_FILE_NAME];
    int status;

    ndr_file_name(name, ring, ".ring");
    st->segment_file = ndr_file_open(d, name, O_RDWR);
    if (st->segment_file < 0) {
        return errno == ENOENT ? NDRING_ERR_NO_RING : ndr_fail_errno(err, NDRING_ERR_FILE, "open", name);
    }
    status = ndr_segment_open(&w->seg, st->segment_file, 1, err);
    if (status == NDRING_ERR_NOT_READY) {
        return NDRING_ERR_NO_RING; /* never complete */
    }
    if (status != NDRING_OK) {
        return status;
    }
    ndr_files_old(st, w, d, ring);
    if (ndr_load(&w->seg.words->final_word) != 0 && !ndr_files_owes(st, &w->seg)) {
        return NDRING_ERR_NO_RING; /* over */
    }
    status = ndr_identity_differs(w->seg.id, want, err);
    if (status != NDRING_OK) {
        return status;
    }
    w->epoch = ndr_load(&w->seg.words->epoch) + 1;
    return ndr_files_table(st, w, d, err);
}

static inline void ndr_files_drop_old(ndr_files *st) {
    ndr_unmap(&st->old, st->old_bytes);
    st->old_slots = 0;
}

static inline void ndr_files_close(ndr_files *st, ndr_core *w) {
    ndr_files_drop_old(st);
    ndr_unmap(&w->table, w->table_bytes);
    ndr_segment_close(&w->seg);
    ndr_close(&st->segment_file);
    ndr_close(&st->table_file);
}

/* ndr_files_publish names the files: the table first, so that a segment with a name
 * always has one. */
static inline int ndr_files_publish(ndr_files *st, const ndr_core *w, const ndr_directory *d, const char *ring, ndring_error *err) {
    char name[NDR_FILE_NAME];
    int status;

    ndr_file_name(name, ring, ".readers");
    status = ndr_file_link(d, st->table_file, name, 1, err);
    if (status != NDRING_OK || w->epoch > 1) {
        return status;
    }
    ndr_file_name(name, ring, ".ring");
    return ndr_file_link(d, st->segment_file, name, 0, err);
}

#endif
