/* What never changes about a ring: names, the identity region, the head of the
 * reader table. */
#ifndef NDRING_IDENTITY_H
#define NDRING_IDENTITY_H

#include "ndring_header.h"

/* ndr_field_name copies a zero-filled field of NDRING_MAX_NAME_BYTES bytes into a
 * string of one byte more. */
static inline void ndr_field_name(char *dst, const char *src) {
    size_t n = 0;

    while (n < NDRING_MAX_NAME_BYTES && src[n] != 0) {
        dst[n] = src[n];
        n++;
    }
    dst[n] = 0;
}

static inline int ndr_name_check(const char *name, ndring_error *err) {
    size_t i, n = strlen(name);
    ndr_quoted q;

    if (n == 0 || n > NDRING_MAX_NAME_BYTES || name[0] == '.' || name[0] == '-') {
        return ndr_fail(err, NDRING_ERR_NAME, "name %s has %zu bytes, 1 to %u are allowed, and no '.' or '-' in front",
                        ndr_quote(&q, name), n, NDRING_MAX_NAME_BYTES);
    }
    for (i = 0; i < n; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')) {
            return ndr_fail(err, NDRING_ERR_NAME, "name %s: use letters, digits, '.', '_' and '-'", ndr_quote(&q, name));
        }
    }
    return NDRING_OK;
}

/* ndr_crc32 is the CRC-32 of IEEE 802.3, bit by bit: it is needed once a ring. */
static inline uint32_t ndr_crc32(const uint8_t *bytes, size_t n) {
    uint32_t crc = ~(uint32_t)0;
    size_t i;
    int bit;

    for (i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

static inline int ndr_check_magic(uint64_t have, uint64_t want, const char *what, ndring_error *err) {
    if (have == want) {
        return NDRING_OK;
    }
    return ndr_fail(err, have == __builtin_bswap64(want) ? NDRING_ERR_ENDIAN : NDRING_ERR_MAGIC, "%s: magic %#llx", what,
                    (unsigned long long)have);
}

static inline int ndr_identity_geometry(const ndr_identity *id, ndring_error *err) {
    const char *what = NULL;

    if (id->meta_bytes > NDRING_MAX_META_BYTES) {
        what = "metadata";
    } else if (id->capacity == 0 || (id->capacity & (id->capacity - 1)) != 0 ||
               id->capacity < NDRING_MIN_CAPACITY_BYTES || id->capacity > NDRING_MAX_CAPACITY_BYTES) {
        what = "capacity";
    } else if (id->frame_limit == 0 || id->frame_limit > id->capacity / NDRING_PAYLOAD_DIVISOR) {
        what = "frame limit";
    } else if (id->writer_off < NDRING_IDENTITY_BYTES || id->writer_off > (uint64_t)1 << 30 ||
               id->writer_off % NDRING_PAGE_BYTES != 0 || id->writer_bytes < NDRING_WRITER_BYTES ||
               id->writer_bytes > (uint64_t)1 << 20) {
        what = "writer region";
    } else if (id->data_off > (uint64_t)1 << 31 || id->data_off % NDRING_PAGE_BYTES != 0 ||
               id->data_off < id->writer_off + id->writer_bytes) {
        what = "data region";
    } else if (id->start % NDRING_LINE_BYTES != 0) {
        what = "start position";
    } else if (id->slots == 0 || id->slots > NDRING_MAX_READER_SLOTS) {
        what = "number of reader slots";
    } else if (id->policy > NDRING_POLICY_DROP_NEWEST) {
        what = "policy";
    }
    if (what == NULL) {
        return NDRING_OK;
    }
    return ndr_fail(err, NDRING_ERR_GEOMETRY, "identity: %s is out of its bounds (capacity %llu, frame limit %llu, %u slots)",
                    what, (unsigned long long)id->capacity, (unsigned long long)id->frame_limit, id->slots);
}

/* ndr_identity_check reports the first contradiction in an identity. */
static inline int ndr_identity_check(const ndr_identity *id, ndring_error *err) {
    char name[NDRING_MAX_NAME_BYTES + 1];
    int status;

    if (id->major_version != NDRING_VERSION_MAJOR) {
        return ndr_fail(err, NDRING_ERR_VERSION, "ring has version %u.%u, this program speaks %u.%u", id->major_version,
                        id->minor_version, NDRING_VERSION_MAJOR, NDRING_VERSION_MINOR);
    }
    if (id->required != 0) {
        return ndr_fail(err, NDRING_ERR_FEATURE, "ring needs features %#llx", (unsigned long long)id->required);
    }
    ndr_field_name(name, id->name);
    status = ndr_name_check(name, err);
    if (status == NDRING_OK) {
        status = ndr_identity_geometry(id, err);
    }
    if (status != NDRING_OK) {
        return status;
    }
    if ((id->schema_dtype != 0 && ndring_dtype_bytes(id->schema_dtype) == 0) ||
        (id->schema_ndim != NDRING_ANY_NDIM && (id->schema_ndim > NDRING_MAX_DIMS || id->schema_dtype == 0))) {
        return ndr_fail(err, NDRING_ERR_SHAPE, "schema of dtype %u and %u dimensions", id->schema_dtype, id->schema_ndim);
    }
    return NDRING_OK;
}

/* ndr_identity_decode copies the identity at the start of bytes bytes and checks the
 * copy, in the order that tells a foreign file, another byte order, another version
 * and damage apart. */
static inline int ndr_identity_decode(ndr_identity *id, const void *src, uint64_t bytes, ndring_error *err) {
    int status;

    if (bytes < NDRING_IDENTITY_BYTES) {
        return ndr_fail(err, NDRING_ERR_TRUNCATED, "segment has %llu bytes, its identity needs %u", (unsigned long long)bytes,
                        NDRING_IDENTITY_BYTES);
    }
    memcpy(id, src, sizeof *id);
    status = ndr_check_magic(id->magic, NDRING_SEGMENT_MAGIC, "segment", err);
    if (status != NDRING_OK) {
        return status;
    }
    if (id->endian != NDRING_ENDIAN_PROBE) {
        return ndr_fail(err, NDRING_ERR_ENDIAN, "segment: byte order probe %#x", id->endian);
    }
    if (id->major_version != NDRING_VERSION_MAJOR) {
        return ndr_identity_check(id, err);
    }
    if (id->ready != NDRING_READY_WORD) {
        return ndr_fail(err, NDRING_ERR_NOT_READY, "segment: ready word %#llx", (unsigned long long)id->ready);
    }
    if (id->crc != ndr_crc32((const uint8_t *)id, NDRING_ID_CRC)) {
        return ndr_fail(err, NDRING_ERR_CHECKSUM, "identity: CRC %#llx", (unsigned long long)id->crc);
    }
    return ndr_identity_check(id, err);
}

static inline uint64_t ndr_table_bytes(uint32_t slots) {
    return NDRING_TABLE_HEAD_BYTES + (uint64_t)slots * NDRING_SLOT_BYTES;
}

/* ndr_table_decode copies and checks the head of a reader table of bytes bytes. */
static inline int ndr_table_decode(ndr_table_head *head, const void *src, uint64_t bytes, ndring_error *err) {
    int status;

    if (bytes < NDRING_TABLE_HEAD_BYTES) {
        return ndr_fail(err, NDRING_ERR_TRUNCATED, "reader table has %llu bytes", (unsigned long long)bytes);
    }
    memcpy(head, src, sizeof *head);
    status = ndr_check_magic(head->magic, NDRING_TABLE_MAGIC, "reader table", err);
    if (status != NDRING_OK) {
        return status;
    }
    if (head->major_version != NDRING_VERSION_MAJOR) {
        return ndr_fail(err, NDRING_ERR_VERSION, "reader table has version %u.%u", head->major_version, head->minor_version);
    }
    if (head->slots == 0 || head->slots > NDRING_MAX_READER_SLOTS) {
        return ndr_fail(err, NDRING_ERR_GEOMETRY, "reader table of %u slots", head->slots);
    }
    if (bytes < ndr_table_bytes(head->slots)) {
        return ndr_fail(err, NDRING_ERR_TRUNCATED, "reader table of %u slots has %llu bytes", head->slots,
                        (unsigned long long)bytes);
    }
    return NDRING_OK;
}

#endif
