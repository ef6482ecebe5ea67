"""Frames under lease, and batches of them.

A frame's array is a view of the ring itself. The lease lasts until the next frame or
batch is asked for, or until release(). From then on the writer may store other
frames in the same place: asking the frame for its array raises ReleasedError, and an
array that was taken out before goes on being readable memory of the ring, with
whatever the writer has put there. copy() is the array to keep.
"""

from types import TracebackType
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Type, Union

import numpy as np

from . import _layout as L
from .dtype import ITEM_BYTES, NUMPY, Array, DType
from .errors import EvictedError, ReleasedError, ShapeError
from .header import Header, describe
from .segment import Segment


#: Whether NumPy exports read-only arrays by DLPack 1.0.
_DLPACK_1 = tuple(map(int, np.__version__.split(".")[:2])) >= (2, 1)


class Single:
    """What stands for memory or a connection of this process alone."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("a %s stands for memory or a connection of this process and is neither copied nor pickled; "
                        "pass a ring's name on, or frame.copy()" % type(self).__name__)


class Lease:
    """Who hands frames out. Each lease has a ticket; a frame is held while its ticket
    is the current one."""

    _segment: Segment
    _ticket = 0

    def release(self) -> None:
        """Ends the current lease, if there is one."""
        raise NotImplementedError

    def intact(self, position: int) -> bool:
        """Whether what was read at position so far was whole."""
        return self._segment.intact(position)


class Frame(Single):
    """One committed frame. number counts the frames of the ring from 0, position and
    end say where it lies; array, shape, dtype and the rest are what it holds."""

    __slots__ = ("position", "end", "number", "_source", "_ticket", "_segment", "_desc", "_head", "_array")

    position: int
    end: int
    number: int

    def __init__(self, source: Lease, ticket: int, segment: Segment, position: int, end: int, number: int, desc: int,
                 head: Optional[Header] = None, array: Optional[Array] = None) -> None:
        self.position = position
        self.end = end
        self.number = number
        self._source = source
        self._ticket = ticket
        self._segment = segment
        self._desc = desc
        self._head = head  # of extended frames
        self._array = array

    @property
    def lost(self) -> int:
        """How many frames an observer missed before this one; 0 for a consumer."""
        return 0

    @property
    def held(self) -> bool:
        """Whether the lease lasts."""
        return self._ticket == self._source._ticket

    @property
    def array(self) -> Array:
        """The frame as a read-only array over the ring: no copy. Raises ReleasedError
        after the lease."""
        if self._ticket != self._source._ticket:
            raise ReleasedError("frame %d was released; copy() what is needed longer" % self.number)
        if self._array is None:
            self._array = self._view()
        return self._array

    def _view(self) -> Array:
        s = self._segment
        head = self._head
        if head is not None:
            return view(head.shape, NUMPY[head.dtype], s.buffer, s.data_off + (self.position & s.mask) + head.head_bytes, head.strides)
        dtype = NUMPY[self._desc >> L.DESC_DTYPE_SHIFT & 0xff]
        return np.ndarray(
            ((self._desc & L.DESC_LEN_MASK) // dtype.itemsize,), dtype, s.buffer,
            s.data_off + (self.position & s.mask) + L.BASE_BYTES)

    @property
    def payload(self) -> Array:
        """The frame's bytes as they lie in the ring: no copy. Raises ReleasedError
        after the lease."""
        if not self.held:
            raise ReleasedError("frame %d was released; copy() what is needed longer" % self.number)
        s = self._segment
        return np.ndarray((self.nbytes,), "u1", s.buffer, s.data_off + (self.position & s.mask) + self._lead())

    def _lead(self) -> int:
        """Bytes of the frame before its payload."""
        return L.BASE_BYTES if self._head is None else self._head.head_bytes

    def copy(self) -> Array:
        """A copy to keep, writable and in C order. Raises EvictedError if it may be
        torn."""
        out = np.array(self.array, order="C", copy=True)
        if not self.valid():
            raise EvictedError("frame %d was overwritten while it was copied" % self.number)
        return out

    def valid(self) -> bool:
        """Whether everything read of the frame so far was whole."""
        return self._source.intact(self.position)

    def release(self) -> None:
        """Gives the frame back, with all others of its lease. Raises EvictedError if
        it may have been overwritten while it was held. Releasing again does nothing."""
        if self.held:
            self._source.release()

    @property
    def header(self) -> Header:
        """Everything the frame's header says."""
        if self._head is not None:
            return self._head
        size = ITEM_BYTES[self._desc >> L.DESC_DTYPE_SHIFT & 0xff]
        length = self._desc & L.DESC_LEN_MASK
        return Header(
            kind=L.KIND_DATA, number=self.number, payload_len=length, dtype=self._desc >> L.DESC_DTYPE_SHIFT & 0xff,
            flags=self._desc >> L.DESC_FLAG_SHIFT & ~L.FLAG_EXTENDED, shape=(length // size,), strides=(size,))

    @property
    def kind(self) -> int:
        """KIND_DATA, or another delivered kind such as KIND_STREAM_END."""
        return L.KIND_DATA if self._head is None else self._head.kind

    @property
    def dtype(self) -> DType:
        """The element type."""
        return NUMPY[self._desc >> L.DESC_DTYPE_SHIFT & 0xff]

    @property
    def shape(self) -> Tuple[int, ...]:
        """Extents of the array."""
        if self._head is not None:
            return self._head.shape
        return ((self._desc & L.DESC_LEN_MASK) // ITEM_BYTES[self._desc >> L.DESC_DTYPE_SHIFT & 0xff],)

    @property
    def more(self) -> bool:
        """Whether another frame of the same group follows."""
        return bool(self._desc >> L.DESC_FLAG_SHIFT & L.FLAG_MORE)

    @property
    def nbytes(self) -> int:
        """Length of the payload."""
        return self._desc & L.DESC_LEN_MASK

    def __enter__(self) -> "Frame":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        _part(self, kind)

    def __repr__(self) -> str:
        return "<Frame %d at %d: %s%s>" % (self.number, self.position, self.dtype.name, list(self.shape))

    # How other libraries take the array without a copy.

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Array:
        a = self.array
        if copy or dtype is not None and np.dtype(dtype) != a.dtype:
            if copy is False:
                raise ValueError("a frame of %s is no array of %s without a copy" % (a.dtype, np.dtype(dtype)))
            return np.array(a, dtype=dtype)
        return a

    def __buffer__(self, flags: int) -> memoryview:  # Python 3.12 and later
        return memoryview(self.array)

    def __dlpack__(self, *, stream: Any = None, max_version: Optional[Tuple[int, int]] = None,
                   dl_device: Optional[Tuple[int, int]] = None, copy: Optional[bool] = None) -> Any:
        """DLPack export. Versions of NumPy before 2.1, and consumers before DLPack
        1.0, cannot express a read-only array: they get a copy, unless copy=False."""
        if dl_device is not None and tuple(dl_device) != self.__dlpack_device__():
            raise BufferError("a frame is memory of the host, it cannot be exported to device %r" % (dl_device,))
        a, more = self.array, {} if stream is None else {"stream": stream}
        if copy is not True:
            try:
                return a.__dlpack__(max_version=max_version, copy=copy, **more) if _DLPACK_1 else a.__dlpack__(**more)
            except BufferError:
                if copy is False:
                    raise
        if _DLPACK_1:
            more["max_version"] = max_version
        return self.copy().__dlpack__(**more)

    def __dlpack_device__(self) -> Tuple[int, int]:
        return self.array.__dlpack_device__()


class Run(Single):
    """Frames of one inline array type that lie behind each other: one strided view
    shows them all."""

    __slots__ = ("position", "size", "count", "numbers", "desc", "_batch")

    position: int
    size: int
    count: int
    numbers: Sequence[int]
    desc: int

    def __init__(self, batch: "Batch", position: int, size: int, numbers: List[int], desc: int) -> None:
        self._batch = batch
        self.position = position
        self.size = size
        self.count = len(numbers)
        self.numbers = numbers
        self.desc = desc

    def __repr__(self) -> str:
        return "<Run of %d frames from %d>" % (self.count, self.numbers[0])

    @property
    def array(self) -> Array:
        """All frames as one read-only array of shape (count, elements): no copy.
        Raises ReleasedError after the lease."""
        b = self._batch
        if not b.held:
            raise ReleasedError("batch was released; copy what is needed longer")
        s = b._segment
        dtype = NUMPY[self.desc >> L.DESC_DTYPE_SHIFT & 0xff]
        return np.ndarray(
            (self.count, (self.desc & L.DESC_LEN_MASK) // dtype.itemsize), dtype, s.buffer,
            s.data_off + (self.position & s.mask) + L.BASE_BYTES, (self.size, dtype.itemsize))

    def frames(self) -> Iterator[Frame]:
        """The frames one by one."""
        b, at, size, desc = self._batch, self.position, self.size, self.desc
        source, ticket, segment = b._source, b._ticket, b._segment
        if self.count == 1:
            yield Frame(source, ticket, segment, at, at + size, self.numbers[0], desc)
            return
        for number, array in zip(self.numbers, self.array):
            end = at + size
            yield Frame(source, ticket, segment, at, end, number, desc, None, array)
            at = end


class Batch(Single):
    """Frames under one lease: all that were announced, up to a bound. Iterating
    gives the frames; arrays() gives their arrays, with less overhead; parts holds
    a Run for each stretch of equal small frames, and a Frame for each other one."""

    __slots__ = ("parts", "_source", "_ticket", "_segment", "_count", "_first")

    parts: List[Union[Run, Frame]]

    def __init__(self, source: Lease, ticket: int, segment: Segment, first: int) -> None:
        self.parts = []
        self._source = source
        self._ticket = ticket
        self._segment = segment
        self._count = 0
        self._first = first

    def add(self, part: Union[Run, Frame], count: int) -> None:
        """Appends frames. For the consumer alone."""
        self.parts.append(part)
        self._count += count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Frame]:
        for part in self.parts:
            if isinstance(part, Run):
                yield from part.frames()
            else:
                yield part

    def arrays(self) -> Iterator[Array]:
        """The array of each frame, in order, read-only and without a copy."""
        for part in self.parts:
            if isinstance(part, Run):
                yield from part.array
            else:
                yield part.array

    @property
    def held(self) -> bool:
        """Whether the lease lasts."""
        return self._ticket == self._source._ticket

    def valid(self) -> bool:
        """Whether everything read of the batch so far was whole."""
        return self._source.intact(self._first)

    def release(self) -> None:
        """Gives all frames back. Raises EvictedError if they may have been
        overwritten meanwhile. Releasing again does nothing."""
        if self.held:
            self._source.release()

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        _part(self, kind)

    def __repr__(self) -> str:
        return "<Batch of %d frames%s>" % (self._count, "" if self.held else ", released")


def _part(held: Union[Frame, Batch], kind: Optional[Type[BaseException]]) -> None:
    """Ends a with block."""
    try:
        held.release()
    except EvictedError:
        if kind is None:
            raise  # otherwise the error under way says more


def view(shape: Sequence[int], dtype: DType, buffer: Any, offset: int, strides: Sequence[int]) -> Array:
    """An array over a buffer. A layout can describe more than NumPy can show."""
    try:
        return np.ndarray(shape, dtype, buffer, offset, strides)
    except (ValueError, OverflowError) as e:
        raise ShapeError("shape %s with strides %s: %s" % (tuple(shape), tuple(strides), e)) from e


def desc_of(head: Header) -> int:
    """The description word that a header was decoded from."""
    return describe(head.payload_len, head.dtype, head.ndim, head.flags)
