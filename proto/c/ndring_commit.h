/* Commits: what is claimed becomes visible, whole, or is given back. */
#ifndef NDRING_COMMIT_H
#define NDRING_COMMIT_H

#include "ndring_claim.h"

#define NDR_AHEAD_BYTES 512        /* prefetched in front of the writer */
#define NDR_BATCH_AHEAD_BYTES 4096 /* and of one that commits a batch: what the next one fills */

/* ndr_writer_wake does what follows a commit when readers sleep or are told of frames by
 * message. */
NDR_COLD void ndr_writer_wake(ndring_writer *w) {
    if (w->core->fenced) {
        ndr_fence(); /* SYNC: park */
    }
    if (ndr_load(&ndr_core_table(w->core)->readers_parked) != 0) {
        ndr_wake_readers(w->core);
    }
    if (w->server.streams != 0) {
        ndr_server_announce(&w->server);
    }
}

/* ndr_writer_advance moves the writer past what it committed and wakes who sleeps. */
NDR_HOT void ndr_writer_advance(ndring_writer *w, uint64_t end, uint64_t frames) {
    ndr_core *core = &w->server.core;

    core->pos = end;
    core->number += frames;
    ndr_compiler_fence();
    if (((uint32_t)core->fenced | w->server.streams | ndr_load(&ndr_core_table(core)->readers_parked)) != 0) {
        ndr_writer_wake(w);
    }
}

/* ndr_prefetch_ahead asks for a line in front of the writer before its stores need it;
 * behind the mapping it does nothing. */
NDR_HOT void ndr_prefetch_ahead(const void *line, uint64_t bytes) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*((const char *)line + bytes)));
#else
    __builtin_prefetch((const char *)line + bytes, 1, 3);
#endif
}

NDR_COLD void ndr_writer_commit_frames(ndring_writer *w) {
    ndr_core *core = w->core;
    uint64_t first = core->pos;
    ndring_header pad;
    uint32_t i;

    ndr_store_relaxed(ndr_commit_word(&core->seg, w->end), 0);
    for (i = w->count; i-- > 0;) {
        const ndr_member *m = &w->members[i];
        ndr_header_encode(&m->head, ndr_at(&core->seg, m->at));
        ndr_store(ndr_commit_word(&core->seg, m->at), m->at | m->head.kind);
    }
    if (w->at != first) {
        memset(&pad, 0, sizeof pad);
        pad.number = core->number;
        pad.ndim = 1;
        pad.payload_bytes = w->at - first - NDRING_BASE_BYTES;
        ndr_header_encode(&pad, ndr_at(&core->seg, first));
        ndr_store(ndr_commit_word(&core->seg, first), first | NDRING_KIND_PADDING); /* SYNC: commit */
    }
    ndr_writer_advance(w, w->end, w->count);
    if ((int64_t)(w->end - core->mark) > 0) {
        ndr_pass_mark(core, first);
    }
    ndr_set_room(core);
    ndr_writer_set_plain(w);
}

/* ndr_writer_commit_batch stores the headers of a batch, the first commit word last. */
NDR_HOT void ndr_writer_commit_batch(ndring_writer *w) {
    ndr_core *core = &w->server.core;
    uint64_t first = core->pos, size = w->like_size, like = w->like, number = core->number, end = w->end, at;
    uintptr_t lap = w->lap;
    uint8_t *base = (uint8_t *)(lap + (uintptr_t)first);

    ndr_store_relaxed((uint64_t *)(void *)(base + (end - first)), 0);
    for (at = first + size; at != end; at += size) {
        uint64_t *word = (uint64_t *)(lap + (uintptr_t)at);
        ndr_store_relaxed(word + NDRING_FR_NUMBER / 8, ++number);
        ndr_store_relaxed(word + NDRING_FR_DESCRIBE / 8, like);
        ndr_store_relaxed(word, at | NDRING_KIND_DATA);
        ndr_prefetch_ahead(word, NDR_BATCH_AHEAD_BYTES);
    }
    ndr_store_relaxed((uint64_t *)(void *)(base + NDRING_FR_NUMBER), core->number);
    ndr_store_relaxed((uint64_t *)(void *)(base + NDRING_FR_DESCRIBE), like);
    ndr_store((uint64_t *)(void *)base, first | NDRING_KIND_DATA); /* SYNC: commit */
    ndr_writer_advance(w, end, w->count);
}

/* ndring_writer_commit makes what is claimed visible, whole. The claim is over. Without a
 * claim it does nothing. */
NDR_HOT void ndring_writer_commit(ndring_writer *w) {
    uint64_t at = w->server.core.pos, end = at + w->like_size;
    enum ndr_opening open = w->open;
    uint64_t *word = (uint64_t *)(w->lap + (uintptr_t)at);

    w->open = NDR_OPEN_NONE;
    if (open != NDR_OPEN_INLINE) {
        if (open == NDR_OPEN_BATCH) {
            ndr_writer_commit_batch(w);
        } else if (open == NDR_OPEN_FRAMES) {
            ndr_writer_commit_frames(w);
        }
        return;
    }
    ndr_store_relaxed((uint64_t *)(w->lap + (uintptr_t)end), 0);
    ndr_store_relaxed(word + NDRING_FR_NUMBER / 8, w->server.core.number);
    ndr_store_relaxed(word + NDRING_FR_DESCRIBE / 8, w->like);
    ndr_store(word, at | NDRING_KIND_DATA); /* SYNC: commit */
    ndr_prefetch_ahead(word, NDR_AHEAD_BYTES);
    ndr_writer_advance(w, end, 1);
}

/* ndring_writer_abort gives the claimed space back. Nothing of it becomes visible. */
static inline void ndring_writer_abort(ndring_writer *w) { w->open = NDR_OPEN_NONE; }

/* ndring_writer_publish claims a C-order array, copies it in and commits. */
static inline int ndring_writer_publish(ndring_writer *w, uint32_t dtype, uint32_t ndim, const uint64_t *shape, const void *values,
                                        int timeout_ms) {
    void *payload = NULL;
    int status = ndring_writer_claim(w, dtype, ndim, shape, timeout_ms, &payload);

    if (status == NDRING_OK) {
        uint64_t bytes = w->open == NDR_OPEN_INLINE ? w->like & NDRING_DESC_LEN_MASK : w->members[0].head.payload_bytes;
        if (bytes > 0) {
            memcpy(payload, values, (size_t)bytes);
        }
        ndring_writer_commit(w);
    }
    return status;
}

#endif
