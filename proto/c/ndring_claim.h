/* Claims: space in the ring that is filled in place and becomes visible by a commit. */
#ifndef NDRING_CLAIM_H
#define NDRING_CLAIM_H

#include "ndring_room.h"

/* ndr_writer_admit checks what the caller said of a frame and derives the rest. */
static inline int ndr_writer_admit(ndring_writer *w, ndring_header *h) {
    const ndr_identity *id = w->core->seg.id;
    uint32_t i;
    int status;

    h->kind = h->kind == 0 ? NDRING_KIND_DATA : h->kind;
    if ((h->kind != NDRING_KIND_DATA && h->kind != NDRING_KIND_STREAM_END && h->kind < NDRING_KIND_SKIPPABLE) ||
        h->kind > NDRING_KIND_MASK) {
        return ndr_fail(&w->error, NDRING_ERR_HEADER, "frame of kind %u; a caller may give %u, %u, and %u to %u", h->kind,
                        NDRING_KIND_DATA, NDRING_KIND_STREAM_END, NDRING_KIND_SKIPPABLE, NDRING_KIND_MASK);
    }
    h->flags &= NDRING_FLAG_EXTENDED; /* the others are not the caller's to give */
    status = ndr_header_complete(h, &w->error);
    if (status != NDRING_OK) {
        return status;
    }
    if (h->kind == NDRING_KIND_DATA && id->schema_dtype != 0 && id->schema_dtype != h->dtype) {
        return ndr_fail(&w->error, NDRING_ERR_DTYPE, "dtype %s, the ring is declared %s", ndring_dtype_name(h->dtype),
                        ndring_dtype_name(id->schema_dtype));
    }
    if (h->kind == NDRING_KIND_DATA && id->schema_ndim != NDRING_ANY_NDIM) {
        if (h->ndim != id->schema_ndim) {
            return ndr_fail(&w->error, NDRING_ERR_SHAPE, "%u dimensions, the ring is declared with %u", h->ndim, id->schema_ndim);
        }
        for (i = 0; i < h->ndim; i++) {
            if (id->schema_shape[i] != NDRING_ANY_DIM && id->schema_shape[i] != h->shape[i]) {
                return ndr_fail(&w->error, NDRING_ERR_SHAPE, "extent %llu of dimension %u, the ring is declared with %llu",
                                (unsigned long long)h->shape[i], i, (unsigned long long)id->schema_shape[i]);
            }
        }
    }
    if (h->payload_bytes > id->frame_limit) {
        return ndr_fail(&w->error, NDRING_ERR_FRAME_TOO_LARGE,
                        "payload of %llu bytes, the ring's frame limit is %llu; create it with a larger capacity or frame limit",
                        (unsigned long long)h->payload_bytes, (unsigned long long)id->frame_limit);
    }
    return NDRING_OK;
}

/* ndring_writer_claim_group claims count frames that become visible together or not at
 * all. Of each header count kind, dtype, ndim, shape and, with NDRING_EXT_STRIDES, strides;
 * and what ext_flags name. Numbers and sizes are filled in; payloads[i] is the space of
 * frame i. Errors: NDRING_ERR_CLAIM_OPEN, _FRAME_TOO_LARGE, _SHAPE, _DTYPE, _HEADER,
 * _DROPPED, _FINISHED, _TIMEOUT. */
static inline int ndring_writer_claim_group(ndring_writer *w, ndring_header *heads, uint32_t count, int timeout_ms, void **payloads) {
    uint64_t size = 0, at = 0;
    uint32_t i;
    int status;

    if (w->open != NDR_OPEN_NONE) {
        return ndr_fail(&w->error, NDRING_ERR_CLAIM_OPEN, "claim in ring %s; commit or abort the one before", w->server.ring);
    }
    if (count == 0) {
        return ndr_fail(&w->error, NDRING_ERR_SHAPE, "group of no frames");
    }
    if (w->unlooked-- <= 0) {
        ndr_writer_look(w);
    }
    if (count > w->room) {
        ndr_member *more = (ndr_member *)realloc(w->members, count * sizeof *more);
        if (more == NULL) {
            return ndr_fail_errno(&w->error, NDRING_ERR_SYSTEM, "allocate", "a group");
        }
        w->members = more;
        w->room = count;
    }
    for (i = 0; i < count; i++) {
        status = ndr_writer_admit(w, &heads[i]);
        if (status != NDRING_OK) {
            return status;
        }
        heads[i].flags = (uint8_t)(heads[i].flags | (i + 1 < count ? NDRING_FLAG_MORE : 0));
        size += ndr_header_frame(&heads[i]);
        if (size > w->core->seg.capacity / 2) {
            return ndr_fail(&w->error, NDRING_ERR_FRAME_TOO_LARGE, "frames up to %u take %llu bytes, a group at most half the ring", i,
                            (unsigned long long)size);
        }
    }
    status = ndr_writer_reserve(w, size, &at, timeout_ms);
    if (status == NDRING_ERR_DROPPED) {
        ndr_writer_count_dropped(w, count - 1); /* the first is counted */
    }
    if (status != NDRING_OK) {
        return status;
    }
    w->at = at;
    for (i = 0; i < count; i++) {
        heads[i].number = w->core->number + i;
        w->members[i].head = heads[i];
        w->members[i].at = at;
        payloads[i] = ndr_at(&w->core->seg, at) + ndr_header_head(&heads[i]);
        at += ndr_header_frame(&heads[i]);
    }
    w->end = at;
    w->count = count;
    w->open = NDR_OPEN_FRAMES;
    return NDRING_OK;
}

/* ndring_writer_claim_frame claims one frame described by h, as ndring_writer_claim_group
 * does. */
static inline int ndring_writer_claim_frame(ndring_writer *w, ndring_header *h, int timeout_ms, void **payload) {
    int status = ndring_writer_claim_group(w, h, 1, timeout_ms, payload);

    if (status == NDRING_OK && h->kind == NDRING_KIND_DATA && !ndr_header_extended(h)) {
        w->like = ndr_describe(h->payload_bytes, h->dtype, 1, 0);
        w->like_dtype = h->dtype;
        w->like_items = h->shape[0];
        w->like_size = w->end - w->at;
    }
    return status;
}

/* ndr_writer_claim_slow is ndring_writer_claim for everything but a frame like the one
 * before it for which there is plain room. */
NDR_COLD int ndr_writer_claim_slow(ndring_writer *w, uint32_t dtype, uint32_t ndim, const uint64_t *shape, int timeout_ms,
                                   void **payload) {
    ndring_header h;

    memset(&h, 0, sizeof h);
    if (ndim > NDRING_MAX_DIMS || dtype > 255) {
        return dtype > 255 ? ndr_fail(&w->error, NDRING_ERR_DTYPE, "dtype code %u", dtype)
                           : ndr_fail(&w->error, NDRING_ERR_SHAPE, "%u dimensions, at most %u", ndim, NDRING_MAX_DIMS);
    }
    h.dtype = (uint8_t)dtype;
    h.ndim = (uint8_t)ndim;
    if (ndim > 0) {
        memcpy(h.shape, shape, ndim * sizeof *shape);
    }
    return ndring_writer_claim_frame(w, &h, timeout_ms, payload);
}

/* ndr_writer_alike reports whether a claim of items elements is one of a frame like the
 * one before it, up to end. */
NDR_HOT int ndr_writer_alike(const ndring_writer *w, uint32_t dtype, uint64_t items, uint64_t end) {
    return items == w->like_items && dtype == w->like_dtype && w->open == NDR_OPEN_NONE && (int64_t)(end - w->plain) <= 0;
}

/* ndr_writer_set_plain finds how far frames like the last one need no further look. The
 * word behind such a frame lies behind it in memory, too. */
static inline void ndr_writer_set_plain(ndring_writer *w) {
    const ndr_core *core = w->core;
    uint64_t span = core->room - core->pos, left;

    left = ndr_to_wrap(&core->seg, core->pos) - NDRING_LINE_BYTES;
    span = span < left ? span : left;
    left = core->mark - core->pos;
    span = (int64_t)left < 0 ? 0 : span < left ? span : left;
    left = w->like_size < NDR_NO_SIZE ? (uint64_t)(w->unlooked > 0 ? w->unlooked : 0) * w->like_size : 0;
    w->plain = core->pos + (span < left ? span : left);
    w->lap = (uintptr_t)ndr_at(&core->seg, core->pos) - (uintptr_t)core->pos;
    w->unlooked = 0; /* plain stands for them */
}

/* ndr_writer_renew makes the looks that claims up to plain were spared, if the next ones are
 * of frames like the last one, up to count, and finds how far the following ones are. It
 * waits for room for one of them. */
NDR_COLD int ndr_writer_renew(ndring_writer *w, uint32_t dtype, uint64_t items, uint64_t count, int timeout_ms) {
    ndr_core *core = w->core;
    uint64_t at;
    int status;

    if (items != w->like_items || dtype != w->like_dtype || w->open != NDR_OPEN_NONE || w->like_size >= NDR_NO_SIZE) {
        return NDRING_OK;
    }
    ndr_writer_look(w);
    if ((int64_t)(core->pos - core->mark) >= 0) {
        ndr_pass_mark(core, core->pos); /* the next commit begins here */
    }
    status = ndr_writer_reserve(w, w->like_size, &at, timeout_ms);
    if (status != NDRING_OK) {
        return status;
    }
    count = count < NDR_SERVE_CLAIMS ? count : NDR_SERVE_CLAIMS;
    w->unlooked = w->unlooked < (int)count ? (int)count : w->unlooked + 1; /* the look was for this one, too */
    ndr_writer_set_plain(w);
    return NDRING_OK;
}

/* ndring_writer_claim claims a C-order array of ndim extents and waits for room for
 * timeout_ms, as the ring's policy says. The payload holds whatever lay there before.
 * Errors as for ndring_writer_claim_group. */
NDR_HOT int ndring_writer_claim(ndring_writer *w, uint32_t dtype, uint32_t ndim, const uint64_t *shape, int timeout_ms,
                                void **payload) {
    const ndr_core *core = &w->server.core;
    uint64_t end = core->pos + w->like_size;
    int status;

    if (ndim != 1) {
        return ndr_writer_claim_slow(w, dtype, ndim, shape, timeout_ms, payload);
    }
    if (!ndr_writer_alike(w, dtype, shape[0], end)) {
        status = ndr_writer_renew(w, dtype, shape[0], 1, timeout_ms);
        if (status != NDRING_OK) {
            return status;
        }
        if (!ndr_writer_alike(w, dtype, shape[0], end)) {
            return ndr_writer_claim_slow(w, dtype, 1, shape, timeout_ms, payload);
        }
    }
    w->open = NDR_OPEN_INLINE;
    *payload = (uint8_t *)(w->lap + (uintptr_t)core->pos) + NDRING_BASE_BYTES;
    return NDRING_OK;
}

/* ndring_batch is space for count frames alike; the payload of frame i starts i * stride
 * bytes behind that of the first. */
typedef struct ndring_batch {
    uint8_t *payload;
    uint64_t stride;
    uint64_t count;
} ndring_batch;

/* ndring_writer_claim_batch claims from 1 up to most one-dimensional frames of items
 * elements, as many as there is room for at once; it waits for the first only. Readers see
 * ordinary frames, and all or none of them when the writer dies. Commit or abort ends it.
 * Errors as for ndring_writer_claim_group. */
NDR_HOT int ndring_writer_claim_batch(ndring_writer *w, uint32_t dtype, uint64_t items, uint64_t most, int timeout_ms,
                                      ndring_batch *batch) {
    ndr_core *core = &w->server.core;
    uint64_t end = core->pos + w->like_size, fit;
    void *payload = NULL;
    int status;

    batch->count = 1;
    if (!ndr_writer_alike(w, dtype, items, end)) {
        status = ndr_writer_renew(w, dtype, items, most, timeout_ms);
        if (status != NDRING_OK) {
            return status;
        }
    }
    if (!ndr_writer_alike(w, dtype, items, end)) {
        status = ndr_writer_claim_slow(w, dtype, 1, &items, timeout_ms, &payload);
        batch->payload = (uint8_t *)payload;
        batch->stride = w->end - w->at;
        return status;
    }
    fit = (w->plain - core->pos) / w->like_size;
    batch->count = fit < most ? fit : most > 0 ? most : 1;
    batch->stride = w->like_size;
    batch->payload = ndr_at(&core->seg, core->pos) + NDRING_BASE_BYTES;
    w->end = core->pos + batch->count * w->like_size;
    w->count = (uint32_t)batch->count;
    w->open = NDR_OPEN_BATCH;
    return NDRING_OK;
}

#endif
