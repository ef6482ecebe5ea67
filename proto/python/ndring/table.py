"""The reader table: a head, then one slot of 512 bytes for each reader."""

import struct
from typing import NamedTuple

from . import _layout as L
from . import _order
from .errors import GeometryError, TruncatedError, VersionError
from .identity import check_magic, field_name, name_field, table_bytes

_HEAD = struct.Struct("<QHHI16sQ")
_SLOT = struct.Struct("<QIIIIQQ24x64s")


class TableHead(NamedTuple):
    """The fixed part of a reader table."""

    major: int
    minor: int
    slots: int
    ring_id: bytes
    epoch: int

    def encode(self) -> bytes:
        """The head without its parked words."""
        return _HEAD.pack(L.TABLE_MAGIC, *self)


def decode_table_head(b: bytes, size: int) -> TableHead:
    """Reads and checks the head of a table of size bytes."""
    if size < L.TABLE_HEAD_BYTES:
        raise TruncatedError("reader table has %d bytes, its head needs %d" % (size, L.TABLE_HEAD_BYTES))
    check_magic(b, L.TABLE_MAGIC, "reader table")
    t = TableHead(*_HEAD.unpack_from(b)[1:])
    if t.major != L.VERSION_MAJOR:
        raise VersionError("reader table has version %d.%d, this program speaks %d.%d" % (
            t.major, t.minor, L.VERSION_MAJOR, L.VERSION_MINOR))
    if not 1 <= t.slots <= L.MAX_READER_SLOTS:
        raise GeometryError("reader table of %d slots, from 1 to %d" % (t.slots, L.MAX_READER_SLOTS))
    if size < table_bytes(t.slots):
        raise TruncatedError("reader table has %d bytes, %d slots need %d" % (size, t.slots, table_bytes(t.slots)))
    return t


class SlotInfo(NamedTuple):
    """The writer's half of a slot."""

    state: int
    generation: int
    pid: int
    wake: int
    keep_ms: int
    evict_ms: int
    start: int
    attached_ns: int
    name: str

    @property
    def state_word(self) -> int:
        """State and generation as one word."""
        return self.generation << 32 | self.state

    def encode(self) -> bytes:
        """The writer's half; its first word, the state, is to be stored last."""
        return _SLOT.pack(
            self.state_word, self.pid, self.wake, self.keep_ms, self.evict_ms, self.start, self.attached_ns,
            name_field(self.name))


def decode_slot(b: bytes) -> SlotInfo:
    """Reads the writer's half of a slot. State and wake mode are the low bytes of
    their fields."""
    word, pid, wake, keep, evict, start, attached, name = _SLOT.unpack_from(b)
    return SlotInfo(word & 0xff, word >> 32, pid, wake & 0xff, keep, evict, start, attached, field_name(name))


def slot_offset(i: int) -> int:
    """Where slot i starts."""
    return L.TABLE_HEAD_BYTES + i * L.SLOT_BYTES


class Table:
    """A reader table in memory."""

    def __init__(self, buffer: "object", head: TableHead) -> None:
        self.head = head
        self.buffer = buffer
        self.bytes = memoryview(buffer)  # type: ignore[arg-type]
        self.words = self.bytes[:len(self.bytes) & ~7].cast("Q")

    def index(self, slot: int, field: int) -> int:
        """Index of a word of a slot."""
        return (slot_offset(slot) + field) >> 3

    def slot(self, i: int) -> SlotInfo:
        """The writer's half of a slot."""
        at = slot_offset(i)
        return decode_slot(bytes(self.bytes[at:at + L.SL_CURSOR]))

    def describe(self, i: int, info: SlotInfo) -> None:
        """Stores the writer's half of a slot, the state last."""
        at, raw = slot_offset(i), info.encode()
        self.bytes[at + 8:at + len(raw)] = raw[8:]
        _order.store_release(self.words, at >> 3, info.state_word)
