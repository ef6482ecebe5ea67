/* Frame headers: decoding with every check of docs/layout.md, completing what a
 * writer leaves open, encoding. */
#ifndef NDRING_HEADER_H
#define NDRING_HEADER_H

#include "ndring_array.h"
#include "ndring_atomic.h"
#include "ndring_wire.h"

/* ndring_header describes one frame. Strides are in bytes and, like the shape, filled
 * in for every frame that was decoded or completed. */
typedef struct ndring_header {
    uint8_t kind; /* NDRING_KIND_..., 0 = data when claiming */
    uint8_t dtype;
    uint8_t ndim;
    uint8_t flags;     /* NDRING_FLAG_... */
    uint8_t ext_flags; /* NDRING_EXT_...: which of the fields below mean something */
    uint8_t role;
    uint32_t sequence;
    uint64_t number;
    uint64_t payload_bytes;
    uint64_t time_ns;
    uint64_t stream;
    uint64_t source;
    uint64_t source_id;
    uint64_t shape[NDRING_MAX_DIMS];
    int64_t strides[NDRING_MAX_DIMS];
} ndring_header;

#define NDR_FLAGS_KNOWN (NDRING_FLAG_EXTENDED | NDRING_FLAG_MORE)
#define NDR_EXT_KNOWN \
    (NDRING_EXT_SHAPE | NDRING_EXT_STRIDES | NDRING_EXT_STREAM | NDRING_EXT_SOURCE | NDRING_EXT_TIME)

static inline uint64_t ndr_align(uint64_t n) {
    return (n + NDRING_LINE_BYTES - 1) & ~(uint64_t)(NDRING_LINE_BYTES - 1);
}

static inline int ndr_header_extended(const ndring_header *h) {
    return h->ndim != 1 || h->ext_flags != 0 || h->role != 0 || (h->flags & NDRING_FLAG_EXTENDED) != 0;
}

static inline uint32_t ndr_header_ext_bytes(const ndring_header *h) {
    uint32_t n = NDRING_EXT_MIN_BYTES;

    if (h->ext_flags & NDRING_EXT_SHAPE) {
        n += 8u * h->ndim;
    }
    if (h->ext_flags & NDRING_EXT_STRIDES) {
        n += 8u * h->ndim;
    }
    return n;
}

/* ndr_header_head is the distance from the frame to its payload. */
static inline uint64_t ndr_header_head(const ndring_header *h) {
    return ndr_header_extended(h) ? ndr_align(NDRING_BASE_BYTES + ndr_header_ext_bytes(h)) : NDRING_BASE_BYTES;
}

/* ndr_header_frame is the space the frame takes in the ring. */
static inline uint64_t ndr_header_frame(const ndring_header *h) {
    return ndr_align(ndr_header_head(h) + h->payload_bytes);
}

static inline uint64_t ndr_describe(uint64_t bytes, uint32_t dtype, uint32_t ndim, uint32_t flags) {
    return bytes | (uint64_t)dtype << NDRING_DESC_DTYPE_SHIFT | (uint64_t)ndim << NDRING_DESC_NDIM_SHIFT |
           (uint64_t)flags << NDRING_DESC_FLAG_SHIFT;
}

static inline int ndr_header_extension(ndring_header *h, const uint8_t *src, uint64_t space, uint64_t position,
                                       ndring_error *err) {
    ndr_frame_head head;
    uint64_t stored, *extent = head.extents;
    uint32_t i;

    memset(&head, 0, sizeof head);
    memcpy(&head.ext_bytes, src + NDRING_BASE_BYTES, NDRING_EXT_MIN_BYTES);
    h->ext_flags = head.ext_flags;
    if (h->ext_flags & ~NDR_EXT_KNOWN) {
        return ndr_fail(err, NDRING_ERR_HEADER, "frame at position %llu: unknown extension flags %#x",
                        (unsigned long long)position, h->ext_flags);
    }
    stored = head.ext_bytes;
    if (stored != ndr_header_ext_bytes(h)) {
        return ndr_fail(err, NDRING_ERR_HEADER, "frame at position %llu: extension of %u bytes, its flags need %u",
                        (unsigned long long)position, head.ext_bytes, ndr_header_ext_bytes(h));
    }
    if (NDRING_BASE_BYTES + stored > space) {
        return ndr_fail(err, NDRING_ERR_HEADER, "frame at position %llu: extension reaches past the wrap",
                        (unsigned long long)position);
    }
    memcpy(extent, src + NDRING_FR_SHAPE, stored - NDRING_EXT_MIN_BYTES);
    h->role = head.role;
    h->sequence = head.sequence;
    h->time_ns = head.time_ns;
    h->stream = head.stream;
    h->source = head.source;
    h->source_id = head.source_id;
    for (i = 0; h->ext_flags & NDRING_EXT_SHAPE && i < h->ndim; i++) {
        h->shape[i] = *extent++;
    }
    for (i = 0; h->ext_flags & NDRING_EXT_STRIDES && i < h->ndim; i++) {
        h->strides[i] = (int64_t)*extent++;
    }
    return NDRING_OK;
}

/* ndr_header_array derives what the frame leaves out and proves that the array lies
 * inside the payload. */
static inline int ndr_header_array(ndring_header *h, uint64_t position, ndring_error *err) {
    uint64_t item = ndring_dtype_bytes(h->dtype), need = 0;

    if (!(h->ext_flags & NDRING_EXT_SHAPE) && h->ndim > 0) {
        if (h->ndim > 1 || h->payload_bytes % item != 0) {
            return ndr_fail(err, NDRING_ERR_SHAPE, "frame at position %llu: %u dimensions of %llu bytes without a shape",
                            (unsigned long long)position, h->ndim, (unsigned long long)h->payload_bytes);
        }
        h->shape[0] = h->payload_bytes / item;
    }
    if (h->ext_flags & NDRING_EXT_STRIDES) {
        if (!ndr_reach(item, h->ndim, h->shape, h->strides, &need) || need > h->payload_bytes) {
            return ndr_fail(err, NDRING_ERR_SHAPE, "frame at position %llu: strides reach beyond the payload or are none",
                            (unsigned long long)position);
        }
        return NDRING_OK;
    }
    if (!ndr_contiguous(item, h->ndim, h->shape, h->strides, &need) || need != h->payload_bytes) {
        return ndr_fail(err, NDRING_ERR_SHAPE, "frame at position %llu: shape and payload of %llu bytes differ",
                        (unsigned long long)position, (unsigned long long)h->payload_bytes);
    }
    return NDRING_OK;
}

static inline int ndr_header_padding(ndring_header *h, uint64_t space, uint64_t position, ndring_error *err) {
    if (h->flags & NDRING_FLAG_EXTENDED) {
        return ndr_fail(err, NDRING_ERR_HEADER, "padding at position %llu: has an extension", (unsigned long long)position);
    }
    h->ndim = 1; /* whatever is stored, padding is an inline run of bytes */
    if (ndr_header_frame(h) != space) {
        return ndr_fail(err, NDRING_ERR_HEADER, "padding at position %llu: %llu bytes, the wrap is %llu away",
                        (unsigned long long)position, (unsigned long long)ndr_header_frame(h), (unsigned long long)space);
    }
    return NDRING_OK;
}

/* ndr_header_decode reads the header of the frame at position whose commit word was
 * loaded and found to be position|kind. src is 8-aligned and has space bytes to the
 * wrap. Each byte is read once: another process may store there. */
static inline int ndr_header_decode(ndring_header *h, uint32_t kind, const uint8_t *src, uint64_t space,
                                    uint64_t position, uint64_t limit, ndring_error *err) {
    uint64_t words[2];
    int status;

    memset(h, 0, sizeof *h);
    if (space < NDRING_LINE_BYTES) {
        return ndr_fail(err, NDRING_ERR_TRUNCATED, "frame at position %llu: %llu bytes to the wrap",
                        (unsigned long long)position, (unsigned long long)space);
    }
    memcpy(words, src + NDRING_FR_NUMBER, sizeof words);
    h->kind = (uint8_t)kind;
    h->number = words[0];
    h->payload_bytes = words[1] & NDRING_DESC_LEN_MASK;
    h->dtype = (uint8_t)(words[1] >> NDRING_DESC_DTYPE_SHIFT);
    h->ndim = (words[1] >> NDRING_DESC_NDIM_SHIFT) & 0xf;
    h->flags = (uint8_t)(words[1] >> NDRING_DESC_FLAG_SHIFT);
    if (h->flags & ~NDR_FLAGS_KNOWN) {
        return ndr_fail(err, NDRING_ERR_HEADER, "frame at position %llu: unknown flags %#x", (unsigned long long)position,
                        h->flags);
    }
    if (kind == NDRING_KIND_PADDING) {
        return ndr_header_padding(h, space, position, err);
    }
    if (h->payload_bytes > limit) {
        return ndr_fail(err, NDRING_ERR_HEADER, "frame at position %llu: payload of %llu bytes over the limit of %llu",
                        (unsigned long long)position, (unsigned long long)h->payload_bytes, (unsigned long long)limit);
    }
    if (ndring_dtype_bytes(h->dtype) == 0 || h->ndim > NDRING_MAX_DIMS ||
        (!(h->flags & NDRING_FLAG_EXTENDED) && h->ndim != 1)) {
        return ndr_fail(err, NDRING_ERR_HEADER, "frame at position %llu: dtype code %u, %u dimensions",
                        (unsigned long long)position, h->dtype, h->ndim);
    }
    if (h->flags & NDRING_FLAG_EXTENDED) {
        status = ndr_header_extension(h, src, space, position, err);
        if (status != NDRING_OK) {
            return status;
        }
    }
    if (ndr_header_frame(h) > space) {
        return ndr_fail(err, NDRING_ERR_HEADER, "frame at position %llu: %llu bytes reach past the wrap, %llu left",
                        (unsigned long long)position, (unsigned long long)ndr_header_frame(h), (unsigned long long)space);
    }
    return ndr_header_array(h, position, err);
}

/* ndr_header_impossible says why no frame can hold an array. */
static inline int ndr_header_impossible(const ndring_header *h, uint64_t item, ndring_error *err) {
    uint32_t i;

    for (i = 0; (h->ext_flags & NDRING_EXT_STRIDES) && i < h->ndim; i++) {
        if (h->strides[i] < 0 || (uint64_t)h->strides[i] % item != 0) {
            return ndr_fail(err, NDRING_ERR_SHAPE, "stride %lld of dimension %u is negative or not a multiple of the %llu-byte element",
                            (long long)h->strides[i], i, (unsigned long long)item);
        }
    }
    return ndr_fail(err, NDRING_ERR_SHAPE, "%u dimensions of %s take more than the %llu bytes of any frame", h->ndim,
                    ndring_dtype_name(h->dtype), (unsigned long long)NDRING_MAX_PAYLOAD_BYTES);
}

/* ndr_header_complete derives payload, shape flag and strides from what a writer
 * said. */
static inline int ndr_header_complete(ndring_header *h, ndring_error *err) {
    uint64_t item = ndring_dtype_bytes(h->dtype);
    int good;

    if ((h->flags & ~NDR_FLAGS_KNOWN) || (h->ext_flags & ~NDR_EXT_KNOWN)) {
        return ndr_fail(err, NDRING_ERR_HEADER, "unknown flags %#x or extension flags %#x", h->flags, h->ext_flags);
    }
    if (item == 0) {
        return ndr_fail(err, NDRING_ERR_DTYPE, "dtype code %u", h->dtype);
    }
    if (h->ndim > NDRING_MAX_DIMS) {
        return ndr_fail(err, NDRING_ERR_SHAPE, "%u dimensions, at most %u", h->ndim, NDRING_MAX_DIMS);
    }
    if (h->ndim > 1 || (h->ext_flags & NDRING_EXT_STRIDES)) {
        h->ext_flags |= NDRING_EXT_SHAPE;
    }
    good = h->ext_flags & NDRING_EXT_STRIDES ? ndr_reach(item, h->ndim, h->shape, h->strides, &h->payload_bytes)
                                             : ndr_contiguous(item, h->ndim, h->shape, h->strides, &h->payload_bytes);
    return good ? NDRING_OK : ndr_header_impossible(h, item, err);
}

/* ndr_header_encode stores everything of the header but the commit word. Reserved
 * bytes up to the payload are zeroed. */
static inline void ndr_header_encode(const ndring_header *h, uint8_t *dst) {
    ndr_frame_head head;
    uint64_t head_bytes = ndr_header_head(h), *extent = head.extents, tail;
    uint32_t i, flags = h->flags;

    memset(&head, 0, sizeof head);
    head.number = h->number;
    if (ndr_header_extended(h)) {
        flags |= NDRING_FLAG_EXTENDED;
        head.ext_bytes = (uint16_t)ndr_header_ext_bytes(h);
        head.ext_flags = h->ext_flags;
        head.role = h->role;
        head.sequence = h->sequence;
        head.time_ns = h->time_ns;
        head.stream = h->stream;
        head.source = h->source;
        head.source_id = h->source_id;
        for (i = 0; h->ext_flags & NDRING_EXT_SHAPE && i < h->ndim; i++) {
            *extent++ = h->shape[i];
        }
        for (i = 0; h->ext_flags & NDRING_EXT_STRIDES && i < h->ndim; i++) {
            *extent++ = (uint64_t)h->strides[i];
        }
    }
    head.describe = ndr_describe(h->payload_bytes, h->dtype, h->ndim, flags);
    tail = head_bytes < sizeof head ? head_bytes : sizeof head;
    memcpy(dst + NDRING_FR_NUMBER, &head.number, tail - NDRING_FR_NUMBER);
    memset(dst + tail, 0, head_bytes - tail);
}

#endif
