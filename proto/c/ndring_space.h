/* The memory of a new file, reserved so that no later store can meet a full file system
 * or a full control group, whose kernel kills instead of returning an error. */
#ifndef NDRING_SPACE_H
#define NDRING_SPACE_H

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "ndring_layout.h"
#include "ndring_status.h"

/* NDR_RESERVE_STEP is how much is reserved between two looks at the control groups. */
#define NDR_RESERVE_STEP ((uint64_t)64 << 20)

enum { NDR_GROUP_PATH = PATH_MAX + 256 };

/* ndr_group_files is where the control groups of a version tell limit and use. */
typedef struct ndr_group_files {
    const char *controllers; /* of its line in /proc/self/cgroup */
    const char *root;
    const char *limit, *usage, *cache;
} ndr_group_files;

/* ndr_space_count reads the number in a file, or, with key, the one behind that word in a
 * line of it; 0 if none is there: "max" is no limit. */
static inline int ndr_space_count(const char *path, const char *key, uint64_t *count) {
    size_t n = key == NULL ? 0 : strlen(key);
    char line[256], *end;
    FILE *f = fopen(path, "re");
    int found = 0;

    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
        if (n == 0 || (strncmp(line, key, n) == 0 && line[n] == ' ')) {
            *count = strtoull(line + n, &end, 10);
            found = end != line + n;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return found;
}

/* ndr_space_group is how many bytes one group lets its processes use besides what they do.
 * Page cache that the kernel would reclaim counts as room. */
static inline uint64_t ndr_space_group(const char *at, const ndr_group_files *files) {
    char path[NDR_GROUP_PATH + 32];
    uint64_t limit, used = 0, cache = 0;

    snprintf(path, sizeof path, "%s/%s", at, files->limit);
    if (!ndr_space_count(path, NULL, &limit)) {
        return UINT64_MAX;
    }
    snprintf(path, sizeof path, "%s/%s", at, files->usage);
    (void)ndr_space_count(path, NULL, &used);
    snprintf(path, sizeof path, "%s/memory.stat", at);
    (void)ndr_space_count(path, files->cache, &cache);
    used -= cache < used ? cache : used;
    return limit > used ? limit - used : 0;
}

/* ndr_space_room is how many bytes the control groups of this process, and those above
 * them, still let it use. root stands in front of /proc and /sys, "" for the machine's own. */
static inline uint64_t ndr_space_room(const char *root) {
    static const ndr_group_files versions[] = {
        {"", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"},
        {"memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"},
    };
    char line[PATH_MAX + 64], at[NDR_GROUP_PATH];
    uint64_t room = UINT64_MAX, here;
    FILE *f;

    snprintf(at, sizeof at, "%.128s/proc/self/cgroup", root);
    f = fopen(at, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *controllers = strchr(line, ':'), *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        size_t i, base;
        if (group == NULL) {
            continue;
        }
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        for (i = 0; i < sizeof versions / sizeof *versions; i++) {
            if (strcmp(controllers + 1, versions[i].controllers) != 0) {
                continue;
            }
            base = (size_t)snprintf(at, sizeof at, "%.128s%s", root, versions[i].root);
            snprintf(at + base, sizeof at - base, "%.*s", PATH_MAX, group);
            for (;;) { /* upwards; the last is the root of the hierarchy */
                char *name;
                here = ndr_space_group(at, &versions[i]);
                room = here < room ? here : room;
                name = strrchr(at + base, '/');
                if (name == NULL) {
                    break;
                }
                *name = 0;
            }
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return room;
}

/* ndr_space_free is how many bytes the file system of a file has left; a tmpfs without a
 * size has no limit. */
static inline uint64_t ndr_space_free(int fd) {
    struct statvfs space;

    if (fstatvfs(fd, &space) != 0 || space.f_blocks == 0) {
        return UINT64_MAX;
    }
    return (uint64_t)space.f_bavail * space.f_frsize;
}

static inline int ndr_space_lacks(ndring_error *err, const char *dir, uint64_t need, uint64_t have, const char *advice) {
    return ndr_fail(err, NDRING_ERR_NO_SPACE, "reserve %llu bytes in %.160s, %llu are available; %s", (unsigned long long)need, dir,
                    (unsigned long long)have, advice);
}

/* ndr_space_reserve allocates every byte of a new file in dir. root is as for
 * ndr_space_room. A kernel that meets a signal in between gives back all that the call had
 * set aside, so a step that is interrupted is made smaller: signals that come without a
 * rest do not hold it up for ever. */
static inline int ndr_space_reserve(int fd, const char *dir, uint64_t bytes, const char *root, ndring_error *err) {
    uint64_t at = 0, look = 0, step = NDR_RESERVE_STEP, now, room = ndr_space_free(fd);
    char advice[192];
    int failure;

    if (room < bytes) {
        return ndr_space_lacks(err, dir, bytes, room,
                               "raise the size of that file system (containers: --shm-size), choose a smaller capacity or set NDRING_DIR");
    }
    while (at < bytes) {
        if (at >= look) {
            look += NDR_RESERVE_STEP;
            room = ndr_space_room(root);
            if (room < bytes - at) {
                return ndr_space_lacks(err, dir, bytes, at + room,
                                       "the control group's memory limit leaves no more; raise it or choose a smaller capacity");
            }
        }
        now = bytes - at < step ? bytes - at : step;
        failure = posix_fallocate(fd, (off_t)at, (off_t)now);
        if (failure == 0) {
            at += now;
        } else if (failure != EINTR) {
            snprintf(advice, sizeof advice, "%.80s: raise the size of that file system (containers: --shm-size) or choose a smaller capacity",
                     strerror(failure));
            room = ndr_space_free(fd);
            ndr_space_lacks(err, dir, bytes, room < bytes - at ? at + room : bytes, advice);
            if (err != NULL) {
                err->system_errno = failure;
            }
            return NDRING_ERR_NO_SPACE;
        } else if (step > NDRING_PAGE_BYTES) {
            step /= 2;
        }
    }
    return NDRING_OK;
}

#endif
