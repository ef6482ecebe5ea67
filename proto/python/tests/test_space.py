"""The looks at the memory limits of control groups, over a made-up tree of their files."""

import errno
import os
import tempfile
import unittest
from unittest import mock

import ndring
from ndring import _space


class Space(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def place(self, file, content):
        path = os.path.join(self.root, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(content)

    def test_room(self):
        """Check that the room is the least along the ancestors and versions, that cache
        counts as room, and that no limit is none."""
        def room(want):
            self.assertEqual(_space.room(self.root), want)

        room(_space.UNLIMITED)
        self.place("proc/self/cgroup", "9:cpu,cpuacct:/c\n4:memory:/m/n\nnonsense\n0::/a/b\n")
        room(_space.UNLIMITED)
        self.place("sys/fs/cgroup/a/b/memory.max", "max\n")
        room(_space.UNLIMITED)
        self.place("sys/fs/cgroup/a/memory.max", "1000\n")
        self.place("sys/fs/cgroup/a/memory.current", "700\n")
        room(300)
        self.place("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file_more 9\ninactive_file 200\n")
        room(500)
        self.place("sys/fs/cgroup/memory/memory.limit_in_bytes", "460\n")
        room(460)
        self.place("sys/fs/cgroup/memory/m/n/memory.limit_in_bytes", "600\n")
        self.place("sys/fs/cgroup/memory/m/n/memory.usage_in_bytes", "510\n")
        room(90)
        self.place("sys/fs/cgroup/memory/m/n/memory.stat", "inactive_file 500\ntotal_inactive_file 50\n")
        room(140)
        self.place("sys/fs/cgroup/a/b/memory.max", "10\n")
        self.place("sys/fs/cgroup/a/b/memory.current", "40\n")
        room(0)

    def reserve(self, limit, refuse=0):
        """Reserves 200 MiB in a made-up group, of which others take 10 bytes at each
        step. Returns what was said and how many steps were made."""
        steps, used = [], 0
        self.place("proc/self/cgroup", "0::/a\n")
        self.place("sys/fs/cgroup/a/memory.max", "%d\n" % limit)
        self.place("sys/fs/cgroup/a/memory.current", "0\n")

        def fallocate(fd, at, size):
            nonlocal used
            self.assertEqual(at, sum(steps))
            if refuse:
                raise OSError(refuse, os.strerror(refuse))
            steps.append(size)
            used += size + 10
            self.place("sys/fs/cgroup/a/memory.current", "%d\n" % used)

        with tempfile.TemporaryFile() as f, mock.patch("os.posix_fallocate", fallocate), \
                mock.patch("ndring._space._free", lambda fd: 1 << 30):
            try:
                _space.reserve(f.fileno(), "/dir", 200 << 20, self.root)
            except ndring.NoSpaceError as e:
                return str(e), len(steps)
        return "", len(steps)

    def test_reserve(self):
        """Check that a group is looked at before each step, and that an error has the
        values."""
        said, steps = self.reserve((200 << 20) - 1)
        self.assertEqual(steps, 0)
        self.assertRegex(said, "^reserve 209715200 bytes in '/dir', 209715199 are available; the control group's memory limit .* smaller capacity")
        self.assertEqual(self.reserve((200 << 20) + 29 + 1), ("", 4))
        said, steps = self.reserve((200 << 20) + 19)
        self.assertEqual(steps, 2)
        self.assertIn("209715199 are available", said)
        said, steps = self.reserve(1 << 40, errno.EDQUOT)
        self.assertIn(os.strerror(errno.EDQUOT), said)
        self.assertIn("--shm-size", said)

    def test_file_system(self):
        """Check that a file system that is too small is an error before anything is
        reserved."""
        with tempfile.TemporaryFile() as f:
            with mock.patch("os.posix_fallocate") as fallocate, self.assertRaisesRegex(
                    ndring.NoSpaceError, "in '/dir', [0-9]+ are available; raise the size .*--shm-size.*NDRING_DIR"):
                _space.reserve(f.fileno(), "/dir", 1 << 62, self.root)
            fallocate.assert_not_called()
