/* The writer of a ring: claim, fill in place, commit. A whole writer: lock, files, control
 * socket, room, limit, marks, tail, recovery.
 *
 * It starts no thread. Its control plane, which lets readers in, is served inside claims
 * (at once when one has to wait, and now and then while it does not), inside close, and
 * by ndring_writer_service. A program that computes for long between claims polls
 * ndring_writer_fd and calls ndring_writer_service when it is readable. Readers in stream
 * mode and observers are told of each commit by a message; with none of these attached a
 * commit makes no system call unless a reader sleeps. */
#ifndef NDRING_WRITER_H
#define NDRING_WRITER_H

#include "ndring_server.h"

#define NDR_SERVE_CLAIMS 64 /* quick claims between two looks at the clock */
#define NDR_SERVE_MS 1      /* a claim serves if the last one is so long ago */
#define NDR_AHEAD_BYTES 512 /* prefetched in front of the writer */
#define NDR_NO_SIZE ((uint64_t)1 << 62) /* fits nowhere: sends every claim the slow way */

enum ndr_opening { NDR_OPEN_NONE, NDR_OPEN_INLINE, NDR_OPEN_FRAMES };

typedef struct ndr_member {
    ndring_header head;
    uint64_t at;
} ndr_member;

typedef struct ndring_writer {
    ndr_server server;
    ndr_core *core; /* of server */
    ndr_directory dir;
    ndr_files files;
    int lock;
    uint32_t policy;
    enum ndr_opening open;
    int finished;
    int countdown;     /* claims to the next look at the clock */
    int64_t served_ms; /* the last one */
    uint64_t like;     /* description of the inline frame checked last */
    uint64_t like_items, like_size;
    uint64_t at, end;  /* of what is claimed, without padding */
    ndr_member *members;
    uint32_t count, room; /* of members */
    ndr_spinner spin;
    ndring_error error;
} ndring_writer;

/* ndring_writer_error says more about the last status that was an error. */
static inline const ndring_error *ndring_writer_error(const ndring_writer *w) { return &w->error; }

/* ndring_writer_position is the end of what is committed. */
static inline uint64_t ndring_writer_position(const ndring_writer *w) { return w->core->pos; }

/* ndring_writer_epoch counts the lives of this ring's writers, from 1. */
static inline uint64_t ndring_writer_epoch(const ndring_writer *w) { return w->core->epoch; }

/* ndring_writer_next_number is the number of the next frame: how many were committed. */
static inline uint64_t ndring_writer_next_number(const ndring_writer *w) { return w->core->number; }

/* ndring_writer_fd is readable when ndring_writer_service has work, and when there may be
 * room after a claim returned NDRING_ERR_TIMEOUT. The writer owns it. */
static inline int ndring_writer_fd(const ndring_writer *w) { return w->server.epoll; }

/* ndring_writer_service serves the control plane without waiting. */
static inline void ndring_writer_service(ndring_writer *w) {
    w->served_ms = ndr_now_ms();
    ndr_server_turn(&w->server, 0);
}

/* ndr_writer_free gives everything back but the names of the files. */
static inline void ndr_writer_free(ndring_writer *w) {
    ndr_server_close(&w->server);
    ndr_files_close(&w->files, w->core);
    ndr_close(&w->core->bell);
    ndr_close(&w->dir.fd);
    ndr_close(&w->lock);
    free(w->core->readers);
    free(w->members);
    free(w);
}

/* ndr_writer_start makes the memory at hand this writer's: recovery, the readers of the
 * epoch before, the epoch, names, socket. */
static inline int ndr_writer_start(ndring_writer *w, const ndring_writer_config *c, ndring_error *err) {
    ndr_core *core = w->core;
    uint32_t i;
    int status = ndr_recover(&core->seg, &core->pos, &core->number, err);

    if (status != NDRING_OK) {
        return status;
    }
    free(core->readers);
    core->readers = (ndr_record *)calloc(core->seg.id->slots, sizeof *core->readers);
    if (core->readers == NULL) {
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "allocate", "reader records");
    }
    for (i = 0; i < core->seg.id->slots; i++) {
        core->readers[i].bell = -1;
    }
    core->limit = core->mark = core->pos;
    core->free_run = c->free_run;
    core->asymmetric = ndr_membarrier_register();
    core->fenced = !core->asymmetric;
    core->saw_reader = (ndr_load(&core->seg.words->flags) & NDRING_WRITER_SAW_READER) != 0;
    if (w->files.old_slots > 0) {
        ndr_adopt(core, w->files.old, w->files.old_slots, c->grace_ms);
    }
    ndr_set_room(core);
    ndr_announce_epoch(core);
    status = ndr_files_publish(&w->files, core, &w->dir, w->server.ring, err);
    ndr_files_drop_old(&w->files);
    return status;
}

/* ndr_writer_take_over continues a left-over ring or makes a new one. */
static inline int ndr_writer_take_over(ndring_writer *w, const ndring_writer_config *c, const ndr_identity *id, ndring_error *err) {
    int status = ndr_files_resume(&w->files, w->core, &w->dir, w->server.ring, id, err);

    if (status == NDRING_OK) {
        status = ndr_writer_start(w, c, err);
        if (status == NDRING_OK) {
            return NDRING_OK;
        }
    }
    if (status != NDRING_ERR_NO_RING && !c->recreate) {
        return status;
    }
    ndr_files_close(&w->files, w->core);
    ndr_remove_ring(&w->dir, w->server.ring);
    status = ndr_files_create(&w->files, w->core, &w->dir, id, err);
    if (status == NDRING_OK) {
        status = ndr_writer_start(w, c, err);
        if (status != NDRING_OK) {
            ndr_remove_ring(&w->dir, w->server.ring);
        }
    }
    return status;
}

static inline void ndr_writer_unlock(ndring_writer *w) {
    char name[NDR_FILE_NAME];

    ndr_file_name(name, w->server.ring, ".lock");
    (void)unlinkat(w->dir.fd, name, 0);
}

/* ndring_writer_open makes this process the writer of a ring and lets readers in. An
 * unfinished ring that a dead writer left is continued: its frames stay, and its readers
 * get the grace to return. Errors: NDRING_ERR_WRITER_ALIVE, _MISMATCH, _NO_SPACE, _DIR,
 * _FILE, _CORRUPT, _NAME, _GEOMETRY, _SHAPE, _SYSTEM. */
static inline int ndring_writer_open(ndring_writer **out, const char *ring, const ndring_writer_config *config, ndring_error *err) {
    ndr_identity *id = (ndr_identity *)malloc(sizeof *id);
    ndring_writer *w = (ndring_writer *)calloc(1, sizeof *w);
    int status;

    *out = NULL;
    if (id == NULL || w == NULL) {
        free(id);
        free(w);
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "allocate", "a writer");
    }
    w->core = &w->server.core;
    w->files.segment_file = w->files.table_file = w->lock = w->dir.fd = w->core->bell = -1;
    w->server.segment = w->server.table_read = w->server.table_full = -1;
    w->server.epoll = w->server.timer = w->server.listen = -1;
    w->policy = config->policy;
    w->like_size = NDR_NO_SIZE;
    ndr_spinner_set(&w->spin, config->spin_ns);
    status = ndr_identity_fill(id, ring, config, err);
    if (status == NDRING_OK) {
        snprintf(w->server.ring, sizeof w->server.ring, "%s", ring);
        status = ndr_directory_open(&w->dir, config->dir, 1, err);
    }
    if (status == NDRING_OK) {
        status = ndr_lock(&w->dir, ring, &w->lock, err);
    }
    if (status == NDRING_OK) {
        w->core->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        status = w->core->bell < 0 ? ndr_fail_errno(err, NDRING_ERR_SYSTEM, "create", "a doorbell")
                                   : ndr_writer_take_over(w, config, id, err);
    }
    if (status == NDRING_OK) {
        status = ndr_server_open(&w->server, &w->dir, &w->files, err);
        if (status != NDRING_OK && w->core->epoch == 1) {
            ndr_remove_ring(&w->dir, ring); /* nobody can have known it */
        }
    }
    free(id);
    if (status != NDRING_OK) {
        if (w->lock >= 0) {
            ndr_writer_unlock(w);
        }
        ndr_writer_free(w);
        return status;
    }
    *out = w;
    return NDRING_OK;
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
        ndr_store(&words->dropped, ndr_load(&words->dropped) + 1);
        return ndr_fail(&w->error, NDRING_ERR_DROPPED, "ring %s", w->server.ring);
    }
    if (ndr_writer_spin(w, wanted, gate)) {
        return NDRING_OK;
    }
    ndr_store_tail(w->core);
    began = ndr_unix_ns();
    since = ndr_now_ms();
    ndr_store(&words->blocks, ndr_load(&words->blocks) + 1);
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
    uint64_t left = ndr_to_wrap(&core->seg, core->pos), need, more, gate, limit;
    int64_t deadline;
    int status;

    if (w->finished) {
        return ndr_fail(&w->error, NDRING_ERR_FINISHED, "claim in ring %s", w->server.ring);
    }
    *at = size > left ? core->pos + left : core->pos;
    need = *at + size + NDRING_LINE_BYTES;
    if ((int64_t)(need - core->limit) > 0) {
        deadline = ndr_deadline(timeout_ms);
        ndring_writer_service(w);
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
        ndr_store(&ndr_core_table(core)->writer_parked, 0);
    }
    ndr_set_room(core);
    return NDRING_OK;
}

/* ndr_writer_admit checks what the caller said of a frame and derives the rest. */
static inline int ndr_writer_admit(ndring_writer *w, ndring_header *h) {
    const ndr_identity *id = w->core->seg.id;
    uint32_t i;
    int status;

    h->kind = h->kind == 0 ? NDRING_KIND_DATA : h->kind;
    if ((h->kind != NDRING_KIND_DATA && h->kind != NDRING_KIND_STREAM_END && h->kind < NDRING_KIND_SKIPPABLE) ||
        h->kind > NDRING_KIND_MASK) {
        return ndr_fail(&w->error, NDRING_ERR_HEADER, "frame of kind %u", h->kind);
    }
    h->flags &= NDRING_FLAG_EXTENDED; /* the others are not the caller's to give */
    status = ndr_header_complete(h, &w->error);
    if (status != NDRING_OK) {
        return status;
    }
    if (h->kind == NDRING_KIND_DATA && id->schema_dtype != 0 && id->schema_dtype != h->dtype) {
        return ndr_fail(&w->error, NDRING_ERR_DTYPE, "dtype %s, the ring is declared %s", ndring_dtype_name(h->dtype),
                        ndring_dtype_name(id->schema_dtype));
    }
    if (h->kind == NDRING_KIND_DATA && id->schema_ndim != NDRING_ANY_NDIM) {
        for (i = 0; i < h->ndim && h->ndim == id->schema_ndim; i++) {
            if (id->schema_shape[i] != NDRING_ANY_DIM && id->schema_shape[i] != h->shape[i]) {
                break;
            }
        }
        if (h->ndim != id->schema_ndim || i < h->ndim) {
            return ndr_fail(&w->error, NDRING_ERR_SHAPE, "dimension %u of %u is not as the ring declares", i, h->ndim);
        }
    }
    if (h->payload_bytes > id->frame_limit) {
        return ndr_fail(&w->error, NDRING_ERR_FRAME_TOO_LARGE, "payload of %llu bytes, the ring's frame limit is %llu",
                        (unsigned long long)h->payload_bytes, (unsigned long long)id->frame_limit);
    }
    return NDRING_OK;
}

/* ndr_writer_keep_serving looks now and then whether somebody wants in. A slow producer
 * looks at each claim, a quick one at every 64th. */
static inline void ndr_writer_keep_serving(ndring_writer *w) {
    int64_t now = ndr_now_ms();

    w->countdown = NDR_SERVE_CLAIMS;
    if (now - w->served_ms >= NDR_SERVE_MS) {
        w->countdown = 0;
        ndring_writer_service(w);
    }
}

/* ndring_writer_claim_group claims count frames that become visible together or not at
 * all. Of each header count kind, dtype, ndim, shape and, with NDRING_EXT_STRIDES, strides;
 * and what ext_flags name. Numbers and sizes are filled in; payloads[i] is the space of
 * frame i. Errors: NDRING_ERR_CLAIM_OPEN, _FRAME_TOO_LARGE, _SHAPE, _DTYPE, _HEADER,
 * _DROPPED, _FINISHED, _TIMEOUT. */
static inline int ndring_writer_claim_group(ndring_writer *w, ndring_header *heads, uint32_t count, int timeout_ms, void **payloads) {
    uint64_t size = 0, at = 0;
    uint32_t i;
    int status;

    if (w->open != NDR_OPEN_NONE) {
        return ndr_fail(&w->error, NDRING_ERR_CLAIM_OPEN, "claim in ring %s", w->server.ring);
    }
    if (count == 0) {
        return ndr_fail(&w->error, NDRING_ERR_SHAPE, "group of no frames");
    }
    if (w->countdown-- <= 0) {
        ndr_writer_keep_serving(w);
    }
    if (count > w->room) {
        ndr_member *more = (ndr_member *)realloc(w->members, count * sizeof *more);
        if (more == NULL) {
            return ndr_fail_errno(&w->error, NDRING_ERR_SYSTEM, "allocate", "a group");
        }
        w->members = more;
        w->room = count;
    }
    for (i = 0; i < count; i++) {
        status = ndr_writer_admit(w, &heads[i]);
        if (status != NDRING_OK) {
            return status;
        }
        heads[i].flags = (uint8_t)(heads[i].flags | (i + 1 < count ? NDRING_FLAG_MORE : 0));
        size += ndr_header_frame(&heads[i]);
        if (size > w->core->seg.capacity / 2) {
            return ndr_fail(&w->error, NDRING_ERR_FRAME_TOO_LARGE, "frames up to %u take %llu bytes, a group at most half the ring", i,
                            (unsigned long long)size);
        }
    }
    status = ndr_writer_reserve(w, size, &at, timeout_ms);
    if (status != NDRING_OK) {
        return status;
    }
    w->at = at;
    for (i = 0; i < count; i++) {
        heads[i].number = w->core->number + i;
        w->members[i].head = heads[i];
        w->members[i].at = at;
        payloads[i] = ndr_at(&w->core->seg, at) + ndr_header_head(&heads[i]);
        at += ndr_header_frame(&heads[i]);
    }
    w->end = at;
    w->count = count;
    w->open = NDR_OPEN_FRAMES;
    return NDRING_OK;
}

/* ndring_writer_claim_frame claims one frame described by h, as ndring_writer_claim_group
 * does. */
static inline int ndring_writer_claim_frame(ndring_writer *w, ndring_header *h, int timeout_ms, void **payload) {
    int status = ndring_writer_claim_group(w, h, 1, timeout_ms, payload);

    if (status == NDRING_OK && h->kind == NDRING_KIND_DATA && !ndr_header_extended(h)) {
        w->like = ndr_describe(h->payload_bytes, h->dtype, 1, 0);
        w->like_items = h->shape[0];
        w->like_size = w->end - w->at;
    }
    return status;
}

/* ndring_writer_claim claims a C-order array of ndim extents and waits for room for
 * timeout_ms, as the ring's policy says. The payload holds whatever lay there before.
 * Errors as for ndring_writer_claim_group. */
static inline int ndring_writer_claim(ndring_writer *w, uint32_t dtype, uint32_t ndim, const uint64_t *shape, int timeout_ms,
                                      void **payload) {
    ndring_header h;
    uint64_t at = w->core->pos;

    if (ndim == 1 && shape[0] == w->like_items && (w->like >> NDRING_DESC_DTYPE_SHIFT & 0xff) == dtype &&
        w->open == NDR_OPEN_NONE && (int64_t)(at + w->like_size - w->core->room) <= 0 && w->countdown-- > 0) {
        w->at = at;
        w->end = at + w->like_size;
        w->open = NDR_OPEN_INLINE;
        *payload = ndr_at(&w->core->seg, at) + NDRING_BASE_BYTES;
        return NDRING_OK;
    }
    memset(&h, 0, sizeof h);
    if (ndim > NDRING_MAX_DIMS || dtype > 255) {
        return ndr_fail(&w->error, dtype > 255 ? NDRING_ERR_DTYPE : NDRING_ERR_SHAPE, "dtype %u, %u dimensions", dtype, ndim);
    }
    h.dtype = (uint8_t)dtype;
    h.ndim = (uint8_t)ndim;
    if (ndim > 0) {
        memcpy(h.shape, shape, ndim * sizeof *shape);
    }
    return ndring_writer_claim_frame(w, &h, timeout_ms, payload);
}

/* ndr_writer_advance moves the writer past what it committed and wakes who sleeps. */
static inline void ndr_writer_advance(ndring_writer *w, uint64_t first, uint64_t end, uint64_t frames) {
    ndr_core *core = w->core;

    core->pos = end;
    core->number += frames;
    if ((int64_t)(end - core->mark) > 0) {
        ndr_pass_mark(core, first);
    }
    if (core->fenced) {
        ndr_fence(); /* SYNC: park */
    } else {
        ndr_compiler_fence();
    }
    if (ndr_load(&ndr_core_table(core)->readers_parked) != 0) {
        ndr_wake_readers(core);
    }
    if (w->server.streams != 0) {
        ndr_server_announce(&w->server);
    }
}

/* ndr_prefetch_ahead asks for a line in front of the writer before its stores need it;
 * behind the mapping it does nothing. */
static inline void ndr_prefetch_ahead(const void *line) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*((const char *)line + NDR_AHEAD_BYTES)));
#else
    __builtin_prefetch((const char *)line + NDR_AHEAD_BYTES, 1, 3);
#endif
}

static inline void ndr_writer_commit_frames(ndring_writer *w) {
    ndr_core *core = w->core;
    uint64_t first = core->pos;
    ndring_header pad;
    uint32_t i;

    w->open = NDR_OPEN_NONE;
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
    ndr_writer_advance(w, first, w->end, w->count);
    ndr_set_room(core);
}

/* ndring_writer_commit makes what is claimed visible, whole. The claim is over. Without a
 * claim it does nothing. */
static inline void ndring_writer_commit(ndring_writer *w) {
    uint64_t *word;

    if (w->open != NDR_OPEN_INLINE) {
        if (w->open == NDR_OPEN_FRAMES) {
            ndr_writer_commit_frames(w);
        }
        return;
    }
    w->open = NDR_OPEN_NONE;
    word = ndr_commit_word(&w->core->seg, w->at);
    ndr_store_relaxed(ndr_commit_word(&w->core->seg, w->end), 0);
    ndr_store_relaxed(word + NDRING_FR_NUMBER / 8, w->core->number);
    ndr_store_relaxed(word + NDRING_FR_DESCRIBE / 8, w->like);
    ndr_store(word, w->at | NDRING_KIND_DATA); /* SYNC: commit */
    ndr_prefetch_ahead(word);
    ndr_writer_advance(w, w->at, w->end, 1);
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

/* ndring_writer_finish ends the ring at the last committed frame; an open claim is
 * aborted. Readers see the end, claims fail from now on. */
static inline void ndring_writer_finish(ndring_writer *w) {
    ndr_core *core = w->core;

    if (w->finished) {
        return;
    }
    w->open = NDR_OPEN_NONE;
    w->finished = 1;
    w->like_size = NDR_NO_SIZE; /* the next claim takes the slow path and fails there */
    ndr_store_tail(core);
    ndr_store_seq(&core->seg.words->final_word, core->pos | 1);
    ndr_wake_readers(core);
    ndr_server_finish(&w->server);
}

/* ndring_writer_close ends the ring, waits for timeout_ms until every lossless reader has
 * got there, and for a first one if none ever came and the ring does not run free; then it
 * removes the ring's files and frees w. NDRING_ERR_TIMEOUT says that readers were still
 * reading: those attached get every frame all the same. */
static inline int ndring_writer_close(ndring_writer *w, int timeout_ms) {
    uint64_t gate;
    int status;

    if (w == NULL) {
        return NDRING_OK;
    }
    ndring_writer_finish(w);
    ndr_server_turn(&w->server, 0);
    status = ndr_writer_await(w, w->core->pos, &gate, NDRING_POLICY_BLOCK, ndr_deadline(timeout_ms));
    ndr_server_turn(&w->server, 0);
    ndr_remove_ring(&w->dir, w->server.ring);
    ndr_writer_unlock(w);
    ndr_writer_free(w);
    return status;
}

#endif
