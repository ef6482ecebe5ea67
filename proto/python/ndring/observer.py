"""The observer: a lossy reader that nobody waits for, and open_dead, which looks into
a ring whether its writer lives or not.

It maps everything read-only. Each frame is copied out, and the copy counts only if
the writer was not there meanwhile: limit - position <= capacity, looked at after the
copying. When it was overtaken it goes on with newer frames and says how many it
missed.
"""

import os
import threading
from typing import Any, Callable, List, Optional, Union

import numpy as np

from . import _layout as L
from ._arguments import called, choice, seconds, whole
from ._handshake import Finder
from ._waiting import News, Opening, Waiting
from .directory import SEGMENT, TABLE, Directory, Path, check_file
from .dtype import NUMPY, Array
from .errors import (
    ClosedError, ContractError, CorruptError, EndOfRing, KindError, NoPositionError, NoRingError, RefusedError,
    WriterLostError,
)
from .frame import Frame, Lease, desc_of, view
from .header import Header
from .identity import Identity, check_name, table_bytes
from .message import Hello
from .segment import Segment, add, ahead, map_file, read_identity, unexpected
from .session import Session
from .table import SlotInfo, Table, decode_table_head

_STARTS = {"oldest": True, "latest": False}


class ObservedFrame(Frame):
    """A frame that an observer copied: its array belongs to the caller, and stays."""

    __slots__ = ("_lost", "_bytes")

    def __init__(self, source: Lease, segment: Segment, position: int, head: Header, payload: Array, lost: int) -> None:
        array = view(head.shape, NUMPY[head.dtype], payload, 0, head.strides)
        super().__init__(source, 0, segment, position, add(position, head.frame_bytes), head.number, desc_of(head), head, array)
        self._bytes = payload
        self._lost = lost

    @property
    def lost(self) -> int:
        return self._lost

    @property
    def held(self) -> bool:
        return False

    @property
    def array(self) -> Array:
        assert self._array is not None
        return self._array

    @property
    def payload(self) -> Array:
        return self._bytes

    def valid(self) -> bool:
        return True


class Observer(Lease, Waiting[ObservedFrame]):
    """Watches a ring without ever holding its writer up.

    start is "oldest", "latest" or a position. timeout, on_wait and restart_wait are
    those of a Consumer. Iterating, with for or async for, yields copies of frames;
    frame.lost says how many were missed before it. The observer is for one thread or
    task at a time.
    """

    _role = "observer"

    #: How often the observer was overtaken.
    laps: int

    def __init__(self, ring: str, *, dir: Path = None, start: Union[str, int] = "oldest",
                 timeout: Optional[float] = None, on_wait: Optional[Callable[[str], Any]] = None,
                 restart_wait: float = 5.0) -> None:
        self._prepare(ring, dir, start, timeout, on_wait, restart_wait)
        self._open_now(on_wait)

    @classmethod
    def open(cls, ring: str, *, dir: Path = None, start: Union[str, int] = "oldest",
             timeout: Optional[float] = None, on_wait: Optional[Callable[[str], Any]] = None,
             restart_wait: float = 5.0) -> "Opening[Observer]":
        """Is the constructor for asyncio: await it, or use it in async with."""
        self = cls.__new__(cls)
        self._prepare(ring, dir, start, timeout, on_wait, restart_wait)
        return Opening(self._open_async(on_wait))

    def _prepare(self, ring: str, dir: Path, start: Union[str, int], timeout: Optional[float],
                 on_wait: Optional[Callable[[str], Any]], restart_wait: float) -> None:
        self.ring = check_name(ring)
        self._dir = dir
        self._start = _check_start(start)
        self._restart_wait = seconds("restart_wait", restart_wait)
        called("on_wait", on_wait)
        self._hello = Hello(role=L.ROLE_OBSERVER, pid=os.getpid())
        self._finder = Finder(dir, ring, None if timeout is None else seconds("timeout", timeout))

    def _begin(self, session: Session) -> None:
        self._place(session.segment)
        self._session = session

    def _place(self, segment: Segment) -> None:
        self._segment = segment
        self._number: Optional[int] = None  # expected next
        self._missed = 0
        self.laps = 0
        tail, start = segment.tail(), self._start
        if isinstance(start, str):
            self._pos = segment.oldest() if _STARTS[start] else tail
            return
        if not segment.meets(start, add(segment.word(L.WR_LIMIT), -segment.capacity), tail):
            raise NoPositionError("position %d" % start, L.CODE_POSITION, segment.oldest())
        self._pos = start

    def _take(self) -> Optional[ObservedFrame]:
        """A copy of the next frame if there is one. It never waits."""
        while True:
            if self._error is not None:
                raise self._error
            frame = self._look()
            if frame is not None:
                return frame
            s = self._segment
            if s.words[s.commit_index(self._pos)] == 0 and s.intact(self._pos):
                if s.ended(self._pos):
                    raise EndOfRing("ring %r ended at position %d" % (self.ring, self._pos))
                if self._idle():
                    return None

    def _look(self) -> Optional[ObservedFrame]:
        """Tries to take the frame at the observer's position. Whatever it finds counts
        only if the position was intact after the reading. SYNC: limit."""
        s, pos = self._segment, self._pos
        word = s.commit_word(pos)
        kind = word & L.KIND_MASK
        head: Optional[Header] = None
        copy: Optional[np.ndarray] = None
        error: Optional[ContractError] = None
        if word - kind == pos and kind:
            try:
                head = s.committed_header(pos, kind)
                if kind != L.KIND_PADDING:
                    at = s.data_off + (pos & s.mask) + head.head_bytes
                    copy = np.array(np.ndarray((head.payload_len,), "u1", s.buffer, at))
            except ContractError as e:
                error = e
        if not s.intact(pos):
            self._resync()
            return None
        if error is not None:
            raise CorruptError(str(error)) from error
        if head is None:
            if word != 0:
                raise unexpected(pos, word)
            return None
        delivered = kind in (L.KIND_DATA, L.KIND_STREAM_END)
        if not delivered and kind != L.KIND_PADDING and kind < L.KIND_SKIPPABLE:
            raise KindError("frame at position %d is of kind %d" % (pos, kind))
        self._pos = add(pos, head.frame_bytes)
        if kind == L.KIND_PADDING:
            return None
        if self._number is not None:
            self._missed += head.number - self._number
        self._number = head.number + 1
        if not delivered:
            return None
        assert copy is not None
        lost, self._missed = self._missed, 0
        return ObservedFrame(self, s, pos, head, copy, lost)

    def _resync(self) -> None:
        """Goes on half a ring behind the writer: far enough from being overtaken again
        at once, and with some history."""
        s = self._segment
        tail, limit = s.shared_tail(), s.word(L.WR_LIMIT)
        following = s.boundary(add(limit, -s.capacity // 2), tail)
        if ahead(following, self._pos) <= 0:
            raise CorruptError("position %d is overtaken by limit %d, but the tail is %d" % (self._pos, limit, tail))
        self._pos = following
        self.laps += 1

    def _idle(self) -> bool:
        """Takes in what the writer says, or looks for one that took the ring up. Reports
        whether there is nothing to do but to wait."""
        session = self._session
        if session is None:
            return not self._reconnect()
        session.drain()
        if session.hung_up:
            session.close()
            self._session = None
            self._finder = Finder(self._dir, self.ring, self._restart_wait)
            return False
        session.flush()
        return ahead(session.published, self._pos) <= 0

    def _reconnect(self) -> bool:
        finder = self._finder
        assert finder is not None
        try:
            session = finder.step(self._hello._replace(ring_id=self.identity.ring_id), self._segment)
        except RefusedError as e:
            self._error = WriterLostError(str(e))
            raise self._error from e
        if session is not None:
            self._session, self._finder = session, None
            return True
        if finder.expired:
            self._error = WriterLostError("ring %r: no writer took it up within %g s" % (self.ring, self._restart_wait))
            raise self._error
        return False

    def _news(self) -> Optional[News]:
        if self._finder is not None:
            return (*self._finder.wants, False)
        assert self._session is not None
        return (self._session.fileno(),), None, self._session.wants_write

    def release(self) -> None:
        """Does nothing: an observer hands out copies."""

    @property
    def identity(self) -> Identity:
        """What the ring is."""
        return self._segment.identity

    @property
    def position(self) -> int:
        """Where the observer looks next."""
        return self._pos

    def fileno(self) -> int:
        """The control socket, for select and poll; -1 while there is no writer."""
        return -1 if self._session is None else self._session.fileno()

    def _end(self) -> None:
        self._drop()
        self._session = self._finder = None
        self._error = self._closed()

    def __repr__(self) -> str:
        return "<%s of ring %r at %d>" % (type(self).__name__, self.ring, self._pos)


def _check_start(start: Union[str, int]) -> Union[str, int]:
    if isinstance(start, str):
        choice("start", start, _STARTS)
        return start
    return whole("start", start)


class DeadRing(Observer):
    """What a ring's files hold now, oldest frame first, with a living writer or
    without. Iterating ends with what is committed."""

    #: The reader table, if there is a whole one.
    table: Optional[Table]

    def __init__(self, ring: str, *, dir: Path = None, start: Union[str, int] = "oldest") -> None:
        self.ring = check_name(ring)
        self._start = _check_start(start)
        self._busy = threading.Lock()
        try:
            directory = Directory(dir)
            fd = directory.open(ring + SEGMENT, os.O_RDONLY)
        except FileNotFoundError as e:
            raise NoRingError("ring %r: no file %r" % (ring, e.filename)) from e
        with directory:
            try:
                identity = read_identity(fd, "segment of ring %r" % ring)
                segment = Segment(map_file(fd, identity.segment_bytes), identity)
            finally:
                os.close(fd)
            self.table = _table(directory, ring, identity)
        self._place(segment)

    def _idle(self) -> bool:
        raise EndOfRing("ring %r is committed up to position %d" % (self.ring, self._pos))

    @property
    def ended(self) -> bool:
        """Whether its writer ended the ring."""
        return self._segment.word(L.WR_FINAL) != 0

    @property
    def readers(self) -> List[SlotInfo]:
        """The occupied reader slots."""
        t = self.table
        return [] if t is None else [x for x in map(t.slot, range(t.head.slots)) if x.state != L.SLOT_FREE]


def _table(directory: Directory, ring: str, identity: Identity) -> Optional[Table]:
    """The reader table, if there is a whole one."""
    try:
        fd = directory.open(ring + TABLE, os.O_RDONLY)
    except OSError:
        return None
    try:
        head = decode_table_head(os.pread(fd, L.TABLE_HEAD_BYTES, 0), check_file(fd, "reader table"))
        return Table(map_file(fd, table_bytes(head.slots)), head) if head.ring_id == identity.ring_id else None
    except ContractError:
        return None
    finally:
        os.close(fd)


def open_dead(ring: str, *, dir: Path = None, start: Union[str, int] = "oldest") -> DeadRing:
    """Opens a ring's files read-only, to see what they hold. It changes nothing and
    asks nobody."""
    return DeadRing(ring, dir=dir, start=start)
