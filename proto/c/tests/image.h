/* A ring in memory that ends where the ring does, so that a sanitizer sees each step beyond
 * it; and damage, at random but repeatable. */
#ifndef IMAGE_H
#define IMAGE_H

#include "processes.h"

static uint64_t dice = 1;

/* seed starts the random numbers, by text if there is any, and says how to repeat them. */
static inline void seed(const char *text) {
    uint64_t wanted = text != NULL ? strtoull(text, NULL, 0) : 1;

    dice = wanted == 0 ? 1 : wanted;
    fprintf(stderr, "NDRING_SEED=%llu\n", (unsigned long long)dice);
}

/* pick is a number from 0 up to below n (xorshift of Marsaglia, "Xorshift RNGs", 2003). */
static inline uint64_t pick(uint64_t n) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (dice >> 11) % n;
}

/* some_word is a number at which something may turn over, or one near to it. */
static inline uint64_t some_word(uint64_t near) {
    static const uint64_t edges[] = {0, 1, 64, (uint64_t)1 << 16, (uint64_t)1 << 31, (uint64_t)1 << 32, (uint64_t)1 << 40,
                                     ((uint64_t)1 << 48) - 1, (uint64_t)1 << 48, (uint64_t)1 << 62, (uint64_t)1 << 63, UINT64_MAX};
    uint64_t word = pick(2) ? edges[pick(sizeof edges / sizeof *edges)] : near + pick(2 * RING_BYTES);

    switch (pick(4)) {
    case 0:
        return word - 64 * pick(3);
    case 1:
        return word - pick(3);
    case 2:
        return word & ~(uint64_t)63;
    default:
        return word;
    }
}

/* damage_words flips a bit or replaces a word of the bytes, so many times. */
static inline void damage_words(void *bytes, size_t n, uint64_t times, uint64_t near) {
    uint8_t *mem = (uint8_t *)bytes;

    while (times-- > 0) {
        uint64_t word = some_word(near);
        if (pick(2)) {
            mem[pick(n)] ^= (uint8_t)(1u << pick(8));
        } else {
            memcpy(mem + 8 * pick(n / 8), &word, sizeof word);
        }
    }
}

typedef struct image {
    ndr_segment segment;
    uint64_t first, end; /* of what is committed */
    uint64_t frames;
} image;

static inline uint64_t some_position(const image *m) {
    return pick(4) ? m->first + 64 * pick(RING_BYTES / 64) : some_word(m->first);
}

/* image_head makes up a frame of some size and shape. */
static inline void image_head(ndring_header *h) {
    memset(h, 0, sizeof *h);
    h->kind = (uint8_t)(pick(20) ? NDRING_KIND_DATA : NDRING_KIND_SKIPPABLE);
    h->dtype = (uint8_t)(1 + pick(14));
    h->ndim = (uint8_t)(pick(3) ? 1 : pick(4));
    h->shape[0] = pick(4) ? 5 : pick(200);
    h->shape[1] = pick(5);
    h->shape[2] = 1 + pick(3);
    h->ext_flags = (uint8_t)(pick(3) ? 0 : NDRING_EXT_TIME | NDRING_EXT_STREAM);
    CHECK(ndr_header_complete(h, NULL) == NDRING_OK);
}

static inline void image_put(image *m, ndring_header *h) {
    h->number = m->frames;
    ndr_header_encode(h, ndr_at(&m->segment, m->end));
    ndr_store(ndr_commit_word(&m->segment, m->end), m->end | h->kind);
    m->end += ndr_header_frame(h);
    m->frames += h->kind != NDRING_KIND_PADDING;
}

/* image_fill commits frames, padding at the wrap, until less than a page is left. */
static inline void image_fill(image *m) {
    ndr_segment *s = &m->segment;
    ndring_header h;

    while (m->end - m->first < RING_BYTES - NDRING_PAGE_BYTES) {
        uint64_t left = ndr_to_wrap(s, m->end), part = RING_BYTES / NDRING_MARK_COUNT;
        if (s->words->marks[(m->end & s->mask) / part] == 0) {
            s->words->marks[(m->end & s->mask) / part] = m->end;
        }
        image_head(&h);
        if (ndr_header_frame(&h) > left) {
            memset(&h, 0, sizeof h);
            h.kind = NDRING_KIND_PADDING;
            h.ndim = 1;
            h.payload_bytes = left - NDRING_BASE_BYTES;
        }
        image_put(m, &h);
        if (s->words->tail == m->first && pick(64) == 0) {
            s->words->tail = m->end;
            s->words->number = m->frames;
        }
    }
}

/* image_make builds a good ring that begins near 0, 2^63 or 2^64. */
static inline void image_make(image *m) {
    static const uint64_t begins[] = {0, (uint64_t)1 << 63, 0};
    ndring_writer_config c;
    size_t bytes;

    memset(m, 0, sizeof *m);
    writer_config(&c);
    c.start = begins[pick(3)] - 64 * pick(RING_BYTES / 32);
    m->segment.id = (ndr_identity *)malloc(sizeof *m->segment.id);
    CHECK(m->segment.id != NULL && ndr_identity_fill(m->segment.id, "nobody", &c, NULL) == NDRING_OK);
    bytes = (size_t)ndr_segment_bytes(m->segment.id);
    m->segment.mem = (uint8_t *)malloc(bytes);
    CHECK(m->segment.mem != NULL && m->segment.id->capacity == RING_BYTES);
    memset(m->segment.mem, 0, bytes);
    m->segment.bytes = bytes;
    m->segment.words = (ndr_writer_words *)(void *)(m->segment.mem + m->segment.id->writer_off);
    m->segment.data = m->segment.mem + m->segment.id->data_off;
    m->segment.capacity = RING_BYTES;
    m->segment.mask = RING_BYTES - 1;
    m->segment.limit = m->segment.id->frame_limit;
    m->first = m->end = c.start;
    m->segment.words->epoch = 1;
    m->segment.words->tail = c.start;
    image_fill(m);
    m->segment.words->limit = m->end + NDRING_LINE_BYTES;
    if (pick(4) == 0) {
        m->segment.words->final_word = m->end | 1;
    }
}

static inline void image_free(image *m) {
    free(m->segment.mem);
    free(m->segment.id);
}

/* image_damage hits the writer's words, the header of a frame, or anything. */
static inline void image_damage(image *m) {
    const ndr_segment *s = &m->segment;
    uint64_t times;

    for (times = pick(6); times > 0; times--) {
        uint8_t *line = s->data + 64 * pick(RING_BYTES / 64);
        switch (pick(4)) {
        case 0:
            line[NDRING_FR_DESCRIBE + pick(3)] ^= (uint8_t)(1u << pick(8)); /* the length of a frame, if one begins here */
            break;
        case 1:
            damage_words(s->words, pick(4) ? NDRING_WR_MARKS : sizeof *s->words, 1, m->first);
            break;
        case 2:
            damage_words(line, NDRING_LINE_BYTES, 1 + pick(2), m->first);
            break;
        default:
            damage_words(s->data, RING_BYTES, 1 + pick(8), m->first);
            break;
        }
    }
}

#endif
