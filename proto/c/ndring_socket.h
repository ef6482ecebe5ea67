/* The control socket: packets, descriptors that come with them, an outbox that never
 * waits. docs/protocol.md, "Control socket". */
#ifndef NDRING_SOCKET_H
#define NDRING_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>

#include "ndring_clock.h"

#define NDR_MAX_RIGHTS 4
#define NDR_PACKET (NDRING_MESSAGE_MAX + 1) /* a longer packet shows */

enum ndr_received { NDR_RECEIVED, NDR_WOULD_BLOCK, NDR_HUNG_UP, NDR_BROKEN };

static inline int ndr_socket(void) { return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

/* ndr_socket_address reaches a socket through the open directory: its own path may be
 * longer than an address can hold. */
static inline void ndr_socket_address(struct sockaddr_un *address, const ndr_directory *d, const char *ring) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s.sock", d->fd, ring);
}

static inline int ndr_peer(int fd, struct ucred *peer) {
    socklen_t n = sizeof *peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &n);
}

/* ndr_send sends one packet without waiting. It returns NDR_RECEIVED when it went. */
static inline enum ndr_received ndr_send(int fd, const void *packet, size_t bytes, const int *rights, unsigned count) {
    union {
        char room[CMSG_SPACE(NDR_MAX_RIGHTS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message;
    struct iovec part;
    ssize_t n;

    memset(&message, 0, sizeof message);
    part.iov_base = (void *)(uintptr_t)packet;
    part.iov_len = bytes;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.align), rights, count * sizeof(int));
    }
    do {
        n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n >= 0) {
        return NDR_RECEIVED;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK ? NDR_WOULD_BLOCK : NDR_HUNG_UP;
}

/* ndr_receive takes one packet in; descriptors that come along are dropped.
 *
 * The kernel looks for a packet, then whether the peer has hung up, and both may come
 * between the two; and it tells a reset before what the peer sent last. So either is
 * looked behind once more. */
static inline enum ndr_received ndr_receive(int fd, void *packet, size_t *bytes) {
    int ended = 0, reset = 0;

    for (;;) {
        ssize_t n = recv(fd, packet, NDR_PACKET, MSG_DONTWAIT);
        if (n > 0) {
            *bytes = (size_t)n;
            return NDR_RECEIVED;
        }
        if (n == 0 && !ended) {
            ended = 1;
        } else if (n < 0 && errno == ECONNRESET && !reset) {
            reset = 1;
        } else if (n == 0 || errno != EINTR) {
            return n < 0 && !ended && (errno == EAGAIN || errno == EWOULDBLOCK) ? NDR_WOULD_BLOCK : NDR_HUNG_UP;
        }
    }
}

static inline void ndr_close_rights(int *rights, unsigned count) {
    unsigned i;

    for (i = 0; i < count; i++) {
        ndr_close(&rights[i]);
    }
}

/* ndr_take_rights appends the descriptors that came with message to rights. */
static inline void ndr_take_rights(struct msghdr *message, int *rights, unsigned *count) {
    struct cmsghdr *each;

    for (each = CMSG_FIRSTHDR(message); each != NULL; each = CMSG_NXTHDR(message, each)) {
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_RIGHTS) {
            unsigned here = (unsigned)((each->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(rights + *count, CMSG_DATA(each), here * sizeof(int));
            *count += here;
        }
    }
}

/* ndr_receive_rights is ndr_receive for a packet with descriptors. They can come with
 * an empty packet and with one that is refused; whatever it returns, the caller owns
 * the first *count of rights, which has room for four times NDR_MAX_RIGHTS. */
static inline enum ndr_received ndr_receive_rights(int fd, void *packet, size_t *bytes, int *rights, unsigned *count) {
    union {
        char room[CMSG_SPACE(4 * NDR_MAX_RIGHTS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message;
    struct iovec part;
    ssize_t n;
    int looks;

    *count = 0;
    memset(&message, 0, sizeof message);
    part.iov_base = packet;
    part.iov_len = NDR_PACKET;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.room;
    for (looks = 1; looks <= 2; looks++) { /* see ndr_receive */
        do {
            message.msg_controllen = sizeof control.room;
            n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        } while (n < 0 && errno == EINTR);
        if (n < 0) {
            int nothing = errno == EAGAIN || errno == EWOULDBLOCK;
            return nothing && looks == 1 ? NDR_WOULD_BLOCK : errno == ECONNRESET ? NDR_BROKEN : NDR_HUNG_UP;
        }
        ndr_take_rights(&message, rights, count);
        if (n > 0) {
            *bytes = (size_t)n;
            return message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? NDR_BROKEN : NDR_RECEIVED;
        }
        if (*count > 0) {
            break; /* an empty packet, which no peer of ours sends */
        }
    }
    return NDR_HUNG_UP;
}

/* Places of an outbox, in the order in which they are sent. */
enum ndr_place { NDR_PLACE_EVICTED, NDR_PLACE_PUBLISHED, NDR_PLACE_RELEASED, NDR_PLACE_CLOSED, NDR_PLACE_PONG, NDR_PLACES };

/* ndr_outbox keeps notes for which there is no room; a newer one replaces an older one
 * of its place, which loses nothing because positions are cumulative. */
typedef struct ndr_outbox {
    ndr_note notes[NDR_PLACES];
    uint8_t pending[NDR_PLACES];
} ndr_outbox;

/* ndr_outbox_flush sends what there is room for. It returns 0 when the connection is
 * broken. */
static inline int ndr_outbox_flush(ndr_outbox *o, int fd) {
    int place;

    for (place = 0; place < NDR_PLACES; place++) {
        if (o->pending[place]) {
            enum ndr_received sent = ndr_send(fd, &o->notes[place], sizeof o->notes[place], NULL, 0);
            if (sent == NDR_WOULD_BLOCK) {
                return 1;
            }
            if (sent != NDR_RECEIVED) {
                return 0;
            }
            o->pending[place] = 0;
        }
    }
    return 1;
}

static inline int ndr_outbox_offer(ndr_outbox *o, int fd, enum ndr_place place, uint32_t type, uint32_t code, uint64_t position) {
    ndr_note_encode(&o->notes[place], type, code, position);
    o->pending[place] = 1;
    return ndr_outbox_flush(o, fd);
}

static inline int ndr_outbox_empty(const ndr_outbox *o) {
    int place;

    for (place = 0; place < NDR_PLACES; place++) {
        if (o->pending[place]) {
            return 0;
        }
    }
    return 1;
}

#endif
