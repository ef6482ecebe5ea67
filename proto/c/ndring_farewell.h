/* The end of a ring whose frames are all released: waiting for the goodbye of readers that
 * asked to be kept. docs/protocol.md, "End of the ring". */
#ifndef NDRING_FAREWELL_H
#define NDRING_FAREWELL_H

#include "ndring_room.h"

/* ndr_server_awaited is until when the goodbye of a reader with a name and a time to be
 * kept is waited for, 0 = of none. One that is dead, or whose connection was cut, is
 * waited for until its grace ends; one that is attached for as long as it asked for, from
 * when it came or from when the wait began, since_ms, whichever was later. */
static inline int64_t ndr_server_awaited(const ndr_server *s, int64_t since_ms) {
    int64_t now = ndr_now_ms(), from, until, last = 0;
    uint32_t i;

    for (i = 0; i < s->core.top; i++) {
        const ndr_record *r = &s->core.readers[i];
        if (r->keep_ms == 0 || (r->state != NDRING_SLOT_ACTIVE && r->state != NDRING_SLOT_LOST)) {
            continue;
        }
        from = r->attached_ms > since_ms ? r->attached_ms : since_ms;
        until = r->state == NDRING_SLOT_LOST ? r->lost_until : from + (int64_t)r->keep_ms;
        last = until > now && until > last ? until : last;
    }
    return last;
}

/* ndr_writer_farewell waits, once every frame is released, until each reader that asked to
 * be kept has said goodbye, or is dead or silent for as long as it asked for. One that dies
 * between its last release and its note that the ring has ended comes back to a ring that
 * tells it so, and not to none. The control plane is served meanwhile. */
static inline int ndr_writer_farewell(ndring_writer *w, int64_t deadline) {
    int64_t since = ndr_now_ms(), until;

    while ((until = ndr_server_awaited(&w->server, since)) != 0) {
        if (ndr_remaining_ms(deadline, 1) == 0) {
            return ndr_fail(&w->error, NDRING_ERR_TIMEOUT, "readers of ring %s have not said goodbye", w->server.ring);
        }
        ndr_server_turn(&w->server, ndr_remaining_ms(until < deadline ? until : deadline, NDR_SAFETY_MS));
    }
    return NDRING_OK;
}

#endif
