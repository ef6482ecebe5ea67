/* A mapped segment: commit words, boundaries, walks, the intact check. */
#ifndef NDRING_SEGMENT_H
#define NDRING_SEGMENT_H

#include "ndring_directory.h"

#define NDR_NO_SIZE ((uint64_t)1 << 62) /* of a frame that fits nowhere */

/* ndr_segment is the memory of one ring. Shared words are read once and not trusted. */
typedef struct ndr_segment {
    ndr_identity *id; /* a private copy, checked */
    uint8_t *mem;
    uint64_t bytes;
    ndr_writer_words *words;
    uint8_t *data;
    uint64_t capacity;
    uint64_t mask;
    uint64_t limit; /* largest payload */
} ndr_segment;

static inline uint64_t ndr_segment_bytes(const ndr_identity *id) { return id->data_off + id->capacity; }

static inline void ndr_segment_close(ndr_segment *s) {
    ndr_unmap(&s->mem, s->bytes);
    free(s->id);
    memset(s, 0, sizeof *s);
}

/* ndr_segment_open checks the identity in fd with plain reads, which no truncation
 * turns into a fault, then maps the file. The descriptor stays the caller's. */
static inline int ndr_segment_open(ndr_segment *s, int fd, int writable, ndring_error *err) {
    uint8_t *head = (uint8_t *)malloc(NDRING_IDENTITY_BYTES);
    uint64_t size = 0;
    ssize_t got;
    int status;

    memset(s, 0, sizeof *s);
    s->id = (ndr_identity *)malloc(sizeof *s->id);
    if (head == NULL || s->id == NULL) {
        free(head);
        ndr_segment_close(s);
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "allocate", "an identity");
    }
    status = ndr_file_check(fd, "of the segment", &size, err);
    if (status == NDRING_OK) {
        got = pread(fd, head, NDRING_IDENTITY_BYTES, 0);
        status = ndr_identity_decode(s->id, head, got > 0 ? (uint64_t)got : 0, err);
    }
    free(head);
    if (status == NDRING_OK && size < ndr_segment_bytes(s->id)) {
        status = ndr_fail(err, NDRING_ERR_TRUNCATED, "segment of %llu bytes, its identity says %llu", (unsigned long long)size,
                          (unsigned long long)ndr_segment_bytes(s->id));
    }
    if (status == NDRING_OK) {
        s->bytes = ndr_segment_bytes(s->id);
        status = ndr_map(fd, s->bytes, writable, &s->mem, err);
    }
    if (status != NDRING_OK) {
        ndr_segment_close(s);
        return status;
    }
    s->words = (ndr_writer_words *)(void *)(s->mem + s->id->writer_off);
    s->data = s->mem + s->id->data_off;
    s->capacity = s->id->capacity;
    s->mask = s->capacity - 1;
    s->limit = s->id->frame_limit;
    return NDRING_OK;
}

static inline uint64_t *ndr_commit_word(const ndr_segment *s, uint64_t position) {
    return (uint64_t *)(void *)(s->data + (position & s->mask));
}

static inline uint8_t *ndr_at(const ndr_segment *s, uint64_t position) { return s->data + (position & s->mask); }

static inline uint64_t ndr_to_wrap(const ndr_segment *s, uint64_t position) { return s->capacity - (position & s->mask); }

/* ndr_intact reports whether what was read at position, before this call, was not
 * being overwritten. SYNC: limit */
NDR_HOT int ndr_intact(const ndr_segment *s, uint64_t position) {
    ndr_load_fence();
    return (int64_t)(ndr_load(&s->words->limit) - position) <= (int64_t)s->capacity;
}

static inline int ndr_ended(const ndr_segment *s, uint64_t position) {
    return ndr_load(&s->words->final_word) == (position | 1);
}

static inline int ndr_is_commit(uint64_t word, uint64_t position) {
    return (word & ~(uint64_t)NDRING_KIND_MASK) == position && (word & NDRING_KIND_MASK) != 0;
}

static inline int ndr_header_at(const ndr_segment *s, ndring_header *h, uint64_t position, uint32_t kind, ndring_error *err) {
    return ndr_header_decode(h, kind, ndr_at(s, position), ndr_to_wrap(s, position), position, s->limit, err);
}

/* ndr_committed walks from a position that is committed up to, to where that ends. */
static inline uint64_t ndr_committed(const ndr_segment *s, uint64_t position) {
    ndring_header h;

    for (;;) {
        uint64_t word = ndr_load(ndr_commit_word(s, position));
        if (!ndr_is_commit(word, position) || ndr_header_at(s, &h, position, word & NDRING_KIND_MASK, NULL) != NDRING_OK ||
            !ndr_intact(s, position)) {
            return position;
        }
        position += ndr_header_frame(&h);
    }
}

static inline uint64_t ndr_shared_tail(const ndr_segment *s) {
    return ndr_load(&s->words->tail) & ~(uint64_t)NDRING_KIND_MASK;
}

/* ndr_tail is the end of what is committed, found by a walk from the shared tail. */
static inline uint64_t ndr_tail(const ndr_segment *s) {
    uint64_t tail = ndr_shared_tail(s), end, newer;

    for (;;) {
        end = ndr_committed(s, tail);
        if (ndr_intact(s, end)) {
            return end;
        }
        newer = ndr_shared_tail(s);
        if (newer == tail) {
            return tail; /* not a writer's words: it stores a newer tail before it gives an old one up */
        }
        tail = newer;
    }
}

static inline void ndr_closer(uint64_t *best, uint64_t floor, uint64_t p) {
    if ((int64_t)(p - floor) >= 0 && (int64_t)(*best - p) > 0) {
        *best = p;
    }
}

/* ndr_boundary is the lowest boundary that is at least floor; tail when none is lower. */
static inline uint64_t ndr_boundary(const ndr_segment *s, uint64_t floor, uint64_t tail) {
    uint64_t best = tail, part = s->capacity / NDRING_MARK_COUNT, i;

    if ((int64_t)(floor - s->id->start) < 0) {
        floor = s->id->start;
    }
    if (floor == s->id->start) {
        ndr_closer(&best, floor, floor);
    }
    ndr_closer(&best, floor, (floor + s->mask) & ~s->mask);
    for (i = 0; i < NDRING_MARK_COUNT; i++) {
        uint64_t p = ndr_load(&s->words->marks[i]);
        if ((p & s->mask) / part == i && p % NDRING_LINE_BYTES == 0) {
            ndr_closer(&best, floor, p);
        }
    }
    return best;
}

/* ndr_boundary_before stores the highest boundary from floor to position, and returns
 * 0 if there is none. */
static inline int ndr_boundary_before(const ndr_segment *s, uint64_t position, uint64_t floor, uint64_t tail, uint64_t *out) {
    uint64_t p, next;
    int found = 0;

    if ((int64_t)(tail - floor) > (int64_t)s->capacity) {
        return 0;
    }
    for (p = ndr_boundary(s, floor, tail); (int64_t)(position - p) >= 0; p = next) {
        *out = p;
        found = 1;
        next = ndr_boundary(s, p + NDRING_LINE_BYTES, tail);
        if ((int64_t)(next - p) <= 0) {
            break;
        }
    }
    return found;
}

/* ndr_meets reports whether a walk from a boundary meets a frame that starts at
 * position, or ends there. */
static inline int ndr_meets(const ndr_segment *s, uint64_t position, uint64_t floor, uint64_t tail) {
    ndring_header h;
    uint64_t p = 0, word;

    if (!ndr_boundary_before(s, position, floor, tail, &p)) {
        return 0;
    }
    while ((int64_t)(position - p) > 0) {
        word = ndr_load(ndr_commit_word(s, p));
        if (!ndr_is_commit(word, p) || ndr_header_at(s, &h, p, word & NDRING_KIND_MASK, NULL) != NDRING_OK || !ndr_intact(s, p)) {
            return 0;
        }
        p += ndr_header_frame(&h);
    }
    return p == position;
}

#endif
