"""The identity region of a segment and the head of a reader table."""

import struct
import zlib
from typing import Any, Dict, Tuple

from . import _layout as L
from .dtype import ITEM_BYTES
from .errors import (
    ChecksumError, DTypeError, EndianError, FeatureError, GeometryError, InvalidNameError, MagicError, NotReadyError,
    ShapeError, TruncatedError, VersionError,
)

_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def check_name(name: str) -> str:
    """Returns a usable ring or reader name, or raises InvalidNameError."""
    if not isinstance(name, str):
        raise InvalidNameError("name %r is no string" % (name,))
    raw = name.encode("utf-8", "surrogatepass")
    if not raw:
        raise InvalidNameError("name is empty")
    if len(raw) > L.MAX_NAME_BYTES:
        raise InvalidNameError("name %r has %d bytes, at most %d" % (name, len(raw), L.MAX_NAME_BYTES))
    if raw[:1] in b".-":
        raise InvalidNameError("name %r starts with %r" % (name, name[0]))
    if not _NAME_BYTES.issuperset(raw):
        raise InvalidNameError("name %r; use letters, digits, '.', '_' and '-'" % name)
    return name


def field_name(raw: bytes) -> str:
    """Reads a zero-filled name field."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def name_field(name: str) -> bytes:
    """A name, zero-filled."""
    return name.encode("utf-8", "surrogateescape")[:L.MAX_NAME_BYTES].ljust(L.MAX_NAME_BYTES, b"\0")


def table_bytes(slots: int) -> int:
    """Size of a reader table."""
    return L.TABLE_HEAD_BYTES + slots * L.SLOT_BYTES


# Where each field stands and how it is read, in the order of the region.
_FIELDS = (
    ("major", L.ID_MAJOR, "H"), ("minor", L.ID_MINOR, "H"), ("required", L.ID_REQUIRED, "Q"),
    ("optional", L.ID_OPTIONAL, "Q"), ("writer_off", L.ID_WRITER_OFF, "Q"), ("writer_bytes", L.ID_WRITER_BYTES, "Q"),
    ("data_off", L.ID_DATA_OFF, "Q"), ("capacity", L.ID_CAPACITY, "Q"), ("ring_id", L.ID_RING_ID, "16s"),
    ("frame_limit", L.ID_FRAME_LIMIT, "Q"), ("start", L.ID_START, "Q"), ("created_ns", L.ID_CREATED_NS, "Q"),
    ("creator_pid", L.ID_CREATOR_PID, "I"), ("creator_uid", L.ID_CREATOR_UID, "I"), ("policy", L.ID_POLICY, "I"),
    ("slots", L.ID_SLOTS, "I"), ("schema_dtype", L.ID_SCHEMA_DTYPE, "B"), ("schema_ndim", L.ID_SCHEMA_NDIM, "B"),
)


class Identity:
    """The part of a segment that never changes. Fields are named as in
    docs/layout.md, in lower case."""

    major: int
    minor: int
    required: int
    optional: int
    writer_off: int
    writer_bytes: int
    data_off: int
    capacity: int
    ring_id: bytes
    frame_limit: int
    start: int
    created_ns: int
    creator_pid: int
    creator_uid: int
    policy: int
    slots: int
    schema_dtype: int
    schema_ndim: int
    schema_shape: Tuple[int, ...]
    name: str
    creator_exe: str
    meta: bytes

    def __init__(self, **fields: Any) -> None:
        self.major, self.minor = L.VERSION_MAJOR, L.VERSION_MINOR
        self.required = self.optional = 0
        self.writer_off, self.writer_bytes = L.IDENTITY_BYTES, L.WRITER_BYTES
        self.capacity = fields.get("capacity", L.MIN_CAPACITY_BYTES)
        self.data_off = L.HUGE_ALIGN_BYTES if self.capacity >= L.HUGE_FROM_BYTES else L.DATA_OFFSET
        self.ring_id = bytes(16)
        self.frame_limit = self.capacity // L.PAYLOAD_DIVISOR
        self.start = self.created_ns = self.creator_pid = self.creator_uid = 0
        self.policy, self.slots = L.POLICY_BLOCK, L.DEFAULT_SLOTS
        self.schema_dtype, self.schema_ndim = 0, L.ANY_NDIM
        self.schema_shape = (0,) * L.MAX_DIMS
        self.name = self.creator_exe = ""
        self.meta = b""
        for name, value in fields.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        return "Identity(%s)" % ", ".join("%s=%r" % (name, getattr(self, name)) for name in Identity.__annotations__)

    @property
    def segment_bytes(self) -> int:
        """Size of the segment's file."""
        return self.data_off + self.capacity

    def check(self) -> "Identity":
        """Raises the error for the first contradiction."""
        self.check_head()
        if len(self.meta) > L.MAX_META_BYTES:
            raise GeometryError("metadata has %d bytes, at most %d" % (len(self.meta), L.MAX_META_BYTES))
        self._check_regions()
        self._check_schema()
        return self

    def check_head(self) -> None:
        """The part of check that tells whether the rest can be understood."""
        if self.major != L.VERSION_MAJOR:
            raise VersionError("segment has version %d.%d, this program speaks %d.%d" % (
                self.major, self.minor, L.VERSION_MAJOR, L.VERSION_MINOR))
        if self.required:
            raise FeatureError("segment needs features %#x" % self.required)
        check_name(self.name)

    def _check_regions(self) -> None:
        c = self.capacity
        for wrong, what in (
            (c & (c - 1) or not L.MIN_CAPACITY_BYTES <= c <= L.MAX_CAPACITY_BYTES,
             "capacity %d is not a power of two from %d to %d" % (c, L.MIN_CAPACITY_BYTES, L.MAX_CAPACITY_BYTES)),
            (not 1 <= self.frame_limit <= c // L.PAYLOAD_DIVISOR,
             "frame limit %d is not from 1 to a quarter of the capacity %d" % (self.frame_limit, c)),
            (self.writer_off < L.IDENTITY_BYTES or self.writer_off % L.PAGE_BYTES or self.writer_off > 1 << 30
             or not L.WRITER_BYTES <= self.writer_bytes <= 1 << 20,
             "writer region of %d bytes at %d" % (self.writer_bytes, self.writer_off)),
            (self.data_off > 1 << 31 or self.data_off % L.PAGE_BYTES or self.data_off < self.writer_off + self.writer_bytes,
             "data region at %d" % self.data_off),
            (self.start % L.LINE_BYTES or self.start >> 64,
             "start position %d is not a multiple of %d in 64 bits" % (self.start, L.LINE_BYTES)),
            (not 1 <= self.slots <= L.MAX_READER_SLOTS, "%d reader slots, from 1 to %d" % (self.slots, L.MAX_READER_SLOTS)),
            (self.policy > L.POLICY_DROP_NEWEST, "policy %d is unknown" % self.policy),
        ):
            if wrong:
                raise GeometryError(what)

    def _check_schema(self) -> None:
        if self.schema_dtype and self.schema_dtype not in ITEM_BYTES:
            raise ShapeError("schema dtype code %d" % self.schema_dtype)
        if self.schema_ndim != L.ANY_NDIM:
            if self.schema_ndim > L.MAX_DIMS:
                raise ShapeError("schema of %d dimensions, at most %d" % (self.schema_ndim, L.MAX_DIMS))
            if not self.schema_dtype:
                raise ShapeError("schema has a shape but no dtype")
            for n in self.schema_shape:
                if n >> 64:
                    raise ShapeError("schema with extent %d" % n)

    def admit(self, dtype: int, shape: Tuple[int, ...]) -> None:
        """Raises ShapeError unless the schema admits such an array."""
        if self.schema_dtype and self.schema_dtype != dtype:
            raise DTypeError("dtype %s, the ring is declared %s" % (L.DTYPES[dtype].name, L.DTYPES[self.schema_dtype].name))
        if self.schema_ndim == L.ANY_NDIM:
            return
        declared = self.schema_shape[:self.schema_ndim]
        if len(shape) != len(declared) or any(d not in (L.ANY_DIM, n) for d, n in zip(declared, shape)):
            raise ShapeError("shape %s, the ring is declared %s" % (shape, tuple(None if d == L.ANY_DIM else d for d in declared)))

    def encode(self) -> bytearray:
        """The region without its ready word."""
        b = bytearray(L.IDENTITY_BYTES)
        struct.pack_into("<QI", b, L.ID_MAGIC, L.SEGMENT_MAGIC, L.ENDIAN_PROBE)
        for name, off, code in _FIELDS:
            struct.pack_into("<" + code, b, off, getattr(self, name))
        struct.pack_into("<8Q", b, L.ID_SCHEMA_SHAPE, *self.schema_shape)
        b[L.ID_NAME:L.ID_NAME + L.MAX_NAME_BYTES] = name_field(self.name)
        b[L.ID_CREATOR_EXE:L.ID_CREATOR_EXE + L.MAX_NAME_BYTES] = name_field(self.creator_exe)
        struct.pack_into("<I", b, L.ID_META_BYTES, len(self.meta))
        b[L.ID_META:L.ID_META + len(self.meta)] = self.meta
        struct.pack_into("<Q", b, L.ID_CRC, zlib.crc32(b[:L.ID_CRC]))
        return b


def check_magic(b: bytes, magic: int, what: str) -> None:
    """Tells a foreign file from one of the other byte order."""
    got = int.from_bytes(b[:8], "little")
    if got == magic:
        return
    if int.from_bytes(b[:8], "big") == magic:
        raise EndianError("%s: magic %#x is in another byte order" % (what, got))
    raise MagicError("%s: magic %#x, want %#x" % (what, got, magic))


def decode_identity(b: bytes) -> Identity:
    """Reads and checks an identity region. b is a copy of the start of a segment."""
    if len(b) < L.IDENTITY_BYTES:
        raise TruncatedError("segment has %d bytes, its header alone needs %d" % (len(b), L.IDENTITY_BYTES))
    check_magic(b, L.SEGMENT_MAGIC, "segment")
    probe, = struct.unpack_from("<I", b, L.ID_ENDIAN)
    if probe != L.ENDIAN_PROBE:
        raise EndianError("segment: byte order probe %#x" % probe)
    fields: Dict[str, Any] = {name: struct.unpack_from("<" + code, b, off)[0] for name, off, code in _FIELDS}
    if fields["major"] != L.VERSION_MAJOR:
        return Identity(major=fields["major"], minor=fields["minor"]).check()
    ready, = struct.unpack_from("<Q", b, L.ID_READY)
    if ready != L.READY_WORD:
        raise NotReadyError("ready word is %#x, its creator may have died early" % ready)
    stored, = struct.unpack_from("<Q", b, L.ID_CRC)
    if stored != zlib.crc32(b[:L.ID_CRC]):
        raise ChecksumError("identity has CRC %#x, its bytes give %#x" % (stored, zlib.crc32(b[:L.ID_CRC])))
    identity = Identity(
        schema_shape=struct.unpack_from("<8Q", b, L.ID_SCHEMA_SHAPE),
        name=field_name(b[L.ID_NAME:L.ID_NAME + L.MAX_NAME_BYTES]),
        creator_exe=field_name(b[L.ID_CREATOR_EXE:L.ID_CREATOR_EXE + L.MAX_NAME_BYTES]), **fields)
    identity.check_head()
    meta, = struct.unpack_from("<I", b, L.ID_META_BYTES)
    if meta > L.MAX_META_BYTES:
        raise GeometryError("metadata of %d bytes, at most %d" % (meta, L.MAX_META_BYTES))
    identity.meta = bytes(b[L.ID_META:L.ID_META + meta])
    return identity.check()
