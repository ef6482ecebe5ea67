/* Whose a reader or a writer is: a process that was forked off has no part in those of its
 * parent.
 *
 * The words by which the short ways of claim, commit, next and release decide come first in
 * a reader and a writer, and lie on a page that a forked process finds zeroed. Such words
 * lead nowhere: there each call takes its long way, and that looks whose it is. */
#ifndef NDRING_OWNER_H
#define NDRING_OWNER_H

#include "ndring_directory.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif

static inline size_t ndr_page(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* ndr_owned_new makes bytes of zeros, the first head of which a forked process finds zeroed
 * again: they end where a page does. */
static inline void *ndr_owned_new(size_t head, size_t bytes) {
    size_t page = ndr_page(), room = page + (bytes - head + page - 1) / page * page;
    uint8_t *mem = (uint8_t *)aligned_alloc(page, room);

    if (mem == NULL) {
        return NULL;
    }
    memset(mem, 0, room);
    (void)madvise(mem, page, MADV_WIPEONFORK); /* without it, the id of the process tells */
    return mem + page - head;
}

/* ndr_owned_free gives the memory back, as memory like any other. */
static inline void ndr_owned_free(void *of, size_t head) {
    size_t page = ndr_page();
    uint8_t *mem = (uint8_t *)of + head - page;

    if (madvise(mem, page, MADV_KEEPONFORK) == 0 || errno == EINVAL) {
        free(mem);
    }
}

/* ndr_forked says that a call was made in a process that was forked off. */
NDR_COLD int ndr_forked(ndring_error *err, const char *ring) {
    return ndr_fail(err, NDRING_ERR_CLOSED, "ring %s was opened by the process that this one was forked from; open it here, too",
                    ring);
}

#endif
