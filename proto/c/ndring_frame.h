/* One frame under lease, as readers and observers return it. */
#ifndef NDRING_FRAME_H
#define NDRING_FRAME_H

#include "ndring_segment.h"

/* ndring_frame belongs to its reader and is reused by the next call of next. payload
 * points into the ring (an observer's into its own buffer) and is NULL once the frame
 * was released. */
typedef struct ndring_frame {
    ndring_header header; /* shape and strides are filled in */
    uint64_t position;
    uint64_t end;
    uint64_t lost; /* observers: frames missed before this one */
    const void *payload;
} ndring_frame;

/* ndring_frame_values stores the elements of a C-order frame of element type dtype and
 * their number. Errors: NDRING_ERR_RELEASED, NDRING_ERR_DTYPE, and NDRING_ERR_SHAPE for
 * a strided frame, whose payload is to be walked by header.strides. */
static inline int ndring_frame_values(const ndring_frame *f, uint32_t dtype, const void **values, uint64_t *count) {
    if (f->payload == NULL) {
        return NDRING_ERR_RELEASED;
    }
    if (f->header.dtype != dtype) {
        return NDRING_ERR_DTYPE;
    }
    if (f->header.ext_flags & NDRING_EXT_STRIDES) {
        return NDRING_ERR_SHAPE;
    }
    *values = f->payload;
    *count = f->header.payload_bytes / ndring_dtype_bytes(dtype);
    return NDRING_OK;
}

/* ndr_frame_set makes f the frame at position whose commit word was found good. */
static inline int ndr_frame_set(ndring_frame *f, const ndr_segment *s, uint64_t position, uint32_t kind, ndring_error *err) {
    int status = ndr_header_at(s, &f->header, position, kind, err);

    f->payload = NULL;
    if (status != NDRING_OK) {
        if (err != NULL) {
            err->status = NDRING_ERR_CORRUPT;
        }
        return NDRING_ERR_CORRUPT;
    }
    f->position = position;
    f->end = position + ndr_header_frame(&f->header);
    f->lost = 0;
    f->payload = ndr_at(s, position) + ndr_header_head(&f->header);
    return NDRING_OK;
}

/* ndr_frame_delivered stores whether the frame is for the caller: padding and skippable
 * kinds are not. */
static inline int ndr_frame_delivered(const ndring_frame *f, int *deliver, ndring_error *err) {
    uint32_t kind = f->header.kind;

    *deliver = kind == NDRING_KIND_DATA || kind == NDRING_KIND_STREAM_END;
    if (*deliver || kind == NDRING_KIND_PADDING || kind >= NDRING_KIND_SKIPPABLE) {
        return NDRING_OK;
    }
    return ndr_fail(err, NDRING_ERR_KIND, "frame at position %llu is of kind %u", (unsigned long long)f->position, kind);
}

static inline int ndr_unexpected(uint64_t position, uint64_t word, ndring_error *err) {
    return ndr_fail(err, NDRING_ERR_CORRUPT, "word %#llx at position %llu is neither 0 nor a commit", (unsigned long long)word,
                    (unsigned long long)position);
}

#endif
