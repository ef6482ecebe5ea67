/* The ring directory and its files: checks, unnamed files, mappings, the writer
 * lock. docs/layout.md, "Files of a ring". */
#ifndef NDRING_DIRECTORY_H
#define NDRING_DIRECTORY_H

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ndring_message.h"
#include "ndring_space.h"

#if !defined(O_TMPFILE)
#error "define _GNU_SOURCE before the first include, or include ndring.h first"
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* An open and checked ring directory. Files are reached through its descriptor, so
 * that nobody can swap the directory under its path. */
typedef struct ndr_directory {
    int fd;
    char path[PATH_MAX];
} ndr_directory;

enum { NDR_FILE_NAME = NDRING_MAX_NAME_BYTES + 24 };

static inline void ndr_file_name(char *dst, const char *ring, const char *suffix) {
    snprintf(dst, NDR_FILE_NAME, "%s%s", ring, suffix);
}

static inline void ndr_close(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static inline int ndr_directory_check(const ndr_directory *d, ndring_error *err) {
    struct stat st;

    if (fstat(d->fd, &st) != 0) {
        return ndr_fail_errno(err, NDRING_ERR_DIR, "stat ring directory", d->path);
    }
    if (st.st_uid != geteuid()) {
        return ndr_fail(err, NDRING_ERR_DIR,
                        "ring directory %.200s belongs to uid %u, this process runs as uid %u; set NDRING_DIR", d->path,
                        (unsigned)st.st_uid, (unsigned)geteuid());
    }
    if (st.st_mode & 022) {
        return ndr_fail(err, NDRING_ERR_DIR, "ring directory %.200s has mode %04o, others can write to it; chmod 700 it",
                        d->path, (unsigned)(st.st_mode & 07777));
    }
    return NDRING_OK;
}

/* ndr_directory_open opens path, or the default when it is NULL or empty. A missing
 * directory is made if create is set, NDRING_ERR_NO_RING otherwise. */
static inline int ndr_directory_open(ndr_directory *d, const char *path, int create, ndring_error *err) {
    int status;

    if (path == NULL || path[0] == 0) {
        path = getenv("NDRING_DIR");
    }
    if (path != NULL && path[0] != 0) {
        snprintf(d->path, sizeof d->path, "%s", path);
    } else {
        snprintf(d->path, sizeof d->path, "/dev/shm/ndring-%u", (unsigned)geteuid());
    }
    if (create && mkdir(d->path, 0700) != 0 && errno != EEXIST) {
        return ndr_fail_errno(err, NDRING_ERR_DIR, "create ring directory", d->path);
    }
    do {
        d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    } while (d->fd < 0 && errno == EINTR);
    if (d->fd < 0) {
        return ndr_fail_errno(err, errno == ENOENT ? NDRING_ERR_NO_RING : NDRING_ERR_DIR, "open ring directory", d->path);
    }
    status = ndr_directory_check(d, err);
    if (status != NDRING_OK) {
        ndr_close(&d->fd);
    }
    return status;
}

/* ndr_directory_refuses is ndr_fail_errno for a file that cannot be made or named in a ring
 * directory. */
static inline int ndr_directory_refuses(const ndr_directory *d, const char *what, ndring_error *err) {
    int full = errno == ENOSPC || errno == EDQUOT;
    int closed = errno == EROFS || errno == EACCES || errno == EPERM || errno == ENOENT || errno == ENOTDIR;

    return ndr_fail_errno(err, full ? NDRING_ERR_NO_SPACE : closed ? NDRING_ERR_DIR : NDRING_ERR_SYSTEM, what, d->path);
}

/* ndr_file_open opens a file of the directory, never through a link, and never waits for
 * the other end of a pipe in its place; -1 on failure. */
static inline int ndr_file_open(const ndr_directory *d, const char *name, int flags) {
    int fd;

    do {
        fd = openat(d->fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* ndr_file_check refuses what cannot be the file of a ring and stores its size. */
static inline int ndr_file_check(int fd, const char *name, uint64_t *bytes, ndring_error *err) {
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return ndr_fail_errno(err, NDRING_ERR_FILE, "stat", name);
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink > 1 || (st.st_mode & 022)) {
        return ndr_fail(err, NDRING_ERR_FILE, "file %s: mode %#o, uid %u, %u names", name, (unsigned)st.st_mode,
                        (unsigned)st.st_uid, (unsigned)st.st_nlink);
    }
    *bytes = (uint64_t)st.st_size;
    return NDRING_OK;
}

/* ndr_file_new makes an unnamed file of zeroed bytes, all of them reserved. */
static inline int ndr_file_new(const ndr_directory *d, uint64_t bytes, int *out, ndring_error *err) {
    int fd = openat(d->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), status;

    if (fd < 0) {
        return ndr_fail_errno(err, NDRING_ERR_DIR, "create a file in", d->path);
    }
    status = fchmod(fd, 0600) != 0 ? ndr_fail_errno(err, NDRING_ERR_DIR, "set the mode of a file in", d->path)
                                   : ndr_space_reserve(fd, d->path, bytes, "", err);
    if (status != NDRING_OK) {
        close(fd);
        return status;
    }
    *out = fd;
    return NDRING_OK;
}

static inline void ndr_descriptor_path(char *dst, size_t n, int fd) { snprintf(dst, n, "/proc/self/fd/%d", fd); }

/* ndr_file_link names an unnamed file, in the place of what has the name if replace
 * is set. */
static inline int ndr_file_link(const ndr_directory *d, int fd, const char *name, int replace, ndring_error *err) {
    char path[32], temporary[NDR_FILE_NAME + 8];

    ndr_descriptor_path(path, sizeof path, fd);
    snprintf(temporary, sizeof temporary, ".%s.new", name); /* no ring's name starts with a dot */
    if (!replace) {
        snprintf(temporary, sizeof temporary, "%s", name);
    } else if (unlinkat(d->fd, temporary, 0) != 0 && errno != ENOENT) {
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "remove", temporary);
    }
    if (linkat(AT_FDCWD, path, d->fd, temporary, AT_SYMLINK_FOLLOW) != 0 ||
        (replace && renameat(d->fd, temporary, d->fd, name) != 0)) {
        return ndr_directory_refuses(d, "name a file of a ring in", err);
    }
    return NDRING_OK;
}

/* ndr_file_reopen makes a description of its own of an open file, for other
 * processes; -1 on failure. */
static inline int ndr_file_reopen(int fd, int flags) {
    char path[32];

    ndr_descriptor_path(path, sizeof path, fd);
    do {
        fd = open(path, flags | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* ndr_map maps bytes of a file and has the kernel touch every page, where a lack of
 * memory is an error and not a fault. */
static inline int ndr_map(int fd, uint64_t bytes, int writable, uint8_t **out, ndring_error *err) {
    void *mem = mmap(NULL, (size_t)bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    int failed;

    if (mem == MAP_FAILED) {
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "map", "a ring's file");
    }
    (void)madvise(mem, (size_t)bytes, MADV_DONTDUMP);
    do {
        failed = madvise(mem, (size_t)bytes, writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) != 0 ? errno : 0;
    } while (failed == EINTR || failed == EAGAIN);
    if (failed == EFAULT || failed == ENOMEM) {
        errno = failed;
        munmap(mem, (size_t)bytes);
        return ndr_fail_errno(err, NDRING_ERR_NO_SPACE, "populate", "a ring's memory");
    }
    *out = (uint8_t *)mem;
    return NDRING_OK;
}

static inline void ndr_unmap(uint8_t **mem, uint64_t bytes) {
    if (*mem != NULL) {
        munmap(*mem, (size_t)bytes);
        *mem = NULL;
    }
}

static inline long ndr_lock_holder(int fd) {
    char text[24];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = 0;
    return strtol(text, NULL, 10);
}

/* ndr_lock takes the writer lock of a ring. A holder unlinks the file before it lets
 * go, so the name must still lead to what was locked. */
static inline int ndr_lock(const ndr_directory *d, const char *ring, int *out, ndring_error *err) {
    char name[NDR_FILE_NAME], label[24];
    struct stat named, opened;
    int fd, held, n;

    ndr_file_name(name, ring, ".lock");
    for (;;) {
        fd = ndr_file_open(d, name, O_RDWR | O_CREAT);
        if (fd < 0) {
            return ndr_directory_refuses(d, "open the lock of a ring in", err);
        }
        do {
            held = flock(fd, LOCK_EX | LOCK_NB);
        } while (held != 0 && errno == EINTR);
        if (held != 0) {
            int status = errno == EWOULDBLOCK ? ndr_fail(err, NDRING_ERR_WRITER_ALIVE, "ring %s: its lock is held by pid %ld",
                                                         ring, ndr_lock_holder(fd))
                                              : ndr_fail_errno(err, NDRING_ERR_SYSTEM, "lock", name);
            close(fd);
            return status;
        }
        if (fstatat(d->fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
            named.st_dev == opened.st_dev && named.st_ino == opened.st_ino) {
            break;
        }
        close(fd);
    }
    n = snprintf(label, sizeof label, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, label, (size_t)n, 0) != n) {
        close(fd);
        return ndr_fail_errno(err, NDRING_ERR_SYSTEM, "sign", name);
    }
    *out = fd;
    return NDRING_OK;
}

/* ndr_remove_ring unlinks everything but the lock; the caller holds the lock. */
static inline void ndr_remove_ring(const ndr_directory *d, const char *ring) {
    static const char *const suffixes[] = {".sock", ".ring", ".readers"};
    char name[NDR_FILE_NAME], temporary[NDR_FILE_NAME + 8];
    size_t i;

    for (i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        ndr_file_name(name, ring, suffixes[i]);
        (void)unlinkat(d->fd, name, 0);
    }
    snprintf(temporary, sizeof temporary, ".%s.new", name);
    (void)unlinkat(d->fd, temporary, 0);
}

#endif
