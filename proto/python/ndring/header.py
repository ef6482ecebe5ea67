"""Frame headers: what the first bytes of a frame say, checked, and their encoding.

    commit word · number · description word (24 bytes), then, if FLAG_EXTENDED is
    set, the extension with role, sequence, time, stream, source, shape, strides;
    the payload at 24, or at the next multiple of 64 behind the extension.
"""

import struct
from typing import Any, Sequence, Tuple

from . import _layout as L
from .dtype import ITEM_BYTES
from .errors import HeaderError, ShapeError, TruncatedError

_BASE = struct.Struct("<QQQ")
_EXTENSION = struct.Struct("<HBBIQQQQ")
_FLAGS = L.FLAG_EXTENDED | L.FLAG_MORE
_EXT_FLAGS = L.EXT_SHAPE | L.EXT_STRIDES | L.EXT_STREAM | L.EXT_SOURCE | L.EXT_TIME


def align_line(n: int) -> int:
    """n rounded up to a multiple of 64."""
    return (n + L.LINE_BYTES - 1) & -L.LINE_BYTES


def describe(payload_len: int, dtype: int, ndim: int, flags: int) -> int:
    """The description word."""
    return payload_len | dtype << L.DESC_DTYPE_SHIFT | ndim << L.DESC_NDIM_SHIFT | flags << L.DESC_FLAG_SHIFT


class Header:
    """Everything a frame's header says. Shape and strides (in bytes) are filled in
    for every frame but padding, also where the frame leaves them to be derived."""

    __slots__ = (
        "kind", "number", "payload_len", "dtype", "ndim", "flags", "ext_flags", "role",
        "sequence", "time_ns", "stream", "source", "source_id", "shape", "strides",
    )

    kind: int
    number: int
    payload_len: int
    dtype: int
    ndim: int
    flags: int
    ext_flags: int
    role: int
    sequence: int
    time_ns: int
    stream: int
    source: int
    source_id: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]

    def __init__(self, **fields: Any) -> None:
        self.kind = L.KIND_DATA
        self.number = self.payload_len = self.dtype = self.flags = self.ext_flags = self.role = 0
        self.sequence = self.time_ns = self.stream = self.source = self.source_id = 0
        self.ndim = 1
        self.shape = self.strides = ()
        for name, value in fields.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        return "Header(%s)" % ", ".join("%s=%r" % (name, getattr(self, name)) for name in self.__slots__)

    @property
    def extended(self) -> bool:
        """Whether the header needs an extension."""
        return self.ndim != 1 or bool(self.ext_flags) or bool(self.role) or bool(self.flags & L.FLAG_EXTENDED)

    @property
    def ext_bytes(self) -> int:
        """Length of the extension."""
        arrays = bool(self.ext_flags & L.EXT_SHAPE) + bool(self.ext_flags & L.EXT_STRIDES)
        return L.EXT_MIN_BYTES + 8 * self.ndim * arrays

    @property
    def head_bytes(self) -> int:
        """Distance from the frame's start to its payload."""
        return align_line(L.BASE_BYTES + self.ext_bytes) if self.extended else L.BASE_BYTES

    @property
    def frame_bytes(self) -> int:
        """Space the frame takes in the ring."""
        return align_line(self.head_bytes + self.payload_len)

    def complete(self) -> "Header":
        """Derives what a writer leaves open: payload_len, EXT_SHAPE, and strides in
        C order. Raises ShapeError or HeaderError."""
        if self.flags & ~_FLAGS or self.ext_flags & ~_EXT_FLAGS:
            raise HeaderError("unknown flags %#x or extension flags %#x" % (self.flags, self.ext_flags))
        if self.dtype not in ITEM_BYTES:
            raise ShapeError("dtype code %d" % self.dtype)
        self.ndim = len(self.shape)
        if self.ndim > L.MAX_DIMS:
            raise ShapeError("%d dimensions, at most %d" % (self.ndim, L.MAX_DIMS))
        if self.ndim > 1 or self.ext_flags & L.EXT_STRIDES:
            self.ext_flags |= L.EXT_SHAPE
        item = ITEM_BYTES[self.dtype]
        if self.ext_flags & L.EXT_STRIDES:
            self.payload_len = strided_bytes(item, self.shape, self.strides)
        else:
            self.payload_len, self.strides = contiguous(item, self.shape)
        return self

    def encode(self) -> bytes:
        """The header up to the payload, with a zero in the place of the commit word."""
        flags = self.flags | (L.FLAG_EXTENDED if self.extended else 0)
        base = _BASE.pack(0, self.number, describe(self.payload_len, self.dtype, self.ndim, flags))
        if not flags & L.FLAG_EXTENDED:
            return base
        b = base + _EXTENSION.pack(
            self.ext_bytes, self.ext_flags, self.role, self.sequence,
            self.time_ns, self.stream, self.source, self.source_id)
        if self.ext_flags & L.EXT_SHAPE:
            b += struct.pack("<%dQ" % self.ndim, *self.shape)
        if self.ext_flags & L.EXT_STRIDES:
            b += struct.pack("<%dq" % self.ndim, *self.strides)
        return b.ljust(self.head_bytes, b"\0")


def contiguous(item: int, shape: Sequence[int]) -> Tuple[int, Tuple[int, ...]]:
    """Size in bytes and byte strides of a C-order array. Raises ShapeError."""
    size, empty, strides = item, False, []
    for n in reversed(shape):
        strides.append(size)
        if n < 0:
            raise ShapeError("extent %d" % n)
        if n == 0:
            empty = True
            continue
        size *= n
        if size > L.MAX_PAYLOAD_BYTES:
            raise ShapeError("shape %s of %d-byte elements overflows" % (tuple(shape), item))
    return (0 if empty else size), tuple(reversed(strides))


def strided_bytes(item: int, shape: Sequence[int], strides: Sequence[int]) -> int:
    """How many bytes from the first element on a strided array reaches. Raises
    ShapeError."""
    reach, empty = item, False
    for i, (n, stride) in enumerate(zip(shape, strides)):
        if n < 0:
            raise ShapeError("extent %d" % n)
        if stride < 0 or stride % item:
            raise ShapeError("stride %d of dimension %d is negative or not a multiple of the %d-byte element" % (stride, i, item))
        if n == 0:
            empty = True
            continue
        reach += (n - 1) * stride
        if reach > L.MAX_PAYLOAD_BYTES:
            raise ShapeError("shape %s with strides %s overflows" % (tuple(shape), tuple(strides)))
    return 0 if empty else reach


def decode(src: bytes, left: int, position: int, limit: int) -> Header:
    """Reads the header of the frame at position. src are its first bytes, copied out
    of the ring; left is the distance to the wrap, limit the ring's frame limit.

    The result describes memory inside left. Raises HeaderError, ShapeError or
    TruncatedError.
    """
    if left < L.LINE_BYTES:
        raise TruncatedError("frame at position %d: %d bytes left before the wrap, a header needs %d" % (position, left, L.LINE_BYTES))
    word, number, desc = _BASE.unpack_from(src)
    kind = word & L.KIND_MASK
    if word - kind != position or kind == 0:
        raise HeaderError("frame at position %d: commit word %#x belongs elsewhere" % (position, word))
    return decode_committed(src, left, position, limit, kind, number, desc)


def decode_committed(src: bytes, left: int, position: int, limit: int, kind: int, number: int, desc: int) -> Header:
    """Is decode for a frame whose first three words were read already."""
    h = Header(
        kind=kind, number=number, payload_len=desc & L.DESC_LEN_MASK, dtype=desc >> L.DESC_DTYPE_SHIFT & 0xff,
        ndim=desc >> L.DESC_NDIM_SHIFT & 0xf, flags=desc >> L.DESC_FLAG_SHIFT)
    if h.flags & ~_FLAGS:
        raise HeaderError("frame at position %d: unknown flags %#x" % (position, h.flags))
    if kind == L.KIND_PADDING:
        return _padding(h, left, position)
    if h.payload_len > limit:
        raise HeaderError("frame at position %d: payload of %d bytes over the frame limit of %d" % (position, h.payload_len, limit))
    if h.dtype not in ITEM_BYTES:
        raise HeaderError("frame at position %d: dtype code %d" % (position, h.dtype))
    if h.ndim > L.MAX_DIMS:
        raise HeaderError("frame at position %d: %d dimensions, at most %d" % (position, h.ndim, L.MAX_DIMS))
    if h.flags & L.FLAG_EXTENDED:
        _extension(h, src, left, position)
    elif h.ndim != 1:
        raise HeaderError("frame at position %d: %d dimensions without an extension" % (position, h.ndim))
    if h.frame_bytes > left:
        raise HeaderError("frame at position %d: %d bytes reach past the wrap, %d left" % (position, h.frame_bytes, left))
    _array(h, position)
    return h


def _padding(h: Header, left: int, position: int) -> Header:
    if h.flags & L.FLAG_EXTENDED:
        raise HeaderError("padding at position %d: has an extension" % position)
    h.ndim = 1
    if h.frame_bytes != left:
        raise HeaderError("padding at position %d: %d bytes, the wrap is %d bytes away" % (position, h.frame_bytes, left))
    return h


def _extension(h: Header, src: bytes, left: int, position: int) -> None:
    (stored, h.ext_flags, h.role, h.sequence, h.time_ns,
     h.stream, h.source, h.source_id) = _EXTENSION.unpack_from(src, L.FR_EXT_BYTES)
    if h.ext_flags & ~_EXT_FLAGS:
        raise HeaderError("frame at position %d: unknown extension flags %#x" % (position, h.ext_flags))
    if stored != h.ext_bytes:
        raise HeaderError("frame at position %d: extension of %d bytes, its flags need %d" % (position, stored, h.ext_bytes))
    if L.BASE_BYTES + stored > left:
        raise HeaderError("frame at position %d: extension of %d bytes reaches past the wrap" % (position, stored))
    at = L.FR_SHAPE
    if h.ext_flags & L.EXT_SHAPE:
        h.shape = struct.unpack_from("<%dQ" % h.ndim, src, at)
        at += 8 * h.ndim
    if h.ext_flags & L.EXT_STRIDES:
        h.strides = struct.unpack_from("<%dq" % h.ndim, src, at)


def _array(h: Header, position: int) -> None:
    """Derives what the frame leaves out and proves that the array lies inside the
    payload."""
    item = ITEM_BYTES[h.dtype]
    if not h.ext_flags & L.EXT_SHAPE:
        if h.ndim > 1:
            raise ShapeError("frame at position %d: %d dimensions without a shape" % (position, h.ndim))
        if h.ndim == 1:
            if h.payload_len % item:
                raise ShapeError("frame at position %d: payload of %d bytes is not a multiple of %d" % (position, h.payload_len, item))
            h.shape = (h.payload_len // item,)
    if h.ext_flags & L.EXT_STRIDES:
        need = strided_bytes(item, h.shape, h.strides)
        if need > h.payload_len:
            raise ShapeError("frame at position %d: strides reach %d bytes, the payload has %d" % (position, need, h.payload_len))
        return
    need, h.strides = contiguous(item, h.shape)
    if need != h.payload_len:
        raise ShapeError("frame at position %d: shape %s needs %d bytes, the payload has %d" % (position, h.shape, need, h.payload_len))
