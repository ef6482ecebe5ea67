/* The messages of the control socket as C structures, each field's offset proven against
 * the generated constants. docs/protocol.md describes them. */
#ifndef NDRING_PACKET_H
#define NDRING_PACKET_H

#include "ndring_wire.h"

typedef struct ndr_note {
    uint16_t type;
    uint16_t bytes;
    uint32_t code;
    uint64_t position;
} ndr_note;

NDR_AT(ndr_note, type, NDRING_MG_TYPE);
NDR_AT(ndr_note, bytes, NDRING_MG_BYTES);
NDR_AT(ndr_note, code, NDRING_NT_CODE);
NDR_AT(ndr_note, position, NDRING_NT_POSITION);
NDR_ASSERT(sizeof(ndr_note) == NDRING_NOTE_BYTES);

typedef struct ndr_refusal {
    uint16_t type;
    uint16_t bytes;
    uint32_t code;
    uint64_t position;
    char sentence[NDRING_SENTENCE_MAX];
} ndr_refusal;

NDR_AT(ndr_refusal, code, NDRING_NT_CODE);
NDR_AT(ndr_refusal, position, NDRING_NT_POSITION);
NDR_AT(ndr_refusal, sentence, NDRING_RF_SENTENCE);
NDR_ASSERT(sizeof(ndr_refusal) == NDRING_REFUSAL_BYTES);
NDR_ASSERT(sizeof(ndr_refusal) == NDRING_MESSAGE_MAX);

typedef struct ndr_hello {
    uint16_t type;
    uint16_t bytes;
    uint16_t major_version;
    uint16_t minor_version;
    uint64_t position;
    uint8_t ring_id[16];
    uint8_t role;
    uint8_t wake;
    uint8_t start;
    uint8_t flags;
    uint32_t slot;
    uint32_t generation;
    uint32_t pid;
    uint32_t keep_ms;
    uint32_t evict_ms;
    uint8_t reserved0[NDRING_HE_NAME - NDRING_HE_RESERVED0];
    char name[NDRING_MAX_NAME_BYTES];
} ndr_hello;

NDR_AT(ndr_hello, major_version, NDRING_MG_BODY);
NDR_AT(ndr_hello, major_version, NDRING_HE_MAJOR);
NDR_AT(ndr_hello, minor_version, NDRING_HE_MINOR);
NDR_AT(ndr_hello, position, NDRING_HE_POSITION);
NDR_AT(ndr_hello, ring_id, NDRING_HE_RING_ID);
NDR_AT(ndr_hello, role, NDRING_HE_ROLE);
NDR_AT(ndr_hello, wake, NDRING_HE_WAKE);
NDR_AT(ndr_hello, start, NDRING_HE_START);
NDR_AT(ndr_hello, flags, NDRING_HE_FLAGS);
NDR_AT(ndr_hello, slot, NDRING_HE_SLOT);
NDR_AT(ndr_hello, generation, NDRING_HE_GENERATION);
NDR_AT(ndr_hello, pid, NDRING_HE_PID);
NDR_AT(ndr_hello, keep_ms, NDRING_HE_KEEP_MS);
NDR_AT(ndr_hello, evict_ms, NDRING_HE_EVICT_MS);
NDR_AT(ndr_hello, reserved0, NDRING_HE_RESERVED0);
NDR_AT(ndr_hello, name, NDRING_HE_NAME);
NDR_ASSERT(sizeof(ndr_hello) == NDRING_HELLO_BYTES);

typedef struct ndr_welcome {
    uint16_t type;
    uint16_t bytes;
    uint16_t major_version;
    uint16_t minor_version;
    uint64_t start;
    uint8_t ring_id[16];
    uint64_t epoch;
    uint32_t slot;
    uint32_t generation;
    uint32_t flags;
    uint32_t descriptors;
    uint64_t oldest;
    uint64_t tail;
    uint64_t table_bytes;
    uint8_t reserved0[NDRING_WELCOME_BYTES - NDRING_WE_RESERVED0];
} ndr_welcome;

NDR_AT(ndr_welcome, major_version, NDRING_WE_MAJOR);
NDR_AT(ndr_welcome, minor_version, NDRING_WE_MINOR);
NDR_AT(ndr_welcome, start, NDRING_WE_START);
NDR_AT(ndr_welcome, ring_id, NDRING_WE_RING_ID);
NDR_AT(ndr_welcome, epoch, NDRING_WE_EPOCH);
NDR_AT(ndr_welcome, slot, NDRING_WE_SLOT);
NDR_AT(ndr_welcome, generation, NDRING_WE_GENERATION);
NDR_AT(ndr_welcome, flags, NDRING_WE_FLAGS);
NDR_AT(ndr_welcome, descriptors, NDRING_WE_DESCRIPTORS);
NDR_AT(ndr_welcome, oldest, NDRING_WE_OLDEST);
NDR_AT(ndr_welcome, tail, NDRING_WE_TAIL);
NDR_AT(ndr_welcome, table_bytes, NDRING_WE_TABLE_BYTES);
NDR_AT(ndr_welcome, reserved0, NDRING_WE_RESERVED0);
NDR_ASSERT(sizeof(ndr_welcome) == NDRING_WELCOME_BYTES);

#endif
