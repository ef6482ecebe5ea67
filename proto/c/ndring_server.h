/* The control plane of a ring, in its writer's process: it lets readers in and out,
 * announces, evicts. All of it runs on the writer's thread, whenever that serves.
 * docs/protocol.md. */
#ifndef NDRING_SERVER_H
#define NDRING_SERVER_H

#include "ndring_attach.h"

#define NDR_HELLO_MS 2000      /* from connect to hello */
#define NDR_EXTRA_CLIENTS 256  /* connections beyond the reader slots */
#define NDR_ACCEPT_PAUSE_MS 100
#define NDR_TURN 256           /* events served before the writer goes on */

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
    int broken = !ndr_outbox_flush(&c->out, c->socket); /* who hung up may have said goodbye before */

    for (;;) {
        enum ndr_received got = ndr_receive(c->socket, packet, &n);
        if (got == NDR_WOULD_BLOCK && !broken) {
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
        bind(s->listen, (const struct sockaddr *)&address, sizeof address) != 0) {
        return ndr_directory_refuses(d, "make the socket of a ring in", err);
    }
    if (listen(s->listen, SOMAXCONN) != 0 ||
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
