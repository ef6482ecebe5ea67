/* Element types, extents and byte strides. */
#ifndef NDRING_ARRAY_H
#define NDRING_ARRAY_H

#include "ndring_layout.h"
#include "ndring_status.h"

/* ndring_dtype_bytes returns the bytes of one element, 0 for an unknown code. */
static inline uint32_t ndring_dtype_bytes(uint32_t dtype) {
    switch (dtype) {
#define NDR_DTYPE(code, name, descr, size) \
    case code:                             \
        return size;
        NDRING_DTYPES(NDR_DTYPE)
#undef NDR_DTYPE
    default:
        return 0;
    }
}

/* ndring_dtype_name returns the short name, such as "f64", or "?". */
static inline const char *ndring_dtype_name(uint32_t dtype) {
    switch (dtype) {
#define NDR_DTYPE(code, name, descr, size) \
    case code:                             \
        return name;
        NDRING_DTYPES(NDR_DTYPE)
#undef NDR_DTYPE
    default:
        return "?";
    }
}

/* ndring_dtype_parse returns the code of a short name or a NumPy type string, 0 if
 * there is none. */
static inline uint32_t ndring_dtype_parse(const char *text) {
#define NDR_DTYPE(code, name, descr, size)                     \
    if (strcmp(text, name) == 0 || strcmp(text, descr) == 0) { \
        return code;                                           \
    }
    NDRING_DTYPES(NDR_DTYPE)
#undef NDR_DTYPE
    return 0;
}

/* ndr_contiguous fills in the byte strides of a C-order array and stores its size in
 * bytes. It returns 0 when the size does not fit a frame. */
static inline int ndr_contiguous(uint64_t item, uint32_t ndim, const uint64_t *shape, int64_t *strides, uint64_t *bytes) {
    uint64_t size = item;
    int empty = 0;
    uint32_t i;

    for (i = ndim; i-- > 0;) {
        strides[i] = (int64_t)size;
        if (shape[i] == 0) {
            empty = 1;
            continue;
        }
        if (__builtin_mul_overflow(size, shape[i], &size) || size > NDRING_MAX_PAYLOAD_BYTES) {
            return 0;
        }
    }
    *bytes = empty ? 0 : size;
    return 1;
}

/* ndr_reach stores how many bytes from its first element on a strided array takes.
 * It returns 0 for a stride or a reach that a frame cannot have. */
static inline int ndr_reach(uint64_t item, uint32_t ndim, const uint64_t *shape, const int64_t *strides, uint64_t *bytes) {
    uint64_t reach = item, step;
    int empty = 0;
    uint32_t i;

    for (i = 0; i < ndim; i++) {
        if (strides[i] < 0 || (uint64_t)strides[i] % item != 0) {
            return 0;
        }
        if (shape[i] == 0) {
            empty = 1;
            continue;
        }
        if (__builtin_mul_overflow(shape[i] - 1, (uint64_t)strides[i], &step) || step > NDRING_MAX_PAYLOAD_BYTES ||
            reach + step > NDRING_MAX_PAYLOAD_BYTES) {
            return 0;
        }
        reach += step;
    }
    *bytes = empty ? 0 : reach;
    return 1;
}

#endif
