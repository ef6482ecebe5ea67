"""The producer: a whole writer of a ring, in Python.

It takes the ring's lock, makes or continues its files, serves its control socket from
a thread, and writes frames in place. Readers in stream mode are served everywhere.
Readers in park mode need a full fence and an atomic exchange of their writer, which
Python has only through libatomic: where that is missing, or park is False, they are
refused with a sentence that says so. offers_park tells.
"""

import os
import sys
import threading
import warnings
import weakref
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Tuple, Type, Union

import numpy as np

from . import _layout as L
from . import _order
from ._arguments import deadline, patience, seconds
from ._claim import Claim, Group
from ._described import Shape, head_of, identity_of
from ._farewell import farewell
from ._server import Server
from ._store import Lock, Store
from ._writer import Writer
from .directory import Directory, Path
from .dtype import NUMPY, Array, DType, DTypeLike, code_of
from .errors import ClaimOpenError, ClosedError, DTypeError, FrameTooLargeError, PlatformError, ShapeError
from .frame import Single, view
from .header import Header, describe
from .identity import Identity, check_name
from .segment import add, ahead

DEFAULT_CAPACITY = 64 << 20
#: A checked header: dtype, shape, strides, frame bytes, description, kind, bytes before the
#: payload, and those of them behind the number.
_Like = Tuple[DType, Tuple[int, ...], Tuple[int, ...], int, int, int, int, bytes]
_PLAIN = (int, tuple)  # sorts of shape that nobody changes
_LARGE = 1 << 16  # bytes from which a copy may use stores that need a fence


class Producer(Single):
    """Writes a ring. An unfinished one that a dead writer left is continued.

    capacity is rounded up to a power of two. dtype and shape declare what every frame
    must be (None as an extent: any). meta is JSON for readers: bytes, a string, or
    what json.dumps takes. policy is "block" or "drop", for a full ring. Unless
    free_run is set, nothing is overwritten before a first reader came. recreate
    replaces a left-over ring that cannot be continued. grace is how long the readers
    of a writer that died may take to come back.

    It is for one thread at a time: a claim while another thread's is open or waits
    raises ClaimOpenError. All waits take a timeout in seconds and raise TimeoutError. A
    forked child has no part in the ring: there it is closed. One that is dropped leaves
    the ring unfinished, with a ResourceWarning.
    """

    #: The ring's name.
    ring: str
    #: Whether readers in park mode are served.
    offers_park: bool

    _open: "weakref.WeakSet[Producer]" = weakref.WeakSet()
    _closed = True
    _claim: "Union[Claim, Group, None]" = None

    def __init__(self, ring: str, *, dir: Path = None, capacity: int = DEFAULT_CAPACITY,
                 frame_limit: Optional[int] = None, dtype: DTypeLike = None, shape: Optional[Sequence[Optional[int]]] = None,
                 meta: Any = b"", policy: str = "block", free_run: bool = False, slots: int = L.DEFAULT_SLOTS,
                 recreate: bool = False, grace: float = 5.0, park: bool = True, start: int = 0) -> None:
        self.ring = check_name(ring)
        self._claiming = threading.Lock()  # held while a claim is open, or waits
        self._like_shape: Any = None  # as it was given, and checked
        self._like_dtype: Any = None
        want = identity_of(ring, capacity, frame_limit, dtype, shape, meta, policy, slots, start)
        grace = seconds("grace", grace)
        if not _order.ORDERED and not _order.HAS_FENCE:
            raise PlatformError("this machine reorders stores and offers Python no fence: install libatomic1")
        self._directory = Directory(dir, create=True)
        try:
            self._lock = Lock(self._directory, ring)
        except BaseException:
            self._directory.close()
            raise
        self._store: Optional[Store] = None
        self._server: Optional[Server] = None
        try:
            self._store = store = Store(self._directory, want, recreate)
            self.offers_park = park and _order.HAS_EXCHANGE
            self._writer = Writer(store, free_run, self.offers_park and _order.register())
            store.publish()
            self._server = Server(store, self._writer, self.offers_park, grace)
        except BaseException:
            if self._store is not None:
                if not self._store.resumed:
                    self._store.remove()  # nobody can have known it
                self._store.close()
            if hasattr(self, "_writer"):
                self._writer.close()
            self._lock.release(unlink=True)
            self._directory.close()
            raise
        self._closed = False
        Producer._open.add(self)

    # Writing.

    def claim(self, shape: Shape, dtype: DTypeLike = "f8", *, strides: Optional[Sequence[int]] = None,
              timeout: Optional[float] = None, **extra: Any) -> Claim:
        """Claims a frame for an array and waits for room as the ring's policy says.
        The array holds whatever lay there before.

        strides, in bytes, make it another layout than C order. extra are time_ns,
        stream, sequence, role, source and source_id. Raises ShapeError, HeaderError for
        a number that does not fit its field, FrameTooLargeError, DroppedError,
        ClaimOpenError, FinishedError, ClosedError or TimeoutError.
        """
        if timeout is not None:
            timeout = patience(timeout)
        self._enter()
        try:
            if strides is None and not extra and dtype is self._like_dtype and type(shape) in _PLAIN and shape == self._like_shape:
                claim = self._claim_like(self._like, timeout)
            else:
                claim = self._claim_checked(shape, dtype, strides, extra, timeout)
            self._claim = claim
            return claim
        except BaseException:
            self._claiming.release()
            raise

    def _enter(self) -> None:
        """Begins a claim, which ends in _part."""
        if not self._claiming.acquire(False):
            raise ClaimOpenError("a claim of ring %r is open, or waits in another thread: commit or abort it first" % self.ring)
        try:
            self._check_open()
        except ClosedError:
            self._claiming.release()
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("producer of ring %r is closed" % self.ring)

    def _part(self) -> None:
        self._claim = None
        self._claiming.release()

    def _claim_checked(self, shape: Shape, dtype: DTypeLike, strides: Optional[Sequence[int]], extra: Dict[str, Any],
                       timeout: Optional[float]) -> Claim:
        s = self._writer.segment
        plain = strides is None and not extra
        head = head_of(s.identity, shape, dtype, strides, extra)
        view(head.shape, NUMPY[head.dtype], s.buffer, s.data_off, head.strides)  # as far as NumPy can show it
        raw = head.encode()[L.FR_DESCRIBE:] if head.extended else b""
        desc = describe(head.payload_len, head.dtype, head.ndim, head.flags | (L.FLAG_EXTENDED if raw else 0))
        like = NUMPY[head.dtype], head.shape, head.strides, head.frame_bytes, desc, head.kind, head.head_bytes, raw
        if plain:
            self._like_dtype, self._like_shape, self._like = dtype, shape if type(shape) in _PLAIN else None, like
        return self._claim_like(like, timeout)

    def _claim_like(self, like: _Like, timeout: Optional[float]) -> Claim:
        """Claims a frame whose header was checked, perhaps for one before it."""
        w = self._writer
        dtype, shape, strides, size, desc, kind, lead, raw = like
        at = w.reserve(size, 1, timeout)
        s = w.segment
        return Claim(self, at, size, desc, kind, lead, raw,
                     np.ndarray(shape, dtype, s.buffer, s.data_off + (at & s.mask) + lead, strides))

    def _commit(self, at: int, size: int, desc: int, kind: int, raw: bytes) -> None:
        self._check_open()
        w = self._writer
        s = w.segment
        off = s.data_off + (at & s.mask)
        i = off >> 3
        s.words[i + 1] = w.number
        if raw:
            s.bytes[off + L.FR_DESCRIBE:off + L.FR_DESCRIBE + len(raw)] = raw
        else:
            s.words[i + 2] = desc
        w.publish(at, kind, add(at, size), 1, size >= _LARGE)
        server = self._server
        if server is not None and server.asleep:
            server.wake()

    def _encode(self, head: Header, number: int, off: int) -> None:
        """Writes a header but for its commit word."""
        head.number = number
        raw = head.encode()
        self._writer.segment.bytes[off + 8:off + len(raw)] = raw[8:]

    def publish(self, array: Any, *, dtype: DTypeLike = None, keep_strides: bool = False, timeout: Optional[float] = None,
                **extra: Any) -> int:
        """Copies an array, or what NumPy makes one of, into a new frame and commits it;
        returns its number. dtype converts it on the way; a big-endian array is converted
        in any case. With keep_strides a transposed array stays one: readers see the same
        strides. extra is that of claim. A masked array must be filled first."""
        a = array if type(array) is np.ndarray else _plain(array)
        convert = dtype is not None
        if dtype is None:
            dtype = a.dtype if a.dtype.isnative else a.dtype.newbyteorder("=")
        strides = None
        if keep_strides and not a.flags.c_contiguous:
            strides = np.empty_like(a, NUMPY[code_of(dtype)], "K", False).strides
        c = self.claim(a.shape, dtype, strides=strides, timeout=timeout, **extra)
        try:
            if convert:
                np.copyto(c.array, a, "same_kind")
            else:
                c.array[...] = a
        except BaseException:
            c.abort()
            raise
        c.commit()
        return c.number

    def claim_group(self, frames: Sequence[Dict[str, Any]], timeout: Optional[float] = None) -> Group:
        """Claims several frames that become visible together: one dict for each, with
        shape, dtype and what else claim takes. Errors are those of claim."""
        self._enter()
        try:
            self._claim = group = self._claim_heads(frames, None if timeout is None else patience(timeout))
            return group
        except BaseException:
            self._claiming.release()
            raise

    def _claim_heads(self, frames: Sequence[Dict[str, Any]], timeout: Optional[float]) -> Group:
        heads, size = [], 0
        s = self._writer.segment
        for described in frames:
            if not isinstance(described, dict) or "shape" not in described:
                raise TypeError("frame %r of a group; use a dict with shape, dtype and so on" % (described,))
            d = dict(described)
            head = head_of(s.identity, d.pop("shape"), d.pop("dtype", "f8"), d.pop("strides", None), d)
            view(head.shape, NUMPY[head.dtype], s.buffer, s.data_off, head.strides)
            heads.append(head)
            size += head.frame_bytes
        if not heads:
            raise ShapeError("a group of no frames")
        if size > s.capacity // 2:
            raise FrameTooLargeError("a group of %d bytes, at most %d" % (size, s.capacity // 2))
        for head in heads[:-1]:
            head.flags |= L.FLAG_MORE
        return Group(self, self._writer.reserve(size, len(heads), timeout), heads)

    def _commit_group(self, at: int, end: int, heads: List[Header]) -> None:
        self._check_open()
        w = self._writer
        s = w.segment
        s.words[s.commit_index(end)] = 0
        p, inner = at, []
        for i, head in enumerate(heads):
            off = s.data_off + (p & s.mask)
            self._encode(head, w.number + i, off)
            if i:
                inner.append((off >> 3, p | head.kind))
            p = add(p, head.frame_bytes)
        for index, word in inner:
            _order.store_release(s.words, index, word)
        w.publish(at, heads[0].kind, end, len(heads), True)
        server = self._server
        if server is not None and server.asleep:
            server.wake()

    def end_stream(self, stream: int, *, timeout: Optional[float] = None) -> None:
        """Says in band that a stream ends."""
        self.claim(0, "u1", timeout=timeout, kind=L.KIND_STREAM_END, stream=stream).commit()

    # Looking.

    @property
    def identity(self) -> Identity:
        """What the ring is."""
        return self._writer.segment.identity

    @property
    def number(self) -> int:
        """Number of the next frame: frames of a writer before this one count."""
        return self._writer.number

    @property
    def position(self) -> int:
        """The end of what is committed."""
        return self._writer.pos

    @property
    def epoch(self) -> int:
        """Lives of the ring's writers so far."""
        return self._writer.table.head.epoch

    @property
    def dropped(self) -> int:
        """Frames dropped by policy."""
        return self._writer.segment.word(L.WR_DROPPED)

    @property
    def readers(self) -> List[Tuple[str, int, int]]:
        """Name, process id and backlog in bytes of each reader that is waited for."""
        w = self._writer
        with w.lock:
            return [(x.info.name, x.info.pid, ahead(w.pos, x.cursor)) for x in w.slots if x.gating]

    # Ending.

    def close(self, timeout: Optional[float] = None) -> None:
        """Ends the ring: readers see its end after the last frame. Waits until every
        one of them has got there, and for a first one if none ever came and the ring
        does not run free, and for the goodbye of those with a name that asked to be
        kept, no longer than so long; then removes the files. Closing again does nothing.

        When the time is over first, the files are removed all the same and
        TimeoutError is raised: readers that are attached still get every frame.
        """
        until = deadline(timeout)
        if self._closed:
            return
        self._closed = True
        w = self._writer
        w.finish()
        assert self._server is not None and self._store is not None
        try:
            self._server.finish(w.pos)
            w.await_gate(w.pos, timeout)
            farewell(self._server, until)
        finally:
            self._store.remove()
            self._tear_down(unlink=True)

    def leave(self) -> None:
        """Goes without ending the ring, as a crash would: the next producer of the
        same ring continues it, and readers wait for that one."""
        if not self._closed:
            self._closed = True
            self._tear_down(unlink=False)

    def _tear_down(self, unlink: bool) -> None:
        claim = self._claim
        if claim is not None:
            claim.abort()
        assert self._server is not None and self._store is not None
        self._server.stop()
        self._writer.close()
        self._store.close()
        self._lock.release(unlink)
        self._directory.close()

    @classmethod
    def _forked(cls) -> None:
        """Runs in a forked child, which would keep lock and sockets of a parent that
        dies."""
        for p in list(cls._open):
            if not p._closed and p._server is not None and p._store is not None:
                p._closed = True
                if p._claim is not None:
                    p._claim.abort()
                p._server.abandon()
                p._writer.close()
                p._store.close()
                p._lock.release(unlink=False)
                p._directory.close()

    def __del__(self) -> None:
        if not self._closed and not sys.is_finalizing():
            warnings.warn("producer of ring %r was not closed; the ring is left unfinished" % self.ring, ResourceWarning, source=self)
            self.leave()

    def __repr__(self) -> str:
        return "<Producer of ring %r at %d%s>" % (self.ring, self._writer.pos, ", closed" if self._closed else "")

    def __enter__(self) -> "Producer":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Ends the ring, or leaves it unfinished if the block failed."""
        if kind is None:
            self.close()
        else:
            self.leave()


def _plain(array: Any) -> Array:
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise DTypeError("a frame has no mask; publish array.filled(...)")
    return np.asarray(array)


os.register_at_fork(after_in_child=Producer._forked)

__all__ = ["Claim", "Group", "Producer"]
