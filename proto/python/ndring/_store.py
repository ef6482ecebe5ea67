"""The files of a ring in its writer's process: the lock, the segment and the reader
table, made new or taken over from a writer that died."""

import fcntl
import os
import time
from typing import Optional

from . import _layout as L
from . import _order
from ._space import reserve
from .directory import LOCK, SEGMENT, SOCKET, TABLE, Directory, check_file
from .errors import (
    ContractError, FileError, MismatchError, NdringError, NotReadyError, SlotError, WriterAliveError,
)
from .identity import Identity, table_bytes
from .segment import Segment, ahead, map_file, read_identity
from .table import Table, TableHead, decode_table_head


class Lock:
    """Makes its holder the only writer of a ring: a flock on a file that is never
    mapped and never passed on. Raises WriterAliveError."""

    def __init__(self, directory: Directory, ring: str) -> None:
        self._directory = directory
        self._name = ring + LOCK
        while True:
            try:
                self.fd = directory.open(self._name, os.O_RDWR | os.O_CREAT)
            except OSError as e:
                raise directory.refuses("open %r" % self._name, e) from e
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = _pid(self.fd)
                os.close(self.fd)
                raise WriterAliveError("ring %r: its lock is held by %s" % (
                    ring, "pid %d" % pid if pid else "another process"), pid) from None
            # The holder before may have unlinked the file just before letting go.
            named, locked = directory.inode(self._name), os.fstat(self.fd)
            if named is not None and (named.st_dev, named.st_ino) == (locked.st_dev, locked.st_ino):
                break
            os.close(self.fd)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, b"%d\n" % os.getpid(), 0)

    def release(self, unlink: bool) -> None:
        """Lets go, and removes the file before if the ring is over."""
        if self.fd < 0:
            return
        if unlink:
            self._directory.remove(self._name)
        os.close(self.fd)
        self.fd = -1


def _pid(fd: int) -> int:
    try:
        return int(os.pread(fd, 24, 0).split()[0])
    except (ValueError, IndexError):
        return 0


class Store:
    """Segment and table of a ring under its lock. Closing is left to the collector:
    arrays over the memory keep it."""

    def __init__(self, directory: Directory, want: Identity, recreate: bool) -> None:
        self.directory = directory
        self.ring = want.name
        self.old: Optional[Table] = None  # of the epoch before
        self.resumed = False
        self.segment_fd = self.table_fd = -1
        try:
            self.resumed = self._resume(want, recreate)
            if not self.resumed:
                self.remove()
                self._create(want)
        except BaseException:
            self.close()
            raise

    # A new ring.

    def _create(self, identity: Identity) -> None:
        self.segment_fd = self._new_file(identity.segment_bytes)
        buffer = map_file(self.segment_fd, identity.segment_bytes, writable=True)
        buffer[:L.IDENTITY_BYTES] = bytes(identity.encode())
        self.segment = s = Segment(buffer, identity)
        s.set_word(L.WR_LIMIT, identity.start)
        s.set_word(L.WR_TAIL, identity.start)
        s.set_word(L.WR_MARKS + 8 * s.mark_index(identity.start), identity.start)
        _order.store_release(s.words, L.ID_READY >> 3, L.READY_WORD)
        self._new_table(1)

    def _new_table(self, epoch: int) -> None:
        identity = self.segment.identity
        size = table_bytes(identity.slots)
        self.table_fd = self._new_file(size)
        buffer = map_file(self.table_fd, size, writable=True)
        head = TableHead(L.VERSION_MAJOR, L.VERSION_MINOR, identity.slots, identity.ring_id, epoch)
        raw = head.encode()
        buffer[:len(raw)] = raw
        self.table = Table(buffer, head)

    def _new_file(self, size: int) -> int:
        """A nameless file of zeros, all of it reserved."""
        d = self.directory
        fd = os.open(".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=d.fd)
        try:
            os.fchmod(fd, 0o600)
            reserve(fd, d.path, size)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def publish(self) -> None:
        """Names the files: the table first, so that a segment with a name always has
        one."""
        d = self.directory
        temporary = "." + self.ring + TABLE + ".new"
        d.remove(temporary)
        self._link(self.table_fd, temporary)
        os.rename(temporary, self.ring + TABLE, src_dir_fd=d.fd, dst_dir_fd=d.fd)
        if not self.resumed:
            self._link(self.segment_fd, self.ring + SEGMENT)

    def _link(self, fd: int, name: str) -> None:
        try:
            os.link("/proc/self/fd/%d" % fd, name, dst_dir_fd=self.directory.fd, follow_symlinks=True)
        except OSError as e:
            raise self.directory.refuses("name %r" % name, e) from e

    def remove(self) -> None:
        """Unlinks everything but the lock."""
        r = self.ring
        self.directory.remove(r + SOCKET, r + SEGMENT, r + TABLE, "." + r + TABLE + ".new")

    # A ring that a dead writer left.

    def _resume(self, want: Identity, recreate: bool) -> bool:
        try:
            fd = self.directory.open(self.ring + SEGMENT, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            done = self._take_over(fd, want)
        except BaseException as e:
            os.close(fd)
            if recreate and isinstance(e, NdringError):
                return False
            if isinstance(e, ContractError):
                raise type(e)("ring %r: %s; recreate=True replaces what is left of it" % (self.ring, e)) from e
            raise
        if not done:
            os.close(fd)
            return False
        self.segment_fd = fd
        self._new_table(self.segment.word(L.WR_EPOCH) + 1)
        return True

    def _take_over(self, fd: int, want: Identity) -> bool:
        """Whether the ring can be continued. One that was never complete, or that ended
        and owes nobody frames, holds nothing worth keeping."""
        try:
            have = read_identity(fd, "left-over segment")
        except NotReadyError:
            return False
        segment = Segment(map_file(fd, have.segment_bytes, writable=True), have)
        old = self._old_table(have)
        if segment.word(L.WR_FINAL) and not owes(segment, old):
            return False
        for field in ("capacity", "frame_limit", "schema_dtype", "schema_ndim", "schema_shape", "slots", "policy", "meta"):
            if getattr(have, field) != getattr(want, field):
                raise MismatchError(
                    "ring %r was left unfinished with %s %r, asked for is %r; ask for the same, let its readers finish, or recreate it"
                    % (self.ring, field, getattr(have, field), getattr(want, field)))
        self.segment, self.old = segment, old
        return True

    def _old_table(self, identity: Identity) -> Optional[Table]:
        """The table of the epoch before. Without one, readers come back by position
        alone."""
        try:
            fd = self.directory.open(self.ring + TABLE, os.O_RDONLY)
        except OSError:
            return None
        try:
            size = check_file(fd, "reader table")
            head = decode_table_head(os.pread(fd, L.TABLE_HEAD_BYTES, 0), size)
            if head.ring_id != identity.ring_id:
                raise SlotError("reader table of another ring")
            return Table(map_file(fd, table_bytes(head.slots)), head)
        except (ContractError, FileError, SlotError):
            return None
        finally:
            os.close(fd)

    def reopen(self, fd: int, flags: int) -> int:
        """A description of its own of an open file, as other processes get it."""
        return os.open("/proc/self/fd/%d" % fd, flags | os.O_CLOEXEC)

    def close(self) -> None:
        """Closes the descriptors."""
        for fd in (self.segment_fd, self.table_fd):
            if fd >= 0:
                os.close(fd)
        self.segment_fd = self.table_fd = -1


def owes(s: Segment, old: Optional[Table]) -> bool:
    """Whether a ring has frames that somebody was promised: a reader of its last table
    that gates and is not at the end, or, if none ever came and the ring does not run
    free, a first reader. A writer that dies while it waits for them to end the ring
    leaves it so."""
    tail = s.word(L.WR_TAIL)
    if not s.word(L.WR_FLAGS) & (L.WRITER_SAW_READER | L.WRITER_FREE_RUN) and tail != s.identity.start:
        return True
    for i in range(old.head.slots if old is not None else 0):
        left = ahead(tail, old.words[old.index(i, L.SL_CURSOR)])
        if old.slot(i).state in (L.SLOT_ACTIVE, L.SLOT_LOST) and 0 < left <= s.capacity and left % L.LINE_BYTES == 0:
            return True
    return False


def now_ns() -> int:
    """Unix time."""
    return time.time_ns()
