/* A client's connection: what it holds, what the writer said last, its goodbye. */
#ifndef NDRING_SESSION_H
#define NDRING_SESSION_H

#include "ndring_socket.h"

/* ndr_session is one established connection. */
typedef struct ndr_session {
    ndr_welcome welcome;
    int socket;
    int bell;        /* the reader's doorbell, park mode only */
    int writer_bell; /* the writer's */
    ndr_segment segment;
    uint8_t *table; /* NULL for observers */
    uint64_t table_bytes;
    ndr_outbox out;
    uint64_t published;
    uint32_t evicted; /* code + 1 when evicted */
    int hung_up;
} ndr_session;

static inline void ndr_session_clear(ndr_session *s) {
    memset(s, 0, sizeof *s);
    s->socket = s->bell = s->writer_bell = -1;
}

static inline void ndr_session_close(ndr_session *s) {
    ndr_close(&s->socket);
    ndr_close(&s->bell);
    ndr_close(&s->writer_bell);
    ndr_unmap(&s->table, s->table_bytes);
    ndr_segment_close(&s->segment);
}

static inline ndr_table_head *ndr_session_table(const ndr_session *s) { return (ndr_table_head *)(void *)s->table; }

static inline ndr_slot *ndr_table_slot(uint8_t *table, uint32_t i) {
    return (ndr_slot *)(void *)(table + NDRING_TABLE_HEAD_BYTES + (uint64_t)i * NDRING_SLOT_BYTES);
}

/* ndr_session_serve takes in every message that is there. A breach of the protocol is
 * treated as a hang-up: the connection is worth nothing any more. */
static inline void ndr_session_serve(ndr_session *s) {
    uint8_t packet[NDR_PACKET];
    uint32_t type;
    ndr_note note;
    size_t n;

    while (!s->hung_up) {
        enum ndr_received got = ndr_receive(s->socket, packet, &n);
        if (got == NDR_WOULD_BLOCK) {
            break;
        }
        if (got != NDR_RECEIVED || ndr_message_type(packet, n, &type, NULL) != NDRING_OK || n != sizeof note) {
            s->hung_up = 1;
            return;
        }
        memcpy(&note, packet, sizeof note);
        switch (type) {
        case NDRING_MSG_PUBLISHED:
        case NDRING_MSG_CLOSED: /* the final position stands in the segment, too */
            if ((int64_t)(note.position - s->published) > 0) {
                s->published = note.position;
            }
            break;
        case NDRING_MSG_EVICTED:
            s->evicted = note.code + 1;
            break;
        case NDRING_MSG_PING:
            (void)ndr_outbox_offer(&s->out, s->socket, NDR_PLACE_PONG, NDRING_MSG_PONG, 0, note.position);
            break;
        default:
            break;
        }
    }
    if (!s->hung_up && !ndr_outbox_flush(&s->out, s->socket)) {
        s->hung_up = 1;
    }
}

/* ndr_session_until is when a reader whose writer died at lost_at gives up. */
static inline int64_t ndr_session_until(int64_t lost_at, int patience_ms) {
    return patience_ms < 0 ? INT64_MAX : lost_at + patience_ms;
}

static inline void ndr_session_goodbye(ndr_session *s, uint64_t position) {
    ndr_note note;

    if (!s->hung_up && s->socket >= 0) {
        ndr_note_encode(&note, NDRING_MSG_GOODBYE, 0, position);
        (void)ndr_send(s->socket, &note, sizeof note, NULL, 0);
    }
}

#endif
