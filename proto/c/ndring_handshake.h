/* How a client gets its connection: connecting, hello, the answer, the descriptors that
 * come with it. docs/protocol.md, "Handshake". */
#ifndef NDRING_HANDSHAKE_H
#define NDRING_HANDSHAKE_H

#include "ndring_session.h"

#define NDR_FIRST_RETRY_MS 2 /* between two attempts to connect; doubles */
#define NDR_LAST_RETRY_MS 50
#define NDR_ANSWER_MS 2000   /* for a writer to answer a hello, however short the wait for one */

static inline void ndr_hello_start(ndr_hello *h, uint32_t role, uint32_t wake, uint32_t start, uint64_t position) {
    memset(h, 0, sizeof *h);
    h->type = NDRING_MSG_HELLO;
    h->bytes = NDRING_HELLO_BYTES;
    h->major_version = NDRING_VERSION_MAJOR;
    h->minor_version = NDRING_VERSION_MINOR;
    h->role = (uint8_t)role;
    h->wake = (uint8_t)wake;
    h->start = (uint8_t)start;
    h->position = position;
    h->pid = (uint32_t)getpid();
}

static inline int ndr_session_adopt_table(ndr_session *s, int fd, int writable, ndring_error *err) {
    ndr_table_head head;
    uint64_t bytes = 0;
    int status = ndr_file_check(fd, "of the reader table", &bytes, err);

    if (status != NDRING_OK) {
        return status;
    }
    if (bytes != ndr_table_bytes(s->segment.id->slots) || s->welcome.slot >= s->segment.id->slots) {
        return ndr_fail(err, NDRING_ERR_HANDSHAKE, "slot %u, reader table of %llu bytes", s->welcome.slot,
                        (unsigned long long)bytes);
    }
    s->table_bytes = bytes;
    status = ndr_map(fd, bytes, writable, &s->table, err);
    if (status == NDRING_OK) {
        status = ndr_table_decode(&head, s->table, bytes, err);
    }
    if (status == NDRING_OK && (head.epoch != s->welcome.epoch || memcmp(head.ring_id, s->welcome.ring_id, 16) != 0 ||
                                head.slots != s->segment.id->slots)) {
        status = ndr_fail(err, NDRING_ERR_HANDSHAKE, "reader table of epoch %llu, the welcome says %llu",
                          (unsigned long long)head.epoch, (unsigned long long)s->welcome.epoch);
    }
    return status;
}

/* ndr_session_adopt_bell takes a doorbell over: an eventfd, made non-blocking. */
static inline int ndr_session_adopt_bell(int *slot, int *fd, ndring_error *err) {
    char path[32], kind[32];
    ssize_t n;
    int flags;

    ndr_descriptor_path(path, sizeof path, *fd);
    n = readlink(path, kind, sizeof kind - 1);
    kind[n > 0 ? n : 0] = 0;
    flags = fcntl(*fd, F_GETFL);
    if (strcmp(kind, "anon_inode:[eventfd]") != 0 || flags < 0 || fcntl(*fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return ndr_fail(err, NDRING_ERR_HANDSHAKE, "received doorbell is \"%s\"", kind);
    }
    *slot = *fd;
    *fd = -1;
    return NDRING_OK;
}

/* ndr_session_adopt takes over the descriptors of a welcome, in their order. */
static inline int ndr_session_adopt(ndr_session *s, const ndr_hello *h, int *rights, unsigned count, ndring_error *err) {
    int park = h->role == NDRING_ROLE_READER && h->wake == NDRING_WAKE_PARK, status;
    unsigned want = park ? 4 : 2;

    if (count != want || s->welcome.descriptors != want) {
        return ndr_fail(err, NDRING_ERR_HANDSHAKE, "welcome with %u descriptors that says %u, want %u", count,
                        s->welcome.descriptors, want);
    }
    status = ndr_segment_open(&s->segment, rights[0], 0, err);
    if (status == NDRING_OK && memcmp(s->segment.id->ring_id, s->welcome.ring_id, 16) != 0) {
        status = ndr_fail(err, NDRING_ERR_HANDSHAKE, "the welcome came with another ring");
    }
    if (status == NDRING_OK && h->role == NDRING_ROLE_READER) {
        status = ndr_session_adopt_table(s, rights[1], park, err);
    }
    if (status == NDRING_OK && park) {
        status = ndr_session_adopt_bell(&s->bell, &rights[2], err);
    }
    if (status == NDRING_OK && park) {
        status = ndr_session_adopt_bell(&s->writer_bell, &rights[3], err);
    }
    if (status == NDRING_OK && h->role == NDRING_ROLE_READER && s->welcome.start % NDRING_LINE_BYTES != 0) {
        status = ndr_fail(err, NDRING_ERR_HANDSHAKE, "welcome to position %llu", (unsigned long long)s->welcome.start);
    }
    s->published = s->welcome.tail;
    return status;
}

/* ndr_session_refused is the error for a refusal. Where its sentence ends with the cause,
 * as those of Go do, that is said once. */
static inline int ndr_session_refused(const ndr_refusal *refusal, ndring_error *err) {
    int status = ndr_code_status(refusal->code);
    const char *cause = ndring_status_text(status);
    size_t n = strnlen(refusal->sentence, sizeof refusal->sentence), end = strlen(cause) + 2;

    if (n > end && memcmp(refusal->sentence + n - end, ": ", 2) == 0 &&
        memcmp(refusal->sentence + n - end + 2, cause, end - 2) == 0) {
        n -= end;
    }
    ndr_fail(err, status, "%.*s (code %u)", (int)n, refusal->sentence, refusal->code);
    if (err != NULL) {
        err->code = refusal->code;
        err->position = refusal->position;
    }
    return status;
}

/* ndr_session_answer reads the answer to a hello. */
static inline int ndr_session_answer(ndr_session *s, const ndr_hello *h, const uint8_t *packet, size_t n, int *rights,
                                     unsigned count, ndring_error *err) {
    ndr_refusal refusal;
    uint32_t type = 0;

    if (ndr_message_type(packet, n, &type, NULL) != NDRING_OK ||
        (type != NDRING_MSG_WELCOME && type != NDRING_MSG_REFUSAL)) {
        return ndr_fail(err, NDRING_ERR_HANDSHAKE, "the answer to hello is of type %u, %zu bytes", type, n);
    }
    if (type == NDRING_MSG_REFUSAL) {
        memcpy(&refusal, packet, sizeof refusal);
        return ndr_session_refused(&refusal, err);
    }
    memcpy(&s->welcome, packet, sizeof s->welcome);
    if (s->welcome.major_version != NDRING_VERSION_MAJOR) {
        return ndr_fail(err, NDRING_ERR_VERSION, "ring speaks version %u.%u, this program %u.%u", s->welcome.major_version,
                        s->welcome.minor_version, NDRING_VERSION_MAJOR, NDRING_VERSION_MINOR);
    }
    return ndr_session_adopt(s, h, rights, count, err);
}

/* ndr_session_handshake sends the hello and waits for the answer until deadline.
 * NDRING_ERR_NO_RING says that the writer went away meanwhile. */
static inline int ndr_session_handshake(ndr_session *s, const ndr_hello *h, int64_t deadline, ndring_error *err) {
    uint8_t packet[NDR_PACKET];
    int rights[4 * NDR_MAX_RIGHTS], status, resets = 0;
    unsigned count = 0;
    size_t n = 0;

    (void)ndr_send(s->socket, h, sizeof *h, NULL, 0); /* a refusal may be there all the same */
    for (;;) {
        enum ndr_received got = ndr_receive_rights(s->socket, packet, &n, rights, &count);
        struct pollfd fds;
        if (got == NDR_RECEIVED) {
            status = ndr_session_answer(s, h, packet, n, rights, count, err);
            ndr_close_rights(rights, count);
            return status;
        }
        ndr_close_rights(rights, count);
        if (got == NDR_BROKEN && count == 0 && resets++ == 0) {
            continue; /* the kernel tells a reset once, before it hands out what was sent */
        }
        if (got != NDR_WOULD_BLOCK) {
            return ndr_fail(err, count > 0 ? NDRING_ERR_HANDSHAKE : NDRING_ERR_NO_RING, "the writer hung up before it answered");
        }
        if (ndr_remaining_ms(deadline, 1) == 0) {
            return ndr_fail(err, NDRING_ERR_TIMEOUT, "the writer did not answer");
        }
        fds.fd = s->socket;
        fds.events = POLLIN;
        (void)ndr_poll(&fds, 1, ndr_remaining_ms(deadline, NDR_SAFETY_MS));
    }
}

/* ndr_session_attempt connects once. NDRING_ERR_NO_RING says that nobody is there. */
static inline int ndr_session_attempt(ndr_session *s, const char *dir, const char *ring, const ndr_hello *h, int64_t deadline,
                                      ndring_error *err) {
    struct sockaddr_un address;
    ndr_directory d;
    struct ucred peer;
    int status;

    ndr_session_clear(s);
    status = ndr_directory_open(&d, dir, 0, err);
    if (status != NDRING_OK) {
        return status;
    }
    s->socket = ndr_socket();
    ndr_socket_address(&address, &d, ring);
    if (s->socket < 0 || connect(s->socket, (const struct sockaddr *)&address, sizeof address) != 0) {
        int absent = errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN;
        status = absent ? ndr_fail(err, NDRING_ERR_NO_RING, "ring %s in %.200s has no living writer", ring, d.path)
                        : ndr_fail_errno(err, NDRING_ERR_SYSTEM, "connect to ring", ring);
    } else if (ndr_peer(s->socket, &peer) != 0 || (peer.uid != 0 && peer.uid != geteuid())) {
        status = ndr_fail(err, NDRING_ERR_DENIED, "ring %s: its writer is another user", ring);
    } else {
        status = ndr_session_handshake(s, h, deadline, err);
        if (status != NDRING_OK) {
            ndr_fail_in(err, ring);
        }
    }
    close(d.fd);
    if (status != NDRING_OK) {
        ndr_session_close(s);
    }
    return status;
}

/* ndr_session_connect connects, and waits until deadline for somebody to be there. Who
 * is there gets at least answer_ms to answer. */
static inline int ndr_session_connect(ndr_session *s, const char *dir, const char *ring, const ndr_hello *h, int64_t deadline,
                                      int answer_ms, ndring_error *err) {
    int retry = NDR_FIRST_RETRY_MS, status;

    for (;;) {
        int64_t answer = ndr_deadline(answer_ms);
        status = ndr_session_attempt(s, dir, ring, h, answer > deadline ? answer : deadline, err);
        if (status != NDRING_ERR_NO_RING || ndr_remaining_ms(deadline, 1) == 0) {
            return status;
        }
        (void)ndr_poll(NULL, 0, ndr_remaining_ms(deadline, retry));
        retry = retry * 2 < NDR_LAST_RETRY_MS ? retry * 2 : NDR_LAST_RETRY_MS;
    }
}

#endif
