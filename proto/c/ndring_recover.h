/* What a writer takes over of the one before it: the end of what is committed, the readers
 * of its table, the words that say who writes now. docs/layout.md, "Recovery". */
#ifndef NDRING_RECOVER_H
#define NDRING_RECOVER_H

#include "ndring_gate.h"

/* ndr_recover walks from the shared tail over what is committed. docs/layout.md,
 * "Recovery". */
static inline int ndr_recover(const ndr_segment *s, uint64_t *end, uint64_t *number, ndring_error *err) {
    uint64_t tail = ndr_load(&s->words->tail), limit = ndr_load(&s->words->limit), p = tail, word, steps;
    ndring_header h;

    *number = ndr_load(&s->words->number);
    if (tail % NDRING_LINE_BYTES != 0 || (int64_t)(tail - s->id->start) < 0 || limit - tail > s->capacity) {
        return ndr_fail(err, NDRING_ERR_CORRUPT, "recover: tail %llu, limit %llu", (unsigned long long)tail, (unsigned long long)limit);
    }
    for (steps = 0;; steps++) {
        word = ndr_load(ndr_commit_word(s, p));
        if (word == 0) {
            *end = p;
            return NDRING_OK;
        }
        if (!ndr_is_commit(word, p)) {
            return ndr_fail(err, NDRING_ERR_CORRUPT, "recover: word %#llx at position %llu is neither 0 nor a commit",
                            (unsigned long long)word, (unsigned long long)p);
        }
        if (ndr_header_at(s, &h, p, word & NDRING_KIND_MASK, err) != NDRING_OK) {
            return NDRING_ERR_CORRUPT;
        }
        if (steps == 0 ? *number - h.number > s->capacity / NDRING_LINE_BYTES : h.number != *number) {
            return ndr_fail(err, NDRING_ERR_CORRUPT, "recover: frame at position %llu has number %llu, want %llu",
                            (unsigned long long)p, (unsigned long long)h.number, (unsigned long long)*number);
        }
        *number = h.number + (h.kind != NDRING_KIND_PADDING);
        p += ndr_header_frame(&h);
        if (p - tail > s->capacity) {
            return ndr_fail(err, NDRING_ERR_CORRUPT, "recover: frames from %llu on fill the whole ring", (unsigned long long)tail);
        }
    }
}

/* ndr_adopt carries the occupied slots of the epoch before over, as lost. */
static inline void ndr_adopt(ndr_core *w, uint8_t *old, uint32_t slots, int64_t grace_ms) {
    uint32_t i;

    for (i = 0; i < slots && i < w->seg.id->slots; i++) {
        const ndr_slot *s = ndr_table_slot(old, i);
        uint64_t state = ndr_load(&s->state), cursor = ndr_load(&s->cursor);
        ndr_record *r = &w->readers[i];
        r->generation = (uint32_t)(state >> 32);
        if (((state & 0xff) != NDRING_SLOT_ACTIVE && (state & 0xff) != NDRING_SLOT_LOST) || w->pos - cursor > w->seg.capacity ||
            cursor % NDRING_LINE_BYTES != 0) {
            continue; /* or a cursor that no reader can have */
        }
        r->state = NDRING_SLOT_LOST;
        r->pid = (long)s->pid;
        r->evict_ms = s->evict_ms;
        ndr_field_name(r->name, s->name);
        r->keep_ms = r->name[0] != 0 ? s->keep_ms : 0;
        r->lost_until = ndr_now_ms() + (grace_ms > (int64_t)s->keep_ms ? grace_ms : (int64_t)s->keep_ms);
        ndr_gate_at(w, i, cursor);
        ndr_describe_slot(w, i, s->wake, s->keep_ms, s->start);
        w->saw_reader = 1;
    }
}

/* ndr_released_up_to is how far the reader that had a lost slot got. One that died before
 * it heard of this writer may have released a frame in the table of the epoch before after
 * that was carried over. */
static inline uint64_t ndr_released_up_to(const ndr_core *w, uint32_t i) {
    uint64_t held = ndr_load(&ndr_table_slot(w->table, i)->cursor), cursor;
    const ndr_slot *s;

    if (i >= w->old_slots) {
        return held;
    }
    s = ndr_table_slot(w->old, i);
    cursor = ndr_load(&s->cursor);
    if ((uint32_t)(ndr_load(&s->state) >> 32) != w->readers[i].generation || cursor % NDRING_LINE_BYTES != 0 ||
        cursor - held > w->pos - held) {
        return held;
    }
    return cursor;
}

/* ndr_announce_epoch stores who writes now; the epoch last, so that who sees it sees the
 * rest. */
static inline void ndr_announce_epoch(ndr_core *w) {
    ndr_writer_words *words = w->seg.words;

    ndr_store(ndr_commit_word(&w->seg, w->pos), 0);
    ndr_store_tail(w);
    ndr_store(&words->pid, (uint64_t)getpid());
    ndr_store(&words->started_ns, ndr_unix_ns());
    ndr_store(&words->blocked_since, 0);
    ndr_store_flags(w);
    ndr_store(&words->final_word, 0);
    ndr_store(&words->epoch, w->epoch);
}

#endif
