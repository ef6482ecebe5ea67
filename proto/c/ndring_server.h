/* The control plane of a ring, in its writer's process: it lets readers in and out,
 * announces, evicts. All of it runs on the writer's thread, whenever that serves.
 * docs/protocol.md. */
#ifndef NDRING_SERVER_H
#define NDRING_SERVER_H

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "ndring_files.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define NDR_HELLO_MS 2000      /* from connect to hello */
#define NDR_CUT_MS 1000        /* how long a reader whose connection was cut gates on */
#define NDR_EXIT_MS 20         /* how long a process that closed its sockets may take to end */
#define NDR_EXTRA_CLIENTS 256  /* connections beyond the reader slots */
#define NDR_ACCEPT_PAUSE_MS 100
#define NDR_TURN 256           /* events served before the writer goes on */

enum ndr_stage { NDR_GREETING, NDR_ATTACHED, NDR_SEVERED };
enum ndr_event { NDR_EVENT_LISTEN, NDR_EVENT_BELL, NDR_EVENT_TIMER, NDR_EVENT_CLIENT, NDR_EVENT_PROCESS };

typedef struct ndr_watch {
    enum ndr_event kind;
    struct ndr_connection *connection;
} ndr_watch;

/* ndr_connection is the server's end of one control connection. */
typedef struct ndr_connection {
    struct ndr_connection *next, **link;
    ndr_watch on_socket, on_process;
    int socket, process, bell;
    enum ndr_stage stage;
    int slot; /* -1 = none */
    int stream, evicted, left, wants_room;
    struct ucred peer;
    ndr_hello hello;
    uint64_t announced;
    int64_t deadline; /* for hello */
    ndr_outbox out;
} ndr_connection;

typedef struct ndr_server {
    ndr_core core;
    char ring[NDRING_MAX_NAME_BYTES + 1];
    int segment, table_read, table_full; /* descriptions for clients */
    int epoll, timer, listen;
    ndr_watch on_listen, on_bell, on_timer;
    ndr_connection *clients;
    uint32_t count, streams;
    int64_t listen_again; /* accepting is paused until then, 0 = it is not */
    int finished;
} ndr_server;

static inline int ndr_server_watch(ndr_server *s, int fd, ndr_watch *watch, enum ndr_event kind, ndr_connection *c) {
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    watch->kind = kind;
    watch->connection = c;
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.ptr = watch;
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
}

static inline void ndr_server_unwatch(ndr_server *s, int fd) {
    if (fd >= 0) {
        (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
    }
}

/* ndr_server_close closes a watched descriptor. */
static inline void ndr_server_drop(ndr_server *s, int *fd) {
    ndr_server_unwatch(s, *fd);
    ndr_close(fd);
}

static inline int64_t ndr_sooner(int64_t a, int64_t b) { return b != 0 && b < a ? b : a; }

/* ndr_server_alarm sets the timer to the next thing that is due. */
static inline void ndr_server_alarm(ndr_server *s) {
    int64_t due = ndr_sooner(INT64_MAX, s->listen_again), left;
    const ndr_connection *c;
    struct itimerspec t;
    uint32_t i;

    for (c = s->clients; c != NULL; c = c->next) {
        due = ndr_sooner(due, c->deadline);
    }
    for (i = 0; i < s->core.top; i++) {
        due = ndr_sooner(due, s->core.readers[i].lost_until);
    }
    memset(&t, 0, sizeof t);
    if (due != INT64_MAX) {
        left = due - ndr_now_ms();
        left = left < 1 ? 1 : left;
        t.it_value.tv_sec = left / 1000;
        t.it_value.tv_nsec = left % 1000 * 1000000;
    }
    (void)timerfd_settime(s->timer, 0, &t, NULL);
}

/* ndr_connection_want asks for an event when there is room in the socket. */
static inline void ndr_connection_want(ndr_server *s, ndr_connection *c) {
    struct epoll_event event;
    int room = !ndr_outbox_empty(&c->out);

    if (room == c->wants_room) {
        return;
    }
    c->wants_room = room;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN | EPOLLRDHUP | (room ? (uint32_t)EPOLLOUT : 0);
    event.data.ptr = &c->on_socket;
    (void)epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->socket, &event);
}

/* ndr_connection_offer sends a note now or when there is room. */
static inline void ndr_connection_offer(ndr_server *s, ndr_connection *c, enum ndr_place place, uint32_t type, uint32_t code,
                                        uint64_t position) {
    if (c->stage == NDR_ATTACHED) {
        (void)ndr_outbox_offer(&c->out, c->socket, place, type, code, position); /* a hang-up comes as an event */
        ndr_connection_want(s, c);
    }
}

/* ndr_connection_release closes and forgets a connection. Its slot is not touched. */
static inline void ndr_connection_release(ndr_server *s, ndr_connection *c) {
    if (c->stream && c->stage == NDR_ATTACHED) {
        s->streams--;
    }
    if (c->slot >= 0 && s->core.readers[c->slot].owner == c) {
        s->core.readers[c->slot].owner = NULL;
        s->core.readers[c->slot].bell = -1;
    }
    ndr_server_drop(s, &c->socket);
    ndr_server_drop(s, &c->process);
    ndr_close(&c->bell);
    *c->link = c->next;
    if (c->next != NULL) {
        c->next->link = c->link;
    }
    s->count--;
    free(c);
}

/* ndr_connection_refuse answers a hello that is not accepted, ends the connection. */
static inline void ndr_connection_refuse(ndr_server *s, ndr_connection *c, uint32_t code, uint64_t position, const char *sentence) {
    ndr_refusal packet;
    size_t n = strlen(sentence);

    memset(&packet, 0, sizeof packet);
    packet.type = NDRING_MSG_REFUSAL;
    packet.bytes = NDRING_REFUSAL_BYTES;
    packet.code = code;
    packet.position = position;
    memcpy(packet.sentence, sentence, n < sizeof packet.sentence ? n : sizeof packet.sentence);
    (void)ndr_send(c->socket, &packet, sizeof packet, NULL, 0);
    ndr_connection_release(s, c);
}

/* ndr_connection_sever closes the socket and leaves the process to be watched. */
static inline void ndr_connection_sever(ndr_server *s, ndr_connection *c) {
    if (c->stream) {
        s->streams--;
    }
    c->stage = NDR_SEVERED;
    ndr_server_drop(s, &c->socket);
}

/* ndr_connection_part gives the slot up, at once or when the process ends. */
static inline void ndr_connection_part(ndr_server *s, ndr_connection *c, int alive) {
    uint32_t slot = (uint32_t)c->slot;

    if (alive) {
        ndr_connection_sever(s, c);
        return;
    }
    ndr_connection_release(s, c);
    ndr_free_slot(&s->core, slot);
}

static inline int ndr_readable(int fd, int timeout_ms) {
    struct pollfd fds;

    fds.fd = fd;
    fds.events = POLLIN;
    return ndr_poll(&fds, 1, timeout_ms) > 0;
}

/* ndr_connection_hang_up ends a connection and decides what becomes of its reader's slot.
 * docs/protocol.md, "Readers that die". */
static inline void ndr_connection_hang_up(ndr_server *s, ndr_connection *c) {
    ndr_record *r;
    int64_t grace;
    int alive;

    if (c->stage != NDR_ATTACHED || c->slot < 0) {
        ndr_connection_release(s, c);
        return;
    }
    r = &s->core.readers[c->slot];
    alive = !c->left && c->hello.wake == NDRING_WAKE_PARK && c->process >= 0 && !ndr_readable(c->process, 0);
    grace = r->name[0] != 0 ? (int64_t)c->hello.keep_ms : 0;
    if (alive && grace < NDR_CUT_MS) {
        grace = NDR_CUT_MS;
    }
    if (c->left || c->evicted || grace == 0) {
        if (alive && !c->evicted) {
            r->active = 0;
        }
        ndr_connection_part(s, c, alive);
        return;
    }
    r->bell = -1;
    r->lost_until = ndr_now_ms() + grace;
    ndr_slot_state(&s->core, (uint32_t)c->slot, NDRING_SLOT_LOST);
    if (alive) {
        ndr_connection_sever(s, c);
        return;
    }
    ndr_connection_release(s, c);
}

/* ndr_server_evict stops a slot from gating; it stays taken until its reader is gone. */
static inline void ndr_server_evict(ndr_server *s, uint32_t slot, uint32_t code) {
    ndr_record *r = &s->core.readers[slot];

    s->core.evict_code[slot] = 0;
    r->active = 0;
    if (r->state != NDRING_SLOT_ACTIVE && r->state != NDRING_SLOT_LOST) {
        return;
    }
    r->lost_until = 0;
    if (r->owner == NULL) {
        ndr_free_slot(&s->core, slot);
        return;
    }
    ndr_slot_state(&s->core, slot, NDRING_SLOT_EVICTED);
    __atomic_fetch_add(&s->core.seg.words->evictions, 1, __ATOMIC_RELEASE);
    r->owner->evicted = 1;
    ndr_connection_offer(s, r->owner, NDR_PLACE_EVICTED, NDRING_MSG_EVICTED, code, 0);
}

/* ndr_server_evict_dismissed carries out what was decided at the gate. */
static inline void ndr_server_evict_dismissed(ndr_server *s) {
    uint32_t i;

    for (i = 0; s->core.dismissed && i < s->core.top; i++) {
        if (s->core.evict_code[i] != 0) {
            ndr_server_evict(s, i, s->core.evict_code[i]);
        }
    }
    s->core.dismissed = 0;
}

/* ndr_connection_process_ended is called when the peer's process has ended, even while
 * another one holds its end of the socket. */
static inline void ndr_connection_process_ended(ndr_server *s, ndr_connection *c) {
    ndr_record *r;

    if (c->stage != NDR_SEVERED) {
        ndr_connection_hang_up(s, c);
        return;
    }
    r = &s->core.readers[c->slot];
    if (r->state == NDRING_SLOT_LOST && r->name[0] != 0 && c->hello.keep_ms > 0) {
        ndr_connection_release(s, c); /* its name keeps the slot for the grace */
        return;
    }
    ndr_connection_part(s, c, 0);
}

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

/* ndr_server_name_in_use looks for a live reader of the same name. */
static inline int ndr_server_name_in_use(ndr_server *s, const ndr_connection *c, const char *name) {
    ndr_connection *other, *next;

    for (other = s->clients; name[0] != 0 && other != NULL; other = next) {
        next = other->next;
        if (other != c && other->slot >= 0 && strcmp(s->core.readers[other->slot].name, name) == 0 &&
            !ndr_server_departed(s, other, c->peer.pid)) {
            return 1;
        }
    }
    return 0;
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
    uint64_t held = ndr_load(&ndr_core_slot(&s->core, slot)->cursor), position = held;

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
    if (ndr_server_name_in_use(s, c, name)) {
        ndr_connection_refuse(s, c, NDRING_CODE_NAME_IN_USE, 0, "a live reader has this name");
        return;
    }
    code = ndr_server_place(s, c, name, &w);
    if (code != 0) {
        ndr_connection_refuse(s, c, code, code == NDRING_CODE_POSITION ? w.oldest : 0,
                              code == NDRING_CODE_POSITION ? "no frame starts at that position" : "all reader slots are taken");
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

/* ndr_server_released moves the cursor of a reader in stream mode. It returns 0 for a
 * position that it cannot release. */
static inline int ndr_server_released(ndr_server *s, ndr_connection *c, uint64_t position) {
    ndr_slot *slot = ndr_core_slot(&s->core, (uint32_t)c->slot);
    uint64_t held = s->core.readers[c->slot].last;

    if (position - held > s->core.pos - held || position % NDRING_LINE_BYTES != 0) {
        return 0;
    }
    s->core.readers[c->slot].last = position;
    ndr_store_seq(&slot->cursor, position);
    return 1;
}

/* ndr_server_note serves a message of an attached client. It returns 0 when the client
 * is gone, and c with it. */
static inline int ndr_server_note(ndr_server *s, ndr_connection *c, const uint8_t *packet, size_t n) {
    uint32_t type = 0, code = NDRING_CODE_MALFORMED;
    ndr_note note;

    memset(&note, 0, sizeof note);
    if (ndr_message_type(packet, n, &type, NULL) == NDRING_OK && n == sizeof note) {
        memcpy(&note, packet, sizeof note);
    }
    switch (note.type) {
    case NDRING_MSG_RELEASED:
        if (c->stream && c->slot >= 0) {
            code = NDRING_CODE_CURSOR;
            if (c->evicted || ndr_server_released(s, c, note.position)) {
                return 1;
            }
        }
        break;
    case NDRING_MSG_PING:
        ndr_connection_offer(s, c, NDR_PLACE_PONG, NDRING_MSG_PONG, 0, note.position);
        return 1;
    case NDRING_MSG_PONG:
        return 1;
    case NDRING_MSG_GOODBYE:
        c->left = 1;
        ndr_connection_hang_up(s, c);
        return 0;
    default:
        break;
    }
    if (c->slot < 0 || c->evicted) {
        ndr_connection_hang_up(s, c);
        return 0;
    }
    ndr_server_evict(s, (uint32_t)c->slot, code);
    return 1;
}

/* ndr_server_client is called when a client's socket can be read, written, or hung up. */
static inline void ndr_server_client(ndr_server *s, ndr_connection *c) {
    uint8_t packet[NDR_PACKET];
    size_t n = 0;

    if (!ndr_outbox_flush(&c->out, c->socket)) {
        ndr_connection_hang_up(s, c);
        return;
    }
    for (;;) {
        enum ndr_received got = ndr_receive(c->socket, packet, &n);
        if (got == NDR_WOULD_BLOCK) {
            ndr_connection_want(s, c);
            return;
        }
        if (got != NDR_RECEIVED) {
            ndr_connection_hang_up(s, c);
            return;
        }
        if (c->stage == NDR_GREETING) {
            ndr_server_greet(s, c, packet, n);
            return; /* what follows comes as another event */
        }
        if (!ndr_server_note(s, c, packet, n)) {
            return;
        }
    }
}

/* ndr_server_admit starts the handshake with a new client, or turns it away. */
static inline void ndr_server_admit(ndr_server *s, int fd) {
    ndr_connection *c = (ndr_connection *)calloc(1, sizeof *c);

    if (c == NULL) {
        close(fd);
        return;
    }
    c->socket = fd;
    c->process = c->bell = c->slot = -1;
    c->deadline = ndr_now_ms() + NDR_HELLO_MS;
    c->next = s->clients;
    c->link = &s->clients;
    if (c->next != NULL) {
        c->next->link = &c->next;
    }
    s->clients = c;
    s->count++;
    if (ndr_server_watch(s, fd, &c->on_socket, NDR_EVENT_CLIENT, c) != 0) {
        ndr_connection_release(s, c);
    } else if (s->count > s->core.seg.id->slots + NDR_EXTRA_CLIENTS) {
        ndr_connection_refuse(s, c, NDRING_CODE_TABLE_FULL, 0, "too many connections");
    } else if (ndr_peer(fd, &c->peer) != 0 || (c->peer.uid != 0 && c->peer.uid != geteuid())) {
        ndr_connection_refuse(s, c, NDRING_CODE_DENIED, 0, "this ring serves processes of its own user only");
    }
}

static inline void ndr_server_accept(ndr_server *s) {
    int fd = accept4(s->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        ndr_server_admit(s, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        ndr_server_unwatch(s, s->listen); /* time may cure it */
        s->listen_again = ndr_now_ms() + NDR_ACCEPT_PAUSE_MS;
    }
}

/* ndr_server_due does what time brings: hellos that did not come, graces that ended. */
static inline void ndr_server_due(ndr_server *s) {
    ndr_connection *c, *next;
    int64_t now = ndr_now_ms();
    uint32_t i;

    for (c = s->clients; c != NULL; c = next) {
        next = c->next;
        if (c->deadline != 0 && c->deadline <= now) {
            ndr_connection_refuse(s, c, NDRING_CODE_MALFORMED, 0, "no hello came in time");
        }
    }
    for (i = 0; i < s->core.top; i++) {
        if (s->core.readers[i].lost_until != 0 && s->core.readers[i].lost_until <= now) {
            ndr_server_forget(s, i);
        }
    }
    if (s->listen_again != 0 && s->listen_again <= now) {
        s->listen_again = 0;
        (void)ndr_server_watch(s, s->listen, &s->on_listen, NDR_EVENT_LISTEN, NULL);
    }
}

/* ndr_server_turn serves control events; it waits for the first one for most_ms. Events
 * are taken one by one, so that none is left for a connection that another one freed. */
static inline void ndr_server_turn(ndr_server *s, int most_ms) {
    struct epoll_event event;
    const ndr_watch *watch;
    int turn, any = 0;

    for (turn = 0; turn < NDR_TURN && epoll_wait(s->epoll, &event, 1, turn == 0 ? most_ms : 0) == 1; turn++) {
        watch = (const ndr_watch *)event.data.ptr;
        any = 1;
        switch (watch->kind) {
        case NDR_EVENT_BELL:
            ndr_take(s->core.bell);
            break;
        case NDR_EVENT_TIMER:
            ndr_take(s->timer);
            ndr_server_due(s);
            break;
        case NDR_EVENT_LISTEN:
            ndr_server_accept(s);
            break;
        case NDR_EVENT_PROCESS:
            ndr_connection_process_ended(s, watch->connection);
            break;
        default:
            ndr_server_client(s, watch->connection);
            break;
        }
    }
    if (s->core.dismissed) {
        ndr_server_evict_dismissed(s);
    }
    if (any) {
        ndr_server_alarm(s);
    }
}

/* ndr_server_announce tells every stream client how far the ring is committed. */
static inline void ndr_server_announce(ndr_server *s) {
    ndr_connection *c;

    for (c = s->clients; c != NULL; c = c->next) {
        if (c->stream && c->stage == NDR_ATTACHED && (int64_t)(s->core.pos - c->announced) > 0) {
            c->announced = s->core.pos;
            ndr_connection_offer(s, c, NDR_PLACE_PUBLISHED, NDRING_MSG_PUBLISHED, 0, s->core.pos);
        }
    }
}

/* ndr_server_finish tells everybody where the ring ends. */
static inline void ndr_server_finish(ndr_server *s) {
    ndr_connection *c;

    s->finished = 1;
    for (c = s->clients; c != NULL; c = c->next) {
        ndr_connection_offer(s, c, NDR_PLACE_CLOSED, NDRING_MSG_CLOSED, 0, s->core.pos);
    }
}

/* ndr_server_open opens what the server needs: descriptions, loop, socket. */
static inline int ndr_server_open(ndr_server *s, const ndr_directory *d, const ndr_files *files, ndring_error *err) {
    char name[NDR_FILE_NAME];
    struct sockaddr_un address;

    s->segment = ndr_file_reopen(files->segment_file, O_RDONLY);
    s->table_read = ndr_file_reopen(files->table_file, O_RDONLY);
    s->table_full = ndr_file_reopen(files->table_file, O_RDWR);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    s->listen = ndr_socket();
    if (s->segment < 0 || s->table_read < 0 || s->table_full < 0 || s->epoll < 0 || s->timer < 0 || s->listen < 0) {
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "open the control plane of ring", s->ring);
    }
    ndr_file_name(name, s->ring, ".sock");
    ndr_socket_address(&address, d, s->ring);
    if ((unlinkat(d->fd, name, 0) != 0 && errno != ENOENT) ||
        bind(s->listen, (const struct sockaddr *)&address, sizeof address) != 0 || listen(s->listen, SOMAXCONN) != 0 ||
        ndr_server_watch(s, s->core.bell, &s->on_bell, NDR_EVENT_BELL, NULL) != 0 ||
        ndr_server_watch(s, s->timer, &s->on_timer, NDR_EVENT_TIMER, NULL) != 0 ||
        ndr_server_watch(s, s->listen, &s->on_listen, NDR_EVENT_LISTEN, NULL) != 0) {
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "listen on", name);
    }
    ndr_server_alarm(s);
    return NDRING_OK;
}

static inline void ndr_server_close(ndr_server *s) {
    while (s->clients != NULL) {
        ndr_connection_release(s, s->clients);
    }
    ndr_close(&s->segment);
    ndr_close(&s->table_read);
    ndr_close(&s->table_full);
    ndr_close(&s->listen);
    ndr_close(&s->timer);
    ndr_close(&s->epoll);
}

#endif
