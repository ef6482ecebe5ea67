/* Messages of the control socket: lengths, checks, names. The structures stand in
 * ndring_packet.h; a message is copied whole and then checked. */
#ifndef NDRING_MESSAGE_H
#define NDRING_MESSAGE_H

#include "ndring_identity.h"
#include "ndring_packet.h"

/* ndr_message_bytes is the length of a message of a type, 0 if it is unknown. */
static inline uint32_t ndr_message_bytes(uint32_t type) {
    switch (type) {
    case NDRING_MSG_HELLO:
        return NDRING_HELLO_BYTES;
    case NDRING_MSG_WELCOME:
        return NDRING_WELCOME_BYTES;
    case NDRING_MSG_REFUSAL:
        return NDRING_REFUSAL_BYTES;
    default:
        return type >= NDRING_MSG_PUBLISHED && type <= NDRING_MSG_GOODBYE ? NDRING_NOTE_BYTES : 0;
    }
}

/* ndr_message_type checks type and length of a packet and stores its type. */
static inline int ndr_message_type(const void *packet, size_t bytes, uint32_t *type, ndring_error *err) {
    ndr_note head;

    if (bytes < NDRING_NOTE_BYTES) {
        return ndr_fail(err, NDRING_ERR_MESSAGE, "message of %zu bytes", bytes);
    }
    memcpy(&head, packet, sizeof head);
    *type = head.type;
    if (ndr_message_bytes(head.type) == 0 || head.bytes != bytes || ndr_message_bytes(head.type) != bytes) {
        return ndr_fail(err, NDRING_ERR_MESSAGE, "message type %u of %zu bytes states %u", head.type, bytes, head.bytes);
    }
    return NDRING_OK;
}

static inline int ndr_hello_check(const ndr_hello *h, ndring_error *err) {
    char name[NDRING_MAX_NAME_BYTES + 1];

    if (h->major_version != NDRING_VERSION_MAJOR) {
        return ndr_fail(err, NDRING_ERR_VERSION, "client speaks version %u.%u, this ring %u.%u", h->major_version,
                        h->minor_version, NDRING_VERSION_MAJOR, NDRING_VERSION_MINOR);
    }
    if ((h->role != NDRING_ROLE_READER && h->role != NDRING_ROLE_OBSERVER) ||
        (h->wake != NDRING_WAKE_PARK && h->wake != NDRING_WAKE_STREAM)) {
        return ndr_fail(err, NDRING_ERR_MESSAGE, "role %u, wake mode %u", h->role, h->wake);
    }
    if (h->role == NDRING_ROLE_OBSERVER && h->wake != NDRING_WAKE_STREAM) {
        return ndr_fail(err, NDRING_ERR_MESSAGE, "an observer cannot park, it maps everything read-only");
    }
    if (h->start < NDRING_START_OLDEST || h->start > NDRING_START_POSITION ||
        (h->flags & ~(NDRING_HELLO_ASYMMETRIC | NDRING_HELLO_RECONNECT | NDRING_HELLO_BARRIER))) {
        return ndr_fail(err, NDRING_ERR_MESSAGE, "start %u, flags %#x", h->start, h->flags);
    }
    ndr_field_name(name, h->name);
    return name[0] == 0 ? NDRING_OK : ndr_name_check(name, err);
}

static inline void ndr_note_encode(ndr_note *note, uint32_t type, uint32_t code, uint64_t position) {
    note->type = (uint16_t)type;
    note->bytes = NDRING_NOTE_BYTES;
    note->code = code;
    note->position = position;
}

/* ndr_code_status is the status that a refusal's code means. */
static inline int ndr_code_status(uint32_t code) {
    switch (code) {
    case NDRING_CODE_VERSION:
        return NDRING_ERR_VERSION;
    case NDRING_CODE_NAME_IN_USE:
        return NDRING_ERR_NAME_IN_USE;
    case NDRING_CODE_TABLE_FULL:
        return NDRING_ERR_TABLE_FULL;
    case NDRING_CODE_POSITION:
        return NDRING_ERR_NO_POSITION;
    case NDRING_CODE_DENIED:
        return NDRING_ERR_DENIED;
    default:
        return NDRING_ERR_REFUSED;
    }
}

/* ndr_code_text says why a reader was evicted. */
static inline const char *ndr_code_text(uint32_t code) {
    switch (code) {
    case NDRING_CODE_TOO_SLOW:
        return "held the full ring longer than agreed";
    case NDRING_CODE_CURSOR:
        return "cursor went backwards or beyond the tail";
    case NDRING_CODE_MALFORMED:
        return "broke the protocol of the control socket";
    default:
        return "for a reason this version does not know";
    }
}

#endif
