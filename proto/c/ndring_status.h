/* Status codes and error texts. Every function that can fail returns an int from
 * this list; ndring_error carries what a person needs to know besides. */
#ifndef NDRING_STATUS_H
#define NDRING_STATUS_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* X(name, value, text). The names are the same in Go and Python. */
#define NDRING_STATUSES(X)                                                       \
    X(OK, 0, "done")                                                             \
    X(END, 1, "the ring has ended and everything was read")                      \
    X(ERR_TIMEOUT, 2, "the time given has passed")                               \
    X(ERR_MAGIC, 10, "not an ndring structure")                                  \
    X(ERR_ENDIAN, 11, "written in another byte order")                           \
    X(ERR_VERSION, 12, "incompatible version")                                   \
    X(ERR_FEATURE, 13, "unknown required feature")                               \
    X(ERR_NOT_READY, 14, "segment is not complete")                              \
    X(ERR_CHECKSUM, 15, "checksum mismatch")                                     \
    X(ERR_TRUNCATED, 16, "truncated")                                            \
    X(ERR_GEOMETRY, 17, "invalid geometry")                                      \
    X(ERR_HEADER, 18, "invalid frame header")                                    \
    X(ERR_MESSAGE, 19, "invalid message")                                        \
    X(ERR_NAME, 20, "invalid name")                                              \
    X(ERR_SHAPE, 21, "invalid shape")                                            \
    X(ERR_DTYPE, 22, "another element type")                                     \
    X(ERR_CLAIM_OPEN, 30, "a claim is open already")                             \
    X(ERR_FRAME_TOO_LARGE, 31, "frame too large")                                \
    X(ERR_DROPPED, 32, "ring is full, frame dropped")                            \
    X(ERR_FINISHED, 33, "ring has ended")                                        \
    X(ERR_CORRUPT, 34, "ring is corrupt")                                        \
    X(ERR_KIND, 35, "unknown kind of frame")                                     \
    X(ERR_EVICTED, 36, "reader was evicted")                                     \
    X(ERR_TABLE_FULL, 37, "reader table is full")                                \
    X(ERR_NO_POSITION, 38, "no frame starts at that position")                   \
    X(ERR_SLOT, 39, "no such reader slot")                                       \
    X(ERR_RELEASED, 40, "the frame was released")                                \
    X(ERR_NO_RING, 50, "no such ring")                                           \
    X(ERR_WRITER_ALIVE, 51, "ring has a writer already")                         \
    X(ERR_WRITER_LOST, 52, "writer lost")                                        \
    X(ERR_REFUSED, 53, "refused by the ring's writer")                           \
    X(ERR_NAME_IN_USE, 54, "a live reader has this name")                        \
    X(ERR_DENIED, 55, "not for this client")                                     \
    X(ERR_DIR, 56, "unusable ring directory")                                    \
    X(ERR_FILE, 57, "unusable ring file")                                        \
    X(ERR_NO_SPACE, 58, "not enough memory for the ring")                        \
    X(ERR_MISMATCH, 59, "left-over ring differs")                                \
    X(ERR_PLATFORM, 60, "kernel not supported")                                  \
    X(ERR_HANDSHAKE, 61, "protocol violation on the control socket")             \
    X(ERR_CLOSED, 62, "used after it was closed")                                \
    X(ERR_SYSTEM, 63, "system call failed")

enum ndring_status {
#define NDR_STATUS(name, value, text) NDRING_##name = value,
    NDRING_STATUSES(NDR_STATUS)
#undef NDR_STATUS
    NDRING_STATUS_LAST = 255
};

/* ndring_error says what was wrong, with which value, and what to do. */
typedef struct ndring_error {
    int status;        /* one of ndring_status */
    int system_errno;  /* of the system call that failed, or 0 */
    uint32_t code;     /* of a refusal or eviction, NDRING_CODE_... */
    uint64_t position; /* with NDRING_CODE_POSITION: the oldest there is */
    char text[384];
} ndring_error;

/* ndring_status_name returns the name of a status, such as "ERR_NO_RING". */
static inline const char *ndring_status_name(int status) {
    switch (status) {
#define NDR_STATUS(name, value, text) \
    case value:                       \
        return #name;
        NDRING_STATUSES(NDR_STATUS)
#undef NDR_STATUS
    default:
        return "unknown status";
    }
}

/* ndring_status_text returns a sentence for a status. */
static inline const char *ndring_status_text(int status) {
    switch (status) {
#define NDR_STATUS(name, value, text) \
    case value:                       \
        return text;
        NDRING_STATUSES(NDR_STATUS)
#undef NDR_STATUS
    default:
        return "unknown status";
    }
}

/* ndr_fail fills in err, which may be NULL, and returns status. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static inline int ndr_fail(ndring_error *err, int status, const char *format, ...) {
    va_list args;
    int used;

    if (err == NULL) {
        return status;
    }
    memset(err, 0, sizeof *err);
    err->status = status;
    va_start(args, format);
    used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof err->text) {
        snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", ndring_status_text(status));
    }
    return status;
}

/* ndr_fail_errno is ndr_fail for a failed system call. */
static inline int ndr_fail_errno(ndring_error *err, int status, const char *what, const char *which) {
    int number = errno;

    ndr_fail(err, status, "%s %s: %s", what, which, strerror(number));
    if (err != NULL) {
        err->system_errno = number;
    }
    errno = number;
    return status;
}

/* ndr_fail_in puts the name of a ring in front of an error's text that does not begin with
 * it. */
static inline void ndr_fail_in(ndring_error *err, const char *ring) {
    char front[96];
    size_t n;

    if (err == NULL) {
        return;
    }
    n = (size_t)snprintf(front, sizeof front, "ring %.64s: ", ring);
    if (strncmp(err->text, front, n - 2) == 0 && (err->text[n - 2] == ':' || err->text[n - 2] == ' ')) {
        return;
    }
    memmove(err->text + n, err->text, sizeof err->text - n);
    memcpy(err->text, front, n);
    err->text[sizeof err->text - 1] = 0;
}

/* ndr_quoted is a string for an error's text: in quotes, its control characters spelled. */
typedef struct ndr_quoted {
    char text[168];
} ndr_quoted;

/* ndr_quote spells what is not printable ASCII as Go and Python do, \n or \x1b, and cuts
 * what is long. */
static inline const char *ndr_quote(ndr_quoted *q, const char *text) {
    static const char plain[] = "\n\r\t\"\\", letters[] = "nrt\"\\";
    size_t n = 1, most = sizeof q->text - 9; /* an escape, dots, the quote and the end */

    q->text[0] = '"';
    for (; *text != 0 && n < most; text++) {
        const char *found = strchr(plain, *text);
        if (found != NULL) {
            q->text[n++] = '\\';
            q->text[n++] = letters[found - plain];
        } else if (*text >= 0x20 && *text < 0x7f) {
            q->text[n++] = *text;
        } else {
            n += (size_t)snprintf(q->text + n, 5, "\\x%02x", (unsigned)(unsigned char)*text);
        }
    }
    snprintf(q->text + n, sizeof q->text - n, *text == 0 ? "\"" : "...\"");
    return q->text;
}

#endif
