/* One client of a ring as its writer sees it: sending, hanging up, eviction, and what
 * becomes of a reader's slot. docs/protocol.md, "Readers that die". */
#ifndef NDRING_CONNECTION_H
#define NDRING_CONNECTION_H

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "ndring_files.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define NDR_CUT_MS 1000        /* how long a reader whose connection was cut gates on */

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
    grace = (int64_t)r->keep_ms;
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
    if (r->state == NDRING_SLOT_LOST && r->keep_ms > 0) {
        ndr_connection_release(s, c); /* its name keeps the slot for the grace */
        return;
    }
    ndr_connection_part(s, c, 0);
}

#endif
