"""A mapped segment: identity, writer words, and the frames in its data region.

The mapping is never closed by hand. Every array made over it holds a reference to
it, so it is unmapped when the last of them is gone: a view that outlives its frame
may read bytes of later frames, but never memory that is not the ring's.
"""

import errno
import mmap
import os
import sys
from typing import Iterator, Tuple, Union

import numpy as np

from . import _layout as L
from . import _order
from .directory import check_file
from .dtype import NUMPY, Array
from .errors import CorruptError, EndianError, NoSpaceError, TruncatedError
from .header import Header, decode, decode_committed
from .identity import Identity, decode_identity

_WORD = 1 << 64
_SIGN = 1 << 63
_ORDERED = _order.ORDERED
_MADV_DONTDUMP, _MADV_POPULATE_READ, _MADV_POPULATE_WRITE = 16, 22, 23


def ahead(a: int, b: int) -> int:
    """How far position a is ahead of b, as a signed 64-bit difference."""
    d = (a - b) & (_WORD - 1)
    return d - _WORD if d & _SIGN else d


def add(position: int, n: int) -> int:
    """The position n bytes on."""
    return (position + n) & (_WORD - 1)


def map_file(fd: int, size: int, writable: bool = False) -> mmap.mmap:
    """Maps the first size bytes of a file, shared, all pages present."""
    prot = mmap.PROT_READ | mmap.PROT_WRITE if writable else mmap.PROT_READ
    try:
        m = mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=prot)
    except ValueError as e:
        raise TruncatedError("map %d bytes: %s" % (size, e)) from e
    for advice in (_MADV_DONTDUMP, _MADV_POPULATE_WRITE if writable else _MADV_POPULATE_READ):
        try:
            m.madvise(advice)
        except OSError as e:
            if writable and e.errno in (errno.EFAULT, errno.ENOMEM):
                raise NoSpaceError("the pages of %d bytes cannot be had: %s" % (size, e.strerror)) from e
            # older kernels fault the pages in one by one
    return m


def read_identity(fd: int, what: str) -> Identity:
    """Checks a segment's file and reads its identity with plain reads, which no
    truncation turns into a fault."""
    size = check_file(fd, what)
    identity = decode_identity(os.pread(fd, L.IDENTITY_BYTES, 0))
    if size < identity.segment_bytes:
        raise TruncatedError("%s has %d bytes, its header says %d" % (what, size, identity.segment_bytes))
    return identity


class Segment:
    """One ring's memory. buffer is a mapping, or any aligned buffer."""

    def __init__(self, buffer: Union[mmap.mmap, bytearray, bytes], identity: Identity) -> None:
        if sys.byteorder != "little":
            raise EndianError("rings are little-endian, this machine is not")
        self.identity = identity
        self.buffer = buffer
        self.bytes = memoryview(buffer)
        self.words = self.bytes[:len(self.bytes) & ~7].cast("Q")
        self.capacity = identity.capacity
        self.mask = identity.capacity - 1
        self.data_off = identity.data_off
        self._writer = identity.writer_off >> 3
        self.limit_index = self._writer + (L.WR_LIMIT >> 3)
        self.epoch_index = self._writer + (L.WR_EPOCH >> 3)

    def word(self, field: int) -> int:
        """A word of the writer region."""
        return self.words[self._writer + (field >> 3)]

    def set_word(self, field: int, value: int) -> None:
        """Stores a word of the writer region. Only the writer does."""
        _order.store_release(self.words, self._writer + (field >> 3), value & (_WORD - 1))

    def commit_index(self, position: int) -> int:
        """Index of the commit word at position."""
        return (self.data_off + (position & self.mask)) >> 3

    def commit_word(self, position: int) -> int:
        """The commit word at position. Loads behind it see what it announces."""
        w = self.words[(self.data_off + (position & self.mask)) >> 3]
        _order.load_fence()
        return w

    def to_wrap(self, position: int) -> int:
        """Bytes from position to the wrap."""
        return self.capacity - (position & self.mask)

    def intact(self, position: int) -> bool:
        """Whether what was read at position so far was whole."""
        if not _ORDERED:
            _order.fence()
        d = self.words[self.limit_index] - position & _WORD - 1
        return d <= self.capacity or d >= _SIGN

    def ended(self, position: int) -> bool:
        """Whether the ring ended at position."""
        return self.word(L.WR_FINAL) == position | 1

    def header(self, position: int) -> Header:
        """The header of the frame at position, whose commit word must be its own."""
        left = self.to_wrap(position)
        at = self.data_off + (position & self.mask)
        return decode(bytes(self.bytes[at:at + min(left, L.HEAD_MAX)]), left, position, self.identity.frame_limit)

    def committed_header(self, position: int, kind: int) -> Header:
        """Is header for a frame whose commit word was loaded and found good."""
        left = self.to_wrap(position)
        at = self.data_off + (position & self.mask)
        i = at >> 3
        number, desc = self.words[i + 1], self.words[i + 2]
        src = bytes(self.bytes[at:at + min(left, L.HEAD_MAX)])
        return decode_committed(src, left, position, self.identity.frame_limit, kind, number, desc)

    def array(self, position: int, head: Header) -> Array:
        """The payload of a frame as an array over the ring itself."""
        return np.ndarray(
            head.shape, NUMPY[head.dtype], self.buffer,
            self.data_off + (position & self.mask) + head.head_bytes, head.strides)

    def committed(self, position: int) -> int:
        """Walks from a committed position to where that ends by now. Frames that are
        overwritten meanwhile end the walk early."""
        for p, head in self.walk(position):
            if not self.intact(p):
                return p
            position = add(p, head.frame_bytes)
        return position

    def walk(self, position: int) -> Iterator[Tuple[int, Header]]:
        """Frames from position on, padding included, while their words are their
        own. A malformed one ends the walk."""
        start = position
        while ahead(position, start) <= self.capacity:
            word = self.commit_word(position)
            kind = word & L.KIND_MASK
            if word - kind != position or kind == 0:
                return
            try:
                head = self.committed_header(position, kind)
            except ValueError:
                return
            yield position, head
            position = add(position, head.frame_bytes)

    def shared_tail(self) -> int:
        """The tail as the writer stored it last, on a line."""
        return self.word(L.WR_TAIL) & ~L.KIND_MASK

    def tail(self) -> int:
        """The end of what is committed, by a walk from the shared tail."""
        tail = self.shared_tail()
        while True:
            end = self.committed(tail)
            if self.intact(end):
                return end
            newer = self.shared_tail()
            if newer == tail:
                return tail
            tail = newer

    def mark_index(self, position: int) -> int:
        """Which mark stands for the part of the ring that position is in."""
        return (position & self.mask) // (self.capacity // L.MARK_COUNT)

    def boundary(self, floor: int, tail: int) -> int:
        """The lowest position from floor to tail at which a frame is known to
        start."""
        start = self.identity.start
        if ahead(floor, start) < 0:
            floor = start
        candidates = [(floor + self.mask) & ~self.mask & (_WORD - 1)]
        if floor == start:
            candidates.append(floor)
        for i in range(L.MARK_COUNT):
            p = self.word(L.WR_MARKS + 8 * i)
            if self.mark_index(p) == i and p % L.LINE_BYTES == 0:
                candidates.append(p)
        best = tail
        for p in candidates:
            if ahead(p, floor) >= 0 and ahead(best, p) > 0:
                best = p
        return best

    def meets(self, position: int, floor: int, tail: int) -> bool:
        """Whether a walk from a boundary at or above floor comes across a frame that
        starts at position, or ends there with the tail."""
        if ahead(tail, floor) > self.capacity or ahead(tail, position) < 0:
            return False
        p = self.boundary(floor, tail)
        if ahead(position, p) < 0:
            return False
        while True:  # the highest boundary that is not beyond position
            higher = self.boundary(add(p, L.LINE_BYTES), tail)
            if ahead(higher, p) <= 0 or ahead(position, higher) < 0:
                break
            p = higher
        for at, head in self.walk(p):
            if ahead(position, at) <= 0:
                p = at
                break
            if not self.intact(at):
                return False
            p = add(at, head.frame_bytes)
        return p == position

    def oldest(self) -> int:
        """The lowest position from which a walk can start now."""
        return self.boundary(add(self.word(L.WR_LIMIT), -self.capacity), self.shared_tail())


def unexpected(position: int, word: int) -> CorruptError:
    """The error for a word that no writer leaves where a lossless reader looks."""
    return CorruptError("word %#x at position %d is neither 0 nor a commit" % (word, position))
