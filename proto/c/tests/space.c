/* space DIR: the looks at the memory limits of control groups, over a made-up tree of
 * files in DIR. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1
#endif
#include <fcntl.h>

static int pretended_fallocate(int fd, off_t at, off_t bytes);
#define posix_fallocate pretended_fallocate
#include "../ndring.h"
#include "check.h"

static const char *root;
static uint64_t reserved, others; /* what others use of the group by now */
static int steps, refuse, interrupts;

/* place makes a file in DIR, and the folders above it. */
static void place(const char *file, const char *content) {
    char path[PATH_MAX], *slash;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", root, file);
    for (slash = strchr(path + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    f = fopen(path, "we");
    CHECK(f != NULL);
    CHECK(fputs(content, f) >= 0);
    CHECK(fclose(f) == 0);
}

static void place_usage(void) {
    char text[32];

    snprintf(text, sizeof text, "%llu\n", (unsigned long long)(reserved + others));
    place("sys/fs/cgroup/a/memory.current", text);
}

/* pretended_fallocate reserves in the made-up group only. */
static int pretended_fallocate(int fd, off_t at, off_t bytes) {
    CHECK(fd >= 0 && (uint64_t)at == reserved && bytes <= 64 << 20);
    if (refuse != 0) {
        return refuse;
    }
    if (interrupts > 0) {
        interrupts--;
        return EINTR;
    }
    steps++;
    reserved += (uint64_t)bytes;
    others += 10;
    place_usage();
    return 0;
}

/* Check that the room is the least along the ancestors and versions, that cache counts as
 * room, and that no limit is none. */
static void room(void) {
    CHECK(ndr_space_room(root) == UINT64_MAX);
    place("proc/self/cgroup", "9:cpu,cpuacct:/c\n4:memory:/m/n\nnonsense\n0::/a/b\n");
    CHECK(ndr_space_room(root) == UINT64_MAX);
    place("sys/fs/cgroup/a/b/memory.max", "max\n");
    CHECK(ndr_space_room(root) == UINT64_MAX);
    place("sys/fs/cgroup/a/memory.max", "1000\n");
    place("sys/fs/cgroup/a/memory.current", "700\n");
    CHECK(ndr_space_room(root) == 300);
    place("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file_more 9\ninactive_file 200\n");
    CHECK(ndr_space_room(root) == 500);
    place("sys/fs/cgroup/memory/memory.limit_in_bytes", "460\n");
    CHECK(ndr_space_room(root) == 460);
    place("sys/fs/cgroup/memory/m/n/memory.limit_in_bytes", "600\n");
    place("sys/fs/cgroup/memory/m/n/memory.usage_in_bytes", "510\n");
    CHECK(ndr_space_room(root) == 90);
    place("sys/fs/cgroup/memory/m/n/memory.stat", "inactive_file 500\ntotal_inactive_file 50\n");
    CHECK(ndr_space_room(root) == 140);
    place("sys/fs/cgroup/a/b/memory.max", "10\n");
    place("sys/fs/cgroup/a/b/memory.current", "40\n");
    CHECK(ndr_space_room(root) == 0);
    place("proc/self/cgroup", "0::/a\n");
}

/* Check that a group is looked at before each step, and that an error has the values. */
static void reserve(int fd) {
    const uint64_t need = (uint64_t)200 << 20;
    ndring_error err;

    others = 0;
    place("sys/fs/cgroup/a/memory.stat", "");
    place("sys/fs/cgroup/a/memory.max", "209715199\n");
    place_usage();
    CHECK(ndr_space_reserve(fd, "/dir", need, root, &err) == NDRING_ERR_NO_SPACE && steps == 0);
    CHECK(strstr(err.text, "reserve 209715200 bytes in /dir, 209715199 are available; the control group's memory limit") == err.text);
    CHECK(strstr(err.text, "smaller capacity: not enough memory for the ring") != NULL);
    place("sys/fs/cgroup/a/memory.max", "209715230\n"); /* others take 10 at each step */
    CHECK(ndr_space_reserve(fd, "/dir", need, root, &err) == NDRING_OK && steps == 4 && reserved == need);
    reserved = others = 0;
    steps = 0;
    place("sys/fs/cgroup/a/memory.max", "209715219\n");
    place_usage();
    CHECK(ndr_space_reserve(fd, "/dir", need, root, &err) == NDRING_ERR_NO_SPACE && steps == 2);
    CHECK(strstr(err.text, "209715199 are available; the control group's") != NULL);
    reserved = others = 0;
    steps = 0;
    interrupts = 2; /* smaller steps from then on */
    place("sys/fs/cgroup/a/memory.max", "209715319\n");
    place_usage();
    CHECK(ndr_space_reserve(fd, "/dir", need, root, &err) == NDRING_ERR_NO_SPACE && steps == 12);
    CHECK(strstr(err.text, "209715199 are available; the control group's") != NULL);
    reserved = others = 0;
    refuse = EDQUOT;
    place_usage();
    CHECK(ndr_space_reserve(fd, "/dir", need, root, &err) == NDRING_ERR_NO_SPACE && err.system_errno == EDQUOT);
    CHECK(strstr(err.text, strerror(EDQUOT)) != NULL && strstr(err.text, "--shm-size") != NULL);
}

int main(int argc, char **argv) {
    int fd;

    CHECK(argc == 2);
    root = argv[1];
    fd = open(root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    room();
    reserve(fd);
    close(fd);
    return 0;
}
