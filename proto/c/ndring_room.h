/* Room for a claim: waiting for the gate, raising the limit, serving meanwhile.
 * docs/layout.md, "Room" and "Limit". */
#ifndef NDRING_ROOM_H
#define NDRING_ROOM_H

#include "ndring_owner.h"
#include "ndring_server.h"

#define NDR_SERVE_CLAIMS 256    /* most claims between two looks at the clock */
#define NDR_SERVE_NS 1000000    /* the control plane is served if that was so long ago */

enum ndr_opening { NDR_OPEN_NONE, NDR_OPEN_INLINE, NDR_OPEN_BATCH, NDR_OPEN_FRAMES };

typedef struct ndr_member {
    ndring_header head;
    uint64_t at;
} ndr_member;

typedef struct ndring_writer {
    /* Zero in a forked process, see ndring_owner.h. A frame like the last inline one that
     * ends at or before plain needs no look at limit, wrap, marks or clock. */
    enum ndr_opening open;
    uint32_t like_dtype;
    uint64_t plain;
    uintptr_t lap; /* a position up to plain is at lap + position */
    uint64_t like; /* description of the inline frame checked last */
    uint64_t like_items;
    uint64_t like_size; /* never 0 but there */
    uint64_t at, end; /* of what is claimed, without padding */
    int unlooked;       /* claims to the next look at the clock */
    int stride;         /* claims between two looks */
    /* up to here */
    ndr_server server;
    ndr_core *core; /* of server */
    pid_t owner;    /* process that opened it */
    ndr_directory dir;
    ndr_files files;
    int lock;
    uint32_t policy;
    int finished;       /* why claims fail: a status, or 0 */
    uint64_t looked_ns; /* the last look */
    uint64_t served_ns; /* the last time the control plane was served */
    ndr_member *members;
    uint32_t count, room; /* of members */
    ndr_spinner spin;
    ndring_error error;
} ndring_writer;

/* ndr_writer_new makes a writer of this process, NULL when there is no memory. */
static inline ndring_writer *ndr_writer_new(void) {
    ndring_writer *w = (ndring_writer *)ndr_owned_new(offsetof(ndring_writer, server), sizeof(ndring_writer));

    if (w != NULL) {
        w->core = &w->server.core;
        w->owner = getpid();
        w->like_size = NDR_NO_SIZE;
    }
    return w;
}

/* ndr_writer_ours reports whether this process opened the writer; if not, claims fail. */
static inline int ndr_writer_ours(ndring_writer *w) {
    if (w->like_size != 0 && w->owner == getpid()) {
        return 1;
    }
    w->finished = NDRING_ERR_CLOSED;
    return 0;
}

/* ndring_writer_service serves the control plane without waiting. */
static inline void ndring_writer_service(ndring_writer *w) {
    if (!ndr_writer_ours(w)) {
        return; /* its clients are the parent's */
    }
    w->served_ns = ndr_now_ns(CLOCK_MONOTONIC);
    ndr_server_turn(&w->server, 0);
}

/* ndr_writer_look looks at the clock now and then, and serves the control plane if that
 * was long ago. Who claims often looks at few of the claims, who claims rarely at each. */
static inline void ndr_writer_look(ndring_writer *w) {
    uint64_t now = ndr_now_ns(CLOCK_MONOTONIC), since = now - w->looked_ns;

    w->looked_ns = now;
    w->stride = since > NDR_SERVE_NS ? 0 : since > NDR_SERVE_NS / 4 ? w->stride / 2 : 2 * w->stride + 1;
    w->stride = w->stride > NDR_SERVE_CLAIMS ? NDR_SERVE_CLAIMS : w->stride;
    w->unlooked = w->stride;
    if (now - w->served_ns >= NDR_SERVE_NS || w->like_size == 0) {
        ndring_writer_service(w);
    }
}

/* ndr_writer_evict_stuck dismisses readers whose cursor stood still below wanted for the
 * time they agreed to. */
static inline void ndr_writer_evict_stuck(ndring_writer *w, uint64_t wanted, int64_t since) {
    int64_t now = ndr_now_ms();
    uint32_t i;

    for (i = 0; i < w->core->top; i++) {
        ndr_record *r = &w->core->readers[i];
        if (r->evict_ms == 0 || !r->active || (int64_t)(r->last - wanted) >= 0) {
            continue;
        }
        if (r->stuck_at != r->last || r->stuck_ms < since) {
            r->stuck_at = r->last;
            r->stuck_ms = now;
        } else if (now - r->stuck_ms >= (int64_t)r->evict_ms) {
            ndr_dismiss(w->core, i, NDRING_CODE_TOO_SLOW);
        }
    }
}

/* ndr_writer_barrier makes the stores of readers that skip their fence visible. */
static inline void ndr_writer_barrier(ndring_writer *w) {
    uint32_t i;

    ndr_fence();
    for (i = 0; i < w->core->top; i++) {
        if (w->core->readers[i].active && w->core->readers[i].asymmetric) {
            ndr_membarrier();
            return;
        }
    }
}

/* ndr_writer_park sleeps once unless the gate is there already, and serves meanwhile.
 * Without time left the wanted word stays, so that the caller can poll. SYNC: park */
static inline int ndr_writer_park(ndring_writer *w, uint64_t wanted, uint64_t *gate, int64_t deadline) {
    uint64_t *word = &ndr_core_table(w->core)->writer_parked;
    int left = ndr_remaining_ms(deadline, NDR_SAFETY_MS), slowest;

    ndr_store_seq(word, wanted | 1);
    ndr_writer_barrier(w);
    *gate = ndr_gate(w->core, &slowest);
    ndr_store(&w->core->seg.words->blocked_by, (uint64_t)(slowest + 1));
    if ((int64_t)(*gate - wanted) >= 0) {
        ndr_store_seq(word, 0);
        return NDRING_OK;
    }
    if (left == 0) {
        return NDRING_ERR_TIMEOUT;
    }
    ndr_server_turn(&w->server, left);
    ndr_store_seq(word, 0);
    *gate = ndr_gate(w->core, &slowest);
    if (w->core->dismissed) {
        ndr_server_evict_dismissed(&w->server);
    }
    return NDRING_OK;
}

static inline int ndr_writer_spin(ndring_writer *w, uint64_t wanted, uint64_t *gate) {
    int step, budget = ndr_spin_budget(&w->spin), i, slowest;

    for (step = 0; step < budget; step++) {
        for (i = 0; i < NDR_SPIN_STEP; i++) {
            ndr_pause();
        }
        *gate = ndr_gate(w->core, &slowest);
        if ((int64_t)(*gate - wanted) >= 0) {
            ndr_spin_hit(&w->spin);
            return 1;
        }
    }
    if (budget > 0) {
        ndr_spin_miss(&w->spin);
    }
    return 0;
}

static inline void ndr_writer_count_dropped(ndring_writer *w, uint32_t frames) {
    ndr_writer_words *words = w->core->seg.words;

    ndr_store(&words->dropped, ndr_load(&words->dropped) + frames);
}

/* ndr_writer_await waits until the gate is at wanted or above. */
static inline int ndr_writer_await(ndring_writer *w, uint64_t wanted, uint64_t *gate, uint32_t policy, int64_t deadline) {
    ndr_writer_words *words = w->core->seg.words;
    uint64_t began;
    int64_t since;
    int slowest, status = NDRING_OK;

    *gate = ndr_gate(w->core, &slowest);
    if ((int64_t)(*gate - wanted) >= 0) {
        return NDRING_OK;
    }
    if (policy == NDRING_POLICY_DROP_NEWEST) {
        ndring_writer_service(w);
        ndr_writer_count_dropped(w, 1);
        return ndr_fail(&w->error, NDRING_ERR_DROPPED, "ring %s", w->server.ring);
    }
    if (ndr_writer_spin(w, wanted, gate)) {
        return NDRING_OK;
    }
    ndr_store_tail(w->core);
    began = ndr_unix_ns();
    since = ndr_now_ms();
    ndr_store(&words->blocks, ndr_load(&words->blocks) + 1);
    ndr_store(&words->blocked_by, (uint64_t)(slowest + 1)); /* who sees that the writer waits also sees for whom */
    ndr_store(&words->blocked_since, began);
    ndr_server_turn(&w->server, 0);
    while (status == NDRING_OK && (status = ndr_writer_park(w, wanted, gate, deadline)) == NDRING_OK &&
           (int64_t)(*gate - wanted) < 0) {
        ndr_writer_evict_stuck(w, wanted, since);
        ndr_server_evict_dismissed(&w->server);
    }
    ndr_store(&words->blocked_ns, ndr_load(&words->blocked_ns) + (ndr_unix_ns() - began));
    ndr_store(&words->blocked_since, 0);
    return status == NDRING_OK ? status : ndr_fail(&w->error, status, "ring %s is full", w->server.ring);
}

/* ndr_writer_linger gives readers a moment when the ring is nearly full of small frames,
 * so that the cursors are read once for many. */
static inline uint64_t ndr_writer_linger(ndring_writer *w, uint64_t gate, uint64_t need) {
    uint64_t few = w->core->seg.capacity / (4 * NDRING_MARK_COUNT);
    int i, slowest;

    if (w->spin.most == 0 || need - w->core->pos > few || gate + w->core->seg.capacity - need > few) {
        return gate;
    }
    for (i = 0; i < NDR_SPIN_STEP; i++) {
        ndr_pause();
    }
    return ndr_gate(w->core, &slowest);
}

/* ndr_writer_reserve waits for room for size bytes that do not cross the wrap and stores
 * where they start: at the writer's position, or at the wrap after padding. */
static inline int ndr_writer_reserve(ndring_writer *w, uint64_t size, uint64_t *at, int timeout_ms) {
    ndr_core *core = w->core;
    uint64_t left = ndr_to_wrap(&core->seg, core->pos), need, more, gate, limit, *parked = &ndr_core_table(core)->writer_parked;
    int64_t deadline;
    int status;

    if (w->finished == NDRING_ERR_CLOSED) {
        return ndr_forked(&w->error, w->server.ring);
    }
    if (w->finished) {
        return ndr_fail(&w->error, w->finished, "claim in ring %s", w->server.ring);
    }
    *at = size > left ? core->pos + left : core->pos;
    need = *at + size + NDRING_LINE_BYTES;
    if ((int64_t)(need - core->limit) > 0) {
        deadline = ndr_deadline(timeout_ms);
        do {
            status = ndr_writer_await(w, need - core->seg.capacity, &gate, w->policy, deadline);
            if (status != NDRING_OK) {
                return status;
            }
            gate = ndr_writer_linger(w, gate, need);
            more = need + core->seg.capacity / NDRING_LIMIT_DIVISOR;
            limit = gate + core->seg.capacity;
            limit = more - need < limit - need ? more : limit;
        } while (!ndr_prove(core, limit, gate));
        if (ndr_load_relaxed(parked) != 0) { /* seldom; a store would take the line from all readers */
            ndr_store(parked, 0);
        }
    }
    ndr_set_room(core);
    return NDRING_OK;
}

#endif
