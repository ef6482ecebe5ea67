/* The answer to a hello: a slot and a position for a reader, new or come back, or a
 * refusal. docs/protocol.md, "Handshake". */
#ifndef NDRING_ATTACH_H
#define NDRING_ATTACH_H

#include "ndring_connection.h"

#define NDR_EXIT_MS 20         /* how long a process that closed its sockets may take to end */

/* ndr_server_departed looks whether a reader's process has ended before the event for it
 * was served. */
static inline int ndr_server_departed(ndr_server *s, ndr_connection *c, pid_t pid) {
    if (c->stage == NDR_SEVERED && c->peer.pid == pid) {
        return 1; /* it comes back */
    }
    if (c->process < 0 || !ndr_readable(c->process, c->stage == NDR_SEVERED ? NDR_EXIT_MS : 0)) {
        return 0;
    }
    ndr_connection_process_ended(s, c);
    return 1;
}

/* ndr_server_named looks for a live reader of the same name; NULL = none. */
static inline const ndr_connection *ndr_server_named(ndr_server *s, const ndr_connection *c, const char *name) {
    ndr_connection *other, *next;

    for (other = s->clients; name[0] != 0 && other != NULL; other = next) {
        next = other->next;
        if (other != c && other->slot >= 0 && strcmp(s->core.readers[other->slot].name, name) == 0 &&
            !ndr_server_departed(s, other, c->peer.pid)) {
            return other;
        }
    }
    return NULL;
}

/* ndr_server_lost_slot finds the slot kept for a reader: by slot and generation when it
 * reconnects, or by name; -1 = none. */
static inline int ndr_server_lost_slot(const ndr_server *s, const ndr_connection *c, const char *name) {
    const ndr_hello *h = &c->hello;
    uint32_t i;

    if ((h->flags & NDRING_HELLO_RECONNECT) && h->slot < s->core.top) {
        const ndr_record *r = &s->core.readers[h->slot];
        if (r->state == NDRING_SLOT_LOST && r->generation == h->generation && strcmp(r->name, name) == 0 &&
            (r->owner == NULL || r->owner->peer.pid == c->peer.pid)) {
            return (int)h->slot;
        }
    }
    for (i = 0; name[0] != 0 && i < s->core.top; i++) {
        if (s->core.readers[i].state == NDRING_SLOT_LOST && strcmp(s->core.readers[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* ndr_server_forget ends the wait for a lost slot's reader. */
static inline void ndr_server_forget(ndr_server *s, uint32_t slot) {
    ndr_connection *owner = s->core.readers[slot].owner;

    s->core.readers[slot].lost_until = 0;
    if (owner != NULL && owner->stage == NDR_SEVERED) {
        ndr_server_evict(s, slot, NDRING_CODE_NONE);
        return;
    }
    ndr_free_slot(&s->core, slot);
}

/* ndr_server_occupy makes a slot the connection's, at position start. */
static inline void ndr_server_occupy(ndr_server *s, ndr_connection *c, uint32_t slot, const char *name, uint64_t start) {
    ndr_core *w = &s->core;
    ndr_record *r = &w->readers[slot];

    if (r->owner != NULL && r->owner != c) {
        ndr_connection_release(s, r->owner);
    }
    r->asymmetric = c->hello.wake == NDRING_WAKE_PARK && (c->hello.flags & NDRING_HELLO_ASYMMETRIC);
    if (c->hello.wake == NDRING_WAKE_PARK && !(c->hello.flags & NDRING_HELLO_BARRIER)) {
        w->fenced = 1; /* from now on the writer pays for the fence itself */
    }
    r->evict_ms = c->hello.evict_ms;
    r->keep_ms = name[0] != 0 ? c->hello.keep_ms : 0;
    r->attached_ms = ndr_now_ms();
    r->bell = c->bell;
    r->pid = c->peer.pid;
    r->lost_until = r->stuck_ms = 0;
    r->owner = c;
    r->state = NDRING_SLOT_ACTIVE;
    snprintf(r->name, sizeof r->name, "%s", name);
    c->slot = (int)slot;
    c->hello.generation = r->generation;
    ndr_describe_slot(w, slot, c->hello.wake, c->hello.keep_ms, start);
    if (!w->saw_reader) {
        w->saw_reader = 1;
        ndr_store_flags(w);
    }
}

/* ndr_server_start chooses where a new reader begins; 0 if the position asked for is not
 * in the ring. */
static inline int ndr_server_start(ndr_server *s, const ndr_hello *h, int reconnect, ndr_welcome *w) {
    const ndr_segment *seg = &s->core.seg;
    uint64_t floor = ndr_load(&seg->words->limit) - seg->capacity;

    w->tail = s->core.pos;
    w->oldest = ndr_boundary(seg, floor, w->tail);
    w->start = w->oldest;
    if (w->oldest != seg->id->start) {
        w->flags |= NDRING_WELCOME_NEWER;
    }
    if (reconnect || h->start == NDRING_START_POSITION) {
        w->start = h->position;
        return ndr_meets(seg, h->position, floor, w->tail);
    }
    if (h->start == NDRING_START_LATEST) {
        w->start = w->tail;
    }
    return 1;
}

/* ndr_server_resume takes a lost slot up again; 0 if the position cannot be the reader's. */
static inline int ndr_server_resume(ndr_server *s, ndr_connection *c, uint32_t slot, const char *name, ndr_welcome *w) {
    uint64_t held = ndr_load(&ndr_core_slot(&s->core, slot)->cursor), position = ndr_released_up_to(&s->core, slot);

    if (c->hello.flags & NDRING_HELLO_RECONNECT) {
        position = c->hello.position;
    }
    if (!s->core.readers[slot].active || s->core.pos - held > s->core.seg.capacity || s->core.pos - position > s->core.pos - held ||
        position % NDRING_LINE_BYTES != 0) {
        return 0;
    }
    ndr_store_seq(&ndr_core_slot(&s->core, slot)->cursor, position);
    w->start = position;
    w->oldest = held;
    w->tail = s->core.pos;
    w->flags |= NDRING_WELCOME_RESUMED;
    ndr_server_occupy(s, c, slot, name, position);
    return 1;
}

/* ndr_server_quarantine frees the slot of a reader that was evicted while its connection
 * was cut and comes back: it says that it uses the old one no more. */
static inline void ndr_server_quarantine(ndr_server *s, const ndr_connection *c) {
    ndr_connection *old;

    if (c->hello.slot >= s->core.top) {
        return;
    }
    old = s->core.readers[c->hello.slot].owner;
    if (old != NULL && old->stage == NDR_SEVERED && old->evicted && old->peer.pid == c->peer.pid &&
        old->hello.generation == c->hello.generation) {
        ndr_connection_part(s, old, 0);
    }
}

/* ndr_server_place finds a slot for a reader. It returns a refusal's code, 0 if it did. */
static inline uint32_t ndr_server_place(ndr_server *s, ndr_connection *c, const char *name, ndr_welcome *w) {
    int slot = ndr_server_lost_slot(s, c, name), reconnect = (c->hello.flags & NDRING_HELLO_RECONNECT) != 0;
    uint32_t i;

    if (slot >= 0) {
        if (ndr_server_resume(s, c, (uint32_t)slot, name, w)) {
            return 0;
        }
        ndr_server_forget(s, (uint32_t)slot);
    }
    if (reconnect) {
        ndr_server_quarantine(s, c);
    }
    for (i = 0; i < s->core.seg.id->slots && s->core.readers[i].state != NDRING_SLOT_FREE; i++) {
    }
    if (i == s->core.seg.id->slots) {
        return NDRING_CODE_TABLE_FULL;
    }
    if (!ndr_server_start(s, &c->hello, reconnect, w)) {
        return NDRING_CODE_POSITION;
    }
    s->core.readers[i].generation = s->core.readers[i].generation + 1 ? s->core.readers[i].generation + 1 : 1;
    ndr_gate_at(&s->core, i, w->start);
    ndr_server_occupy(s, c, i, name, w->start);
    return 0;
}

/* ndr_server_welcome completes and sends a welcome. */
static inline void ndr_server_welcome(ndr_server *s, ndr_connection *c, ndr_welcome *w, const int *rights, unsigned count) {
    w->type = NDRING_MSG_WELCOME;
    w->bytes = NDRING_WELCOME_BYTES;
    w->major_version = NDRING_VERSION_MAJOR;
    w->minor_version = NDRING_VERSION_MINOR;
    memcpy(w->ring_id, s->core.seg.id->ring_id, sizeof w->ring_id);
    w->epoch = s->core.epoch;
    w->slot = c->slot < 0 ? NDRING_NO_SLOT : (uint32_t)c->slot;
    w->generation = c->slot < 0 ? 0 : c->hello.generation;
    w->flags |= s->core.asymmetric ? NDRING_WELCOME_ASYMMETRIC : 0u;
    w->descriptors = count;
    w->table_bytes = s->core.table_bytes;
    c->stage = NDR_ATTACHED;
    c->announced = w->tail;
    if (c->stream) {
        s->streams++;
    }
    if (ndr_send(c->socket, w, sizeof *w, rights, count) != NDR_RECEIVED) {
        ndr_connection_hang_up(s, c);
        return;
    }
    if (s->finished) {
        ndr_connection_offer(s, c, NDR_PLACE_CLOSED, NDRING_MSG_CLOSED, 0, s->core.pos);
    }
}

static inline void ndr_server_attach(ndr_server *s, ndr_connection *c) {
    char name[NDRING_MAX_NAME_BYTES + 1];
    int rights[4] = {s->segment, s->table_read, -1, s->core.bell};
    unsigned count = 2;
    socklen_t n = sizeof c->process;
    const ndr_connection *namesake;
    char why[NDRING_SENTENCE_MAX];
    ndr_welcome w;
    uint32_t code;

    memset(&w, 0, sizeof w);
    ndr_field_name(name, c->hello.name);
    if (getsockopt(c->socket, SOL_SOCKET, SO_PEERPIDFD, &c->process, &n) != 0) {
        c->process = -1;
    }
    if (c->process >= 0) {
        (void)fcntl(c->process, F_SETFD, FD_CLOEXEC);
        (void)ndr_server_watch(s, c->process, &c->on_process, NDR_EVENT_PROCESS, c);
    }
    if (c->hello.wake == NDRING_WAKE_PARK) {
        c->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (c->bell < 0) {
            ndr_connection_refuse(s, c, NDRING_CODE_TABLE_FULL, 0, "no descriptor is left for a doorbell");
            return;
        }
        rights[1] = s->table_full;
        rights[2] = c->bell;
        count = 4;
    }
    namesake = ndr_server_named(s, c, name);
    if (namesake != NULL) {
        snprintf(why, sizeof why, "reader name \"%s\" is in use by pid %ld", name, (long)namesake->peer.pid);
        ndr_connection_refuse(s, c, NDRING_CODE_NAME_IN_USE, 0, why);
        return;
    }
    code = ndr_server_place(s, c, name, &w);
    if (code == NDRING_CODE_POSITION) {
        snprintf(why, sizeof why, "position %llu, the ring holds %llu to %llu", (unsigned long long)c->hello.position,
                 (unsigned long long)w.oldest, (unsigned long long)s->core.pos);
        ndr_connection_refuse(s, c, code, w.oldest, why);
        return;
    }
    if (code != 0) {
        snprintf(why, sizeof why, "all %u slots are taken", s->core.seg.id->slots);
        ndr_connection_refuse(s, c, code, 0, why);
        return;
    }
    c->stream = c->hello.wake == NDRING_WAKE_STREAM;
    ndr_server_welcome(s, c, &w, rights, count);
}

/* ndr_server_greet answers a hello with a welcome or a refusal. It may free c. */
static inline void ndr_server_greet(ndr_server *s, ndr_connection *c, const uint8_t *packet, size_t n) {
    static const uint8_t any[16] = {0};
    int rights[2] = {s->segment, s->table_read};
    uint32_t type = 0;
    ndring_error err;
    ndr_welcome w;
    int status = ndr_message_type(packet, n, &type, &err);

    c->deadline = 0;
    if (status == NDRING_OK && type != NDRING_MSG_HELLO) {
        status = ndr_fail(&err, NDRING_ERR_MESSAGE, "message type %u before a hello", type);
    }
    if (status == NDRING_OK) {
        memcpy(&c->hello, packet, sizeof c->hello);
        status = ndr_hello_check(&c->hello, &err);
    }
    if (status != NDRING_OK) {
        ndr_connection_refuse(s, c, status == NDRING_ERR_VERSION ? NDRING_CODE_VERSION : NDRING_CODE_MALFORMED, 0, err.text);
    } else if (memcmp(c->hello.ring_id, any, 16) != 0 && memcmp(c->hello.ring_id, s->core.seg.id->ring_id, 16) != 0) {
        ndr_connection_refuse(s, c, NDRING_CODE_RING_ID, 0, "the ring was replaced by another one of this name");
    } else if (c->hello.role == NDRING_ROLE_OBSERVER) {
        memset(&w, 0, sizeof w);
        w.oldest = ndr_boundary(&s->core.seg, ndr_load(&s->core.seg.words->limit) - s->core.seg.capacity, s->core.pos);
        w.tail = s->core.pos;
        c->stream = 1;
        ndr_server_welcome(s, c, &w, rights, 2);
    } else {
        ndr_server_attach(s, c);
    }
}

#endif
