"""The memory of a new file, reserved so that no later store can meet a full file system
or a full control group, whose kernel kills instead of returning an error.
"""

import errno
import os
from typing import List, NamedTuple, Optional

from .errors import NoSpaceError

RESERVE_STEP = 64 << 20  # bytes between two looks at the control groups
UNLIMITED = (1 << 64) - 1


class _Groups(NamedTuple):
    """Where the control groups of a version tell limit and use."""

    controllers: str  # of its line in /proc/self/cgroup
    root: str
    limit: str
    usage: str
    cache: str


_VERSIONS = (
    _Groups("", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    _Groups("memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def reserve(fd: int, directory: str, size: int, root: str = "") -> None:
    """Allocates every byte of a new file in directory. Raises NoSpaceError. root is as
    for room."""
    free = _free(fd)
    if free < size:
        raise _lack(directory, size, free, (
            "raise the size of that file system (containers: --shm-size), choose a smaller capacity or set NDRING_DIR"))
    for at in range(0, size, RESERVE_STEP):
        here = room(root)
        if here < size - at:
            raise _lack(directory, size, at + here, (
                "the control group's memory limit leaves no more; raise it or choose a smaller capacity"))
        try:
            os.posix_fallocate(fd, at, min(RESERVE_STEP, size - at))
        except OSError as e:
            if e.errno not in (errno.ENOSPC, errno.ENOMEM, errno.EDQUOT):
                raise
            raise _lack(directory, size, min(at + _free(fd), size), (
                "%s: raise the size of that file system (containers: --shm-size) or choose a smaller capacity" % e.strerror)) from e


def _lack(directory: str, need: int, have: int, advice: str) -> NoSpaceError:
    return NoSpaceError("reserve %d bytes in %r, %d are available; %s: not enough memory for the ring" % (need, directory, have, advice))


def _free(fd: int) -> int:
    """How many bytes the file system has left; a tmpfs without a size has no limit."""
    st = os.fstatvfs(fd)
    return st.f_bavail * st.f_frsize if st.f_blocks else UNLIMITED


def room(root: str = "") -> int:
    """How many bytes the control groups of this process, and those above them, still let
    it use. root stands in front of /proc and /sys, "" for the machine's own."""
    least = UNLIMITED
    for line in _lines(root + "/proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, colon, group = rest.partition(":")
        for groups in _VERSIONS:
            if colon and controllers == groups.controllers:
                least = min(least, _least(root + groups.root, group, groups))
    return least


def _least(top: str, group: str, groups: _Groups) -> int:
    """The room of a group or one above it, whichever is less."""
    least = UNLIMITED
    parts = [p for p in group.split("/") if p not in ("", "..")]
    for depth in range(len(parts), -1, -1):
        at = "/".join([top] + parts[:depth])
        limit = _count(at + "/" + groups.limit)
        if limit is not None:
            used = _count(at + "/" + groups.usage) or 0
            cache = _count(at + "/memory.stat", groups.cache) or 0  # the kernel would reclaim it
            least = min(least, max(0, limit - max(0, used - cache)))
    return least


def _count(path: str, key: str = "") -> Optional[int]:
    """The number in a file, or behind key in a line of it. "max" is none."""
    for line in _lines(path):
        *before, last = line.split() or [""]
        if before == ([key] if key else []) and last.isdecimal():
            return int(last)
    return None


def _lines(path: str) -> List[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()
    except OSError:
        return []
