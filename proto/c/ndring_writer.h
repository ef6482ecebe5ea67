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

#include "ndring_commit.h"
#include "ndring_farewell.h"

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

/* ndr_writer_free gives everything back but the names of the files. */
static inline void ndr_writer_free(ndring_writer *w) {
    ndr_server_close(&w->server);
    ndr_files_close(&w->files, w->core);
    ndr_close(&w->core->bell);
    ndr_close(&w->dir.fd);
    ndr_close(&w->lock);
    free(w->core->readers);
    free(w->members);
    ndr_owned_free(w, offsetof(ndring_writer, server));
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
    core->old = w->files.old; /* stays mapped for those who return */
    core->old_slots = w->files.old_slots;
    if (w->files.old_slots > 0) {
        ndr_adopt(core, w->files.old, w->files.old_slots, c->grace_ms);
    }
    ndr_set_room(core);
    ndr_announce_epoch(core);
    return ndr_files_publish(&w->files, core, &w->dir, w->server.ring, err);
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
        if (err != NULL && status >= NDRING_ERR_MAGIC && status <= NDRING_ERR_HEADER) {
            size_t n = strlen(err->text);
            snprintf(err->text + n, sizeof err->text - n, "; recreate replaces what is left of ring %s", w->server.ring);
        }
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
    ndring_writer *w = ndr_writer_new();
    int status;

    *out = NULL;
    if (id == NULL || w == NULL) {
        free(id);
        if (w != NULL) {
            ndr_owned_free(w, offsetof(ndring_writer, server));
        }
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "allocate", "a writer");
    }
    w->files.segment_file = w->files.table_file = w->lock = w->dir.fd = w->core->bell = -1;
    w->server.segment = w->server.table_read = w->server.table_full = -1;
    w->server.epoll = w->server.timer = w->server.listen = -1;
    w->policy = config->policy;
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

/* ndring_writer_finish ends the ring at the last committed frame; an open claim is
 * aborted. Readers see the end, claims fail from now on. */
static inline void ndring_writer_finish(ndring_writer *w) {
    ndr_core *core = w->core;

    if (!ndr_writer_ours(w) || w->finished) {
        return;
    }
    w->open = NDR_OPEN_NONE;
    w->finished = NDRING_ERR_FINISHED;
    w->like_size = NDR_NO_SIZE; /* the next claim takes the slow path and fails there */
    ndr_store_tail(core);
    ndr_store_seq(&core->seg.words->final_word, core->pos | 1);
    ndr_wake_readers(core);
    ndr_server_finish(&w->server);
}

/* ndring_writer_close ends the ring, waits for timeout_ms until every lossless reader has
 * got there, and for a first one if none ever came and the ring does not run free, and for
 * the goodbye of those with a name that asked to be kept, no longer than so long; then it
 * removes the ring's files and frees w. The control plane is served meanwhile, and signals
 * do not cut the wait short. NDRING_ERR_TIMEOUT says that readers were not done: those
 * attached get every frame all the same. In a process that was forked off it frees what that
 * one has of the writer, and nobody else notices. */
static inline int ndring_writer_close(ndring_writer *w, int timeout_ms) {
    int64_t deadline = ndr_deadline(timeout_ms);
    uint64_t gate;
    int status;

    if (w == NULL) {
        return NDRING_OK;
    }
    if (!ndr_writer_ours(w)) {
        ndr_close(&w->server.epoll); /* the set is the parent's, too, and keeps what is in it */
        ndr_writer_free(w);
        return NDRING_OK;
    }
    ndring_writer_finish(w);
    ndr_server_turn(&w->server, 0);
    status = ndr_writer_await(w, w->core->pos, &gate, NDRING_POLICY_BLOCK, deadline);
    ndr_server_turn(&w->server, 0);
    if (status == NDRING_OK) {
        status = ndr_writer_farewell(w, deadline);
    }
    ndr_remove_ring(&w->dir, w->server.ring);
    ndr_writer_unlock(w);
    ndr_writer_free(w);
    return status;
}

#endif
