"""Claims: space in the ring, to be written in place and committed."""

from types import TracebackType
from typing import TYPE_CHECKING, List, Optional, Type

import numpy as np

from . import _layout as L
from .dtype import Array
from .frame import Single
from .header import Header
from .segment import add

if TYPE_CHECKING:
    from .producer import Producer


class Claim(Single):
    """Space for one frame, to be written in place through array and committed.

    As a context manager it gives the array, commits at the end of the block, and
    aborts on an exception. The array must not be written to after that.
    """

    __slots__ = ("array", "number", "_producer", "_kind", "_lead", "_raw", "_at", "_size", "_desc", "_open", "_done")

    array: Array
    number: int

    def __init__(self, producer: "Producer", at: int, size: int, desc: int, kind: int, lead: int, raw: bytes, array: Array) -> None:
        self._producer = producer
        self._at = at
        self._size = size
        self._desc = desc
        self._kind = kind
        self._lead = lead  # bytes before the payload
        self._raw = raw  # what of them follows the number, in extended frames
        self._open, self._done = True, False
        self.array = array
        self.number = producer._writer.number

    @property
    def payload(self) -> Array:
        """The claimed bytes as they lie in the ring, whatever the strides are."""
        s = self._producer._writer.segment
        return np.ndarray((self._desc & L.DESC_LEN_MASK,), "u1", s.buffer, s.data_off + (self._at & s.mask) + self._lead)

    def commit(self) -> None:
        """Makes the frame visible to readers, whole. Committing again does nothing.
        Raises ClosedError when the producer was closed before."""
        if self._open:
            self._done = True
            self.array.flags.writeable = self._open = False
            try:
                self._producer._commit(self._at, self._size, self._desc, self._kind, self._raw)
            finally:
                self._producer._part()
        elif not self._done:
            self._producer._check_open()

    def abort(self) -> None:
        """Gives the space back; nothing of it ever becomes visible."""
        if self._open:
            self.array.flags.writeable = self._open = False
            self._producer._part()

    def __enter__(self) -> Array:
        return self.array

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.commit() if kind is None else self.abort()


class Group(Single):
    """Space for several frames that become visible together or not at all."""

    #: One array for each frame, to be written in place.
    arrays: List[Array]

    def __init__(self, producer: "Producer", at: int, heads: List[Header]) -> None:
        self._producer = producer
        self._at = at
        self._heads = heads
        self._open, self._done = True, False
        self.arrays = []
        for head in heads:
            self.arrays.append(producer._writer.segment.array(at, head))
            at = add(at, head.frame_bytes)
        self._end = at

    def commit(self) -> None:
        """Makes all frames visible at once. Raises ClosedError when the producer was
        closed before."""
        if self._open:
            self._done = True
            self._close()
            try:
                self._producer._commit_group(self._at, self._end, self._heads)
            finally:
                self._producer._part()
        elif not self._done:
            self._producer._check_open()

    def abort(self) -> None:
        """Gives the space back; nothing of it ever becomes visible."""
        if self._open:
            self._close()
            self._producer._part()

    def _close(self) -> None:
        self._open = False
        for a in self.arrays:
            a.flags.writeable = False

    def __enter__(self) -> List[Array]:
        return self.arrays

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.commit() if kind is None else self.abort()
