"""The producer: a whole writer of a ring, in Python.

It takes the ring's lock, makes or continues its files, serves its control socket from
a thread, and writes frames in place. Readers in stream mode are served everywhere.
Readers in park mode need a full fence and an atomic exchange of their writer, which
Python has only through libatomic: where that is missing, or park is False, they are
refused with a sentence that says so. offers_park tells.
"""

import json
import operator
import os
import sys
import weakref
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Tuple, Type, Union

import numpy as np

from . import _layout as L
from . import _order
from ._claim import Claim, Group
from ._server import Server
from ._store import Lock, Store, now_ns
from ._writer import Writer
from .directory import Directory
from .dtype import NUMPY, code_of
from .errors import ClaimOpenError, ClosedError, FrameTooLargeError, HeaderError, PlatformError, ShapeError
from .header import Header, describe
from .identity import Identity, check_name
from .segment import add, ahead

DEFAULT_CAPACITY = 64 << 20
_POLICIES = {"block": L.POLICY_BLOCK, "drop": L.POLICY_DROP_NEWEST}
#: What an extension can carry: the flag that says so, and the bits there are for it.
_EXTRA = {
    "time_ns": (L.EXT_TIME, 64), "stream": (L.EXT_STREAM, 64), "sequence": (L.EXT_STREAM, 32), "role": (0, 8),
    "source": (L.EXT_SOURCE, 64), "source_id": (L.EXT_SOURCE, 64),
}
_LARGE = 1 << 16  # bytes from which a copy may use stores that need a fence

Shape = Union[int, Sequence[int]]


class Producer:
    """Writes a ring. An unfinished one that a dead writer left is continued.

    capacity is rounded up to a power of two. dtype and shape declare what every frame
    must be (None as an extent: any). meta is JSON for readers: bytes, a string, or
    what json.dumps takes. policy is "block" or "drop", for a full ring. Unless
    free_run is set, nothing is overwritten before a first reader came. recreate
    replaces a left-over ring that cannot be continued. grace is how long the readers
    of a writer that died may take to come back.

    It is for one thread at a time. All waits take a timeout in seconds and raise
    TimeoutError. A forked child has no part in the ring: there it is closed.
    """

    _open: "weakref.WeakSet[Producer]" = weakref.WeakSet()

    def __init__(self, ring: str, *, dir: Optional[str] = None, capacity: int = DEFAULT_CAPACITY,
                 frame_limit: Optional[int] = None, dtype: Any = None, shape: Optional[Sequence[Optional[int]]] = None,
                 meta: Any = b"", policy: str = "block", free_run: bool = False, slots: int = L.DEFAULT_SLOTS,
                 recreate: bool = False, grace: float = 5.0, park: bool = True, start: int = 0) -> None:
        self.ring = check_name(ring)
        self._closed = False
        self._claimed = False
        self._like: Optional[Tuple[Any, Any]] = None
        want = _identity(ring, capacity, frame_limit, dtype, shape, meta, policy, slots, start)
        if not _order.ORDERED and not _order.HAS_FENCE:
            raise PlatformError("this machine reorders stores and offers Python no fence: install libatomic1")
        self._directory = Directory(dir, create=True)
        self._lock = Lock(self._directory, ring)
        self._store: Optional[Store] = None
        self._server: Optional[Server] = None
        try:
            self._store = store = Store(self._directory, want, recreate)
            #: Whether readers in park mode are served.
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
        Producer._open.add(self)

    # Writing.

    def claim(self, shape: Shape, dtype: Any = "f8", *, strides: Optional[Sequence[int]] = None,
              timeout: Optional[float] = None, **extra: Any) -> Claim:
        """Claims a frame for an array and waits for room as the ring's policy says.
        The array holds whatever lay there before.

        strides, in bytes, make it another layout than C order. extra are time_ns,
        stream, sequence, role, source and source_id. Raises ShapeError, HeaderError for
        a number that does not fit its field, FrameTooLargeError, DroppedError,
        ClaimOpenError, FinishedError, ClosedError or TimeoutError.
        """
        self._check_open()
        if strides is None and not extra:
            like = self._like
            if like is not None and like == (shape, dtype):
                return self._claim_inline(timeout)
        head = self._head(shape, dtype, strides, extra)
        if not head.extended:
            self._like = (shape, dtype)
            self._like_dtype, self._like_shape, self._like_size = NUMPY[head.dtype], head.shape, head.frame_bytes
            self._like_desc = describe(head.payload_len, head.dtype, head.ndim, head.flags)
            return self._claim_inline(timeout)
        w = self._writer
        at = w.reserve(head.frame_bytes, 1, timeout)
        self._claimed = True
        desc = describe(head.payload_len, head.dtype, head.ndim, head.flags | L.FLAG_EXTENDED)
        return Claim(self, at, head.frame_bytes, desc, head, w.segment.array(at, head))

    def _claim_inline(self, timeout: Optional[float]) -> Claim:
        """Claims a frame like the one before it, whose header was checked."""
        w = self._writer
        size = self._like_size
        at = w.reserve(size, 1, timeout)
        s = w.segment
        self._claimed = True
        return Claim(self, at, size, self._like_desc, None, np.ndarray(
            self._like_shape, self._like_dtype, s.buffer, s.data_off + (at & s.mask) + L.BASE_BYTES))

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("producer of ring %r is closed" % self.ring)
        if self._claimed:
            raise ClaimOpenError("a claim is open: commit or abort it first")

    def _head(self, shape: Shape, dtype: Any, strides: Optional[Sequence[int]], extra: Dict[str, Any]) -> Header:
        """A checked header for what the caller describes."""
        dims = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(map(operator.index, shape))
        head = Header(kind=_check_kind(extra.pop("kind", L.KIND_DATA)), dtype=code_of(dtype), shape=dims)
        if strides is not None:
            head.strides = tuple(map(operator.index, strides))
            head.ext_flags |= L.EXT_STRIDES
            if len(head.strides) != len(dims):
                raise ShapeError("%d strides for %d dimensions" % (len(head.strides), len(dims)))
        for name, (flag, bits) in _EXTRA.items():
            if name in extra:
                value = operator.index(extra.pop(name))
                if value >> bits:
                    raise HeaderError("%s %d does not fit %d bits" % (name, value, bits))
                setattr(head, name, value)
                head.ext_flags |= flag
        if extra:
            raise TypeError("unknown arguments: %s" % ", ".join(sorted(extra)))
        head.complete()
        identity = self._writer.segment.identity
        if head.kind == L.KIND_DATA:
            identity.admit(head.dtype, head.shape)
        if head.payload_len > identity.frame_limit:
            raise FrameTooLargeError("payload of %d bytes, the ring's frame limit is %d; create it with a larger capacity or frame limit" % (
                head.payload_len, identity.frame_limit))
        return head

    def _commit(self, at: int, size: int, desc: int, head: Optional[Header]) -> None:
        w = self._writer
        s = w.segment
        off = s.data_off + (at & s.mask)
        kind = L.KIND_DATA
        if head is None:
            i = off >> 3
            s.words[i + 1] = w.number
            s.words[i + 2] = desc
        else:
            self._encode(head, w.number, off)
            kind = head.kind
        w.publish(at, kind, add(at, size), 1, size >= _LARGE)
        server = self._server
        if server is not None and server.asleep:
            server.wake()

    def _encode(self, head: Header, number: int, off: int) -> None:
        """Writes a header but for its commit word."""
        head.number = number
        raw = head.encode()
        self._writer.segment.bytes[off + 8:off + len(raw)] = raw[8:]

    def publish(self, array: Any, *, keep_strides: bool = False, timeout: Optional[float] = None, **extra: Any) -> int:
        """Copies an array into a new frame and commits it; returns its number. With
        keep_strides a transposed array stays one: readers see the same strides. extra
        is that of claim."""
        a = np.asarray(array)
        strides = None
        if keep_strides and not a.flags.c_contiguous:
            strides = np.empty_like(a, order="K", subok=False).strides
        c = self.claim(a.shape, a.dtype, strides=strides, timeout=timeout, **extra)
        try:
            c.array[...] = a
        except BaseException:
            c.abort()
            raise
        c.commit()
        return c.number

    def claim_group(self, frames: Sequence[Dict[str, Any]], timeout: Optional[float] = None) -> Group:
        """Claims several frames that become visible together: one dict for each, with
        shape, dtype and what else claim takes. Errors are those of claim."""
        self._check_open()
        heads, size = [], 0
        for described in frames:
            d = dict(described)
            head = self._head(d.pop("shape"), d.pop("dtype", "f8"), d.pop("strides", None), d)
            heads.append(head)
            size += head.frame_bytes
        if not heads:
            raise ShapeError("a group of no frames")
        w = self._writer
        if size > w.segment.capacity // 2:
            raise FrameTooLargeError("a group of %d bytes, at most %d" % (size, w.segment.capacity // 2))
        for head in heads[:-1]:
            head.flags |= L.FLAG_MORE
        at = w.reserve(size, len(heads), timeout)
        self._claimed = True
        return Group(self, at, heads)

    def _commit_group(self, at: int, end: int, heads: List[Header]) -> None:
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
        does not run free; then removes the files. Closing again does nothing.

        When the time is over first, the files are removed all the same and
        TimeoutError is raised: readers that are attached still get every frame.
        """
        if self._closed:
            return
        self._closed = True
        w = self._writer
        w.finish()
        assert self._server is not None and self._store is not None
        self._server.finish(w.pos)
        try:
            w.await_gate(w.pos, timeout)
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
                p._server.abandon()
                p._writer.close()
                p._store.close()
                p._lock.release(unlink=False)
                p._directory.close()

    def __enter__(self) -> "Producer":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Ends the ring, or leaves it unfinished if the block failed."""
        if kind is None:
            self.close()
        else:
            self.leave()


def _check_kind(kind: int) -> int:
    """Returns a kind that a caller may give a frame."""
    if kind in (L.KIND_DATA, L.KIND_STREAM_END) or L.KIND_SKIPPABLE <= kind <= L.KIND_MASK:
        return kind
    raise HeaderError("frame of kind %d" % kind)


def _identity(ring: str, capacity: int, frame_limit: Optional[int], dtype: Any, shape: Optional[Sequence[Optional[int]]],
              meta: Any, policy: str, slots: int, start: int) -> Identity:
    if policy not in _POLICIES:
        raise ValueError("policy %r; use 'block' or 'drop'" % policy)
    if not isinstance(meta, (bytes, bytearray)):
        meta = (meta if isinstance(meta, str) else json.dumps(meta)).encode()
    capacity = max(L.MIN_CAPACITY_BYTES, 1 << max(0, operator.index(capacity) - 1).bit_length())
    fields: Dict[str, Any] = {}
    if frame_limit is not None:
        fields["frame_limit"] = frame_limit
    if dtype is not None:
        fields["schema_dtype"] = code_of(dtype)
    if shape is not None:
        dims = [L.ANY_DIM if n is None else operator.index(n) for n in shape]
        fields["schema_ndim"] = len(dims)
        fields["schema_shape"] = tuple(dims) + (0,) * (L.MAX_DIMS - len(dims))
    return Identity(
        name=ring, capacity=capacity, ring_id=os.urandom(16), created_ns=now_ns(), creator_pid=os.getpid(),
        creator_uid=os.geteuid(), creator_exe=os.path.basename(sys.argv[0] or "python")[:L.MAX_NAME_BYTES],
        policy=_POLICIES[policy], slots=slots, start=start, meta=bytes(meta), **fields).check()


os.register_at_fork(after_in_child=Producer._forked)

__all__ = ["Claim", "Group", "Producer"]
