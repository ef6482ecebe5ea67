/* What lies in a ring's files as C structures, each field's offset proven against the
 * generated constants. docs/layout.md describes them. */
#ifndef NDRING_WIRE_H
#define NDRING_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "ndring_layout.h"

#if !defined(__linux__) || UINTPTR_MAX < UINT64_MAX
#error "ndring needs 64-bit Linux: rings are files in /dev/shm, mapped whole"
#endif
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ndring is little-endian: this machine cannot share its rings"
#endif

#if defined(__cplusplus)
#define NDR_ASSERT(condition) static_assert(condition, #condition)
#else
#define NDR_ASSERT(condition) _Static_assert(condition, #condition)
#endif
#define NDR_AT(structure, field, offset) NDR_ASSERT(offsetof(structure, field) == (offset))

typedef struct ndr_identity {
    uint64_t magic;
    uint32_t endian;
    uint16_t major_version;
    uint16_t minor_version;
    uint64_t required;
    uint64_t optional;
    uint64_t writer_off;
    uint64_t writer_bytes;
    uint64_t data_off;
    uint64_t capacity;
    uint8_t ring_id[16];
    uint64_t frame_limit;
    uint64_t start;
    uint64_t created_ns;
    uint32_t creator_pid;
    uint32_t creator_uid;
    uint32_t policy;
    uint32_t slots;
    uint8_t schema_dtype;
    uint8_t schema_ndim;
    uint8_t reserved0[6];
    uint64_t schema_shape[NDRING_MAX_DIMS];
    char name[NDRING_MAX_NAME_BYTES];
    char creator_exe[NDRING_MAX_NAME_BYTES];
    uint32_t meta_bytes;
    uint8_t reserved1[NDRING_ID_META - NDRING_ID_RESERVED1];
    uint8_t meta[NDRING_MAX_META_BYTES];
    uint64_t crc;
    uint64_t ready;
} ndr_identity;

NDR_AT(ndr_identity, magic, NDRING_ID_MAGIC);
NDR_AT(ndr_identity, endian, NDRING_ID_ENDIAN);
NDR_AT(ndr_identity, major_version, NDRING_ID_MAJOR);
NDR_AT(ndr_identity, minor_version, NDRING_ID_MINOR);
NDR_AT(ndr_identity, required, NDRING_ID_REQUIRED);
NDR_AT(ndr_identity, optional, NDRING_ID_OPTIONAL);
NDR_AT(ndr_identity, writer_off, NDRING_ID_WRITER_OFF);
NDR_AT(ndr_identity, writer_bytes, NDRING_ID_WRITER_BYTES);
NDR_AT(ndr_identity, data_off, NDRING_ID_DATA_OFF);
NDR_AT(ndr_identity, capacity, NDRING_ID_CAPACITY);
NDR_AT(ndr_identity, ring_id, NDRING_ID_RING_ID);
NDR_AT(ndr_identity, frame_limit, NDRING_ID_FRAME_LIMIT);
NDR_AT(ndr_identity, start, NDRING_ID_START);
NDR_AT(ndr_identity, created_ns, NDRING_ID_CREATED_NS);
NDR_AT(ndr_identity, creator_pid, NDRING_ID_CREATOR_PID);
NDR_AT(ndr_identity, creator_uid, NDRING_ID_CREATOR_UID);
NDR_AT(ndr_identity, policy, NDRING_ID_POLICY);
NDR_AT(ndr_identity, slots, NDRING_ID_SLOTS);
NDR_AT(ndr_identity, schema_dtype, NDRING_ID_SCHEMA_DTYPE);
NDR_AT(ndr_identity, schema_ndim, NDRING_ID_SCHEMA_NDIM);
NDR_AT(ndr_identity, reserved0, NDRING_ID_RESERVED0);
NDR_AT(ndr_identity, schema_shape, NDRING_ID_SCHEMA_SHAPE);
NDR_AT(ndr_identity, name, NDRING_ID_NAME);
NDR_AT(ndr_identity, creator_exe, NDRING_ID_CREATOR_EXE);
NDR_AT(ndr_identity, meta_bytes, NDRING_ID_META_BYTES);
NDR_AT(ndr_identity, reserved1, NDRING_ID_RESERVED1);
NDR_AT(ndr_identity, meta, NDRING_ID_META);
NDR_AT(ndr_identity, crc, NDRING_ID_CRC);
NDR_AT(ndr_identity, ready, NDRING_ID_READY);
NDR_ASSERT(sizeof(ndr_identity) == NDRING_IDENTITY_BYTES);

typedef struct ndr_writer_words {
    uint64_t epoch;
    uint64_t final_word;
    uint64_t flags;
    uint64_t pid;
    uint64_t started_ns;
    uint8_t reserved0[NDRING_WR_LIMIT - NDRING_WR_RESERVED0];
    uint64_t limit;
    uint8_t reserved1[NDRING_WR_TAIL - NDRING_WR_LIMIT - 8];
    uint64_t tail;
    uint64_t number;
    uint64_t tail_ns;
    uint8_t reserved2[NDRING_WR_DROPPED - NDRING_WR_TAIL_NS - 8];
    uint64_t dropped;
    uint64_t blocks;
    uint64_t blocked_ns;
    uint64_t blocked_since;
    uint64_t blocked_by;
    uint64_t evictions;
    uint64_t rescues;
    uint8_t reserved3[NDRING_WR_MARKS - NDRING_WR_RESCUES - 8];
    uint64_t marks[NDRING_MARK_COUNT];
    uint8_t reserved4[NDRING_WRITER_BYTES - NDRING_WR_MARKS - 8 * NDRING_MARK_COUNT];
} ndr_writer_words;

NDR_AT(ndr_writer_words, epoch, NDRING_WR_EPOCH);
NDR_AT(ndr_writer_words, final_word, NDRING_WR_FINAL);
NDR_AT(ndr_writer_words, flags, NDRING_WR_FLAGS);
NDR_AT(ndr_writer_words, pid, NDRING_WR_PID);
NDR_AT(ndr_writer_words, started_ns, NDRING_WR_STARTED_NS);
NDR_AT(ndr_writer_words, reserved0, NDRING_WR_RESERVED0);
NDR_AT(ndr_writer_words, limit, NDRING_WR_LIMIT);
NDR_AT(ndr_writer_words, tail, NDRING_WR_TAIL);
NDR_AT(ndr_writer_words, number, NDRING_WR_NUMBER);
NDR_AT(ndr_writer_words, tail_ns, NDRING_WR_TAIL_NS);
NDR_AT(ndr_writer_words, dropped, NDRING_WR_DROPPED);
NDR_AT(ndr_writer_words, blocks, NDRING_WR_BLOCKS);
NDR_AT(ndr_writer_words, blocked_ns, NDRING_WR_BLOCKED_NS);
NDR_AT(ndr_writer_words, blocked_since, NDRING_WR_BLOCKED_SINCE);
NDR_AT(ndr_writer_words, blocked_by, NDRING_WR_BLOCKED_BY);
NDR_AT(ndr_writer_words, evictions, NDRING_WR_EVICTIONS);
NDR_AT(ndr_writer_words, rescues, NDRING_WR_RESCUES);
NDR_AT(ndr_writer_words, marks, NDRING_WR_MARKS);
NDR_ASSERT(sizeof(ndr_writer_words) == NDRING_WRITER_BYTES);

typedef struct ndr_table_head {
    uint64_t magic;
    uint16_t major_version;
    uint16_t minor_version;
    uint32_t slots;
    uint8_t ring_id[16];
    uint64_t epoch;
    uint8_t reserved0[NDRING_TB_READERS_PARKED - NDRING_TB_RESERVED0];
    uint64_t readers_parked;
    uint8_t reserved1[NDRING_TB_WRITER_PARKED - NDRING_TB_READERS_PARKED - 8];
    uint64_t writer_parked;
    uint8_t reserved2[NDRING_TABLE_HEAD_BYTES - NDRING_TB_WRITER_PARKED - 8];
} ndr_table_head;

NDR_AT(ndr_table_head, magic, NDRING_TB_MAGIC);
NDR_AT(ndr_table_head, major_version, NDRING_TB_MAJOR);
NDR_AT(ndr_table_head, minor_version, NDRING_TB_MINOR);
NDR_AT(ndr_table_head, slots, NDRING_TB_SLOTS);
NDR_AT(ndr_table_head, ring_id, NDRING_TB_RING_ID);
NDR_AT(ndr_table_head, epoch, NDRING_TB_EPOCH);
NDR_AT(ndr_table_head, reserved0, NDRING_TB_RESERVED0);
NDR_AT(ndr_table_head, readers_parked, NDRING_TB_READERS_PARKED);
NDR_AT(ndr_table_head, writer_parked, NDRING_TB_WRITER_PARKED);
NDR_ASSERT(sizeof(ndr_table_head) == NDRING_TABLE_HEAD_BYTES);

typedef struct ndr_slot {
    uint64_t state;
    uint32_t pid;
    uint32_t wake;
    uint32_t keep_ms;
    uint32_t evict_ms;
    uint64_t start;
    uint64_t attached_ns;
    uint8_t reserved0[NDRING_SL_NAME - NDRING_SL_RESERVED0];
    char name[NDRING_MAX_NAME_BYTES];
    uint8_t reserved1[NDRING_SL_CURSOR - NDRING_SL_NAME - NDRING_MAX_NAME_BYTES];
    uint64_t cursor;
    uint64_t next;
    uint8_t reserved2[NDRING_SL_PARKED - NDRING_SL_NEXT - 8];
    uint64_t parked;
    uint64_t flags;
    uint8_t reserved3[NDRING_SLOT_BYTES - NDRING_SL_FLAGS - 8];
} ndr_slot;

NDR_AT(ndr_slot, state, NDRING_SL_STATE);
NDR_AT(ndr_slot, pid, NDRING_SL_PID);
NDR_AT(ndr_slot, wake, NDRING_SL_WAKE);
NDR_AT(ndr_slot, keep_ms, NDRING_SL_KEEP_MS);
NDR_AT(ndr_slot, evict_ms, NDRING_SL_EVICT_MS);
NDR_AT(ndr_slot, start, NDRING_SL_START);
NDR_AT(ndr_slot, attached_ns, NDRING_SL_ATTACHED_NS);
NDR_AT(ndr_slot, reserved0, NDRING_SL_RESERVED0);
NDR_AT(ndr_slot, name, NDRING_SL_NAME);
NDR_AT(ndr_slot, cursor, NDRING_SL_CURSOR);
NDR_AT(ndr_slot, next, NDRING_SL_NEXT);
NDR_AT(ndr_slot, parked, NDRING_SL_PARKED);
NDR_AT(ndr_slot, flags, NDRING_SL_FLAGS);
NDR_ASSERT(sizeof(ndr_slot) == NDRING_SLOT_BYTES);

/* The largest header of a frame: base, extension, shape and strides. */
typedef struct ndr_frame_head {
    uint64_t commit;
    uint64_t number;
    uint64_t describe;
    uint16_t ext_bytes;
    uint8_t ext_flags;
    uint8_t role;
    uint32_t sequence;
    uint64_t time_ns;
    uint64_t stream;
    uint64_t source;
    uint64_t source_id;
    uint64_t extents[2 * NDRING_MAX_DIMS];
} ndr_frame_head;

NDR_AT(ndr_frame_head, commit, NDRING_FR_COMMIT);
NDR_AT(ndr_frame_head, number, NDRING_FR_NUMBER);
NDR_AT(ndr_frame_head, describe, NDRING_FR_DESCRIBE);
NDR_AT(ndr_frame_head, ext_bytes, NDRING_BASE_BYTES);
NDR_AT(ndr_frame_head, ext_bytes, NDRING_FR_EXT_BYTES);
NDR_AT(ndr_frame_head, ext_flags, NDRING_FR_EXT_FLAGS);
NDR_AT(ndr_frame_head, role, NDRING_FR_ROLE);
NDR_AT(ndr_frame_head, sequence, NDRING_FR_SEQUENCE);
NDR_AT(ndr_frame_head, time_ns, NDRING_FR_TIME_NS);
NDR_AT(ndr_frame_head, stream, NDRING_FR_STREAM);
NDR_AT(ndr_frame_head, source, NDRING_FR_SOURCE);
NDR_AT(ndr_frame_head, source_id, NDRING_FR_SOURCE_ID);
NDR_AT(ndr_frame_head, extents, NDRING_FR_SHAPE);
NDR_ASSERT(sizeof(ndr_frame_head) == NDRING_HEAD_MAX);
NDR_ASSERT(NDRING_FR_SHAPE == NDRING_BASE_BYTES + NDRING_EXT_MIN_BYTES);

#endif
