"""Packets of the control socket."""

import struct
from typing import NamedTuple, Union

from . import _layout as L
from .errors import MessageError, VersionError
from .identity import check_name, field_name, name_field

_NOTE = struct.Struct("<HHIQ")
_HELLO = struct.Struct("<HHHHQ16sBBBBIIIII8x64s")
_WELCOME = struct.Struct("<HHHHQ16sQIIIIQQQ48x")
_SIZES = {
    L.MSG_HELLO: L.HELLO_BYTES, L.MSG_WELCOME: L.WELCOME_BYTES, L.MSG_REFUSAL: L.REFUSAL_BYTES,
    **{t: L.NOTE_BYTES for t in range(L.MSG_PUBLISHED, L.MSG_GOODBYE + 1)},
}


class Note(NamedTuple):
    """Any message of 16 bytes."""

    type: int
    code: int
    position: int

    def encode(self) -> bytes:
        return _NOTE.pack(self.type, L.NOTE_BYTES, self.code, self.position)


class Refusal(NamedTuple):
    """A hello that is not accepted."""

    code: int
    position: int
    sentence: str

    def encode(self) -> bytes:
        text = self.sentence.encode()[:L.SENTENCE_MAX].ljust(L.SENTENCE_MAX, b"\0")
        return _NOTE.pack(L.MSG_REFUSAL, L.REFUSAL_BYTES, self.code, self.position) + text


class Hello(NamedTuple):
    """Opens a connection."""

    major: int = L.VERSION_MAJOR
    minor: int = L.VERSION_MINOR
    position: int = 0
    ring_id: bytes = bytes(16)
    role: int = L.ROLE_READER
    wake: int = L.WAKE_STREAM
    start: int = L.START_OLDEST
    flags: int = 0
    slot: int = 0
    generation: int = 0
    pid: int = 0
    keep_ms: int = 0
    evict_ms: int = 0
    name: str = ""

    def encode(self) -> bytes:
        return _HELLO.pack(L.MSG_HELLO, L.HELLO_BYTES, *self[:-1], name_field(self.name))


class Welcome(NamedTuple):
    """Answers a hello that is accepted."""

    major: int
    minor: int
    start: int
    ring_id: bytes
    epoch: int
    slot: int
    generation: int
    flags: int
    descriptors: int
    oldest: int
    tail: int
    table_bytes: int

    def encode(self) -> bytes:
        return _WELCOME.pack(L.MSG_WELCOME, L.WELCOME_BYTES, *self)


def type_of(b: bytes) -> int:
    """The type of a packet whose length is right. Raises MessageError."""
    if len(b) < L.NOTE_BYTES:
        raise MessageError("message of %d bytes, at least %d" % (len(b), L.NOTE_BYTES))
    kind, stated = struct.unpack_from("<HH", b)
    want = _SIZES.get(kind)
    if want is None:
        raise MessageError("message type %d is unknown" % kind)
    if stated != want or len(b) != want:
        raise MessageError("message type %d of %d bytes states %d, want %d" % (kind, len(b), stated, want))
    return kind


def decode_note(b: bytes) -> Note:
    """Reads a note."""
    kind, _, code, position = _NOTE.unpack_from(b) if len(b) == L.NOTE_BYTES else (0, 0, 0, 0)
    if type_of(b) < L.MSG_PUBLISHED:
        raise MessageError("message type %d is not expected here" % kind)
    return Note(kind, code, position)


def decode_refusal(b: bytes) -> Refusal:
    """Reads a refusal."""
    _expect(b, L.MSG_REFUSAL)
    _, _, code, position = _NOTE.unpack_from(b)
    return Refusal(code, position, b[L.RF_SENTENCE:].split(b"\0", 1)[0].decode("utf-8", "replace"))


def decode_hello(b: bytes) -> Hello:
    """Reads and checks a hello. Raises VersionError, InvalidNameError or
    MessageError."""
    _expect(b, L.MSG_HELLO)
    fields = _HELLO.unpack(b)[2:]
    h = Hello(*fields[:-1], field_name(fields[-1]))
    if h.major != L.VERSION_MAJOR:
        raise VersionError("client speaks version %d.%d, this ring %d.%d" % (h.major, h.minor, L.VERSION_MAJOR, L.VERSION_MINOR))
    if h.role not in (L.ROLE_READER, L.ROLE_OBSERVER):
        raise MessageError("role %d is unknown" % h.role)
    if h.wake not in (L.WAKE_PARK, L.WAKE_STREAM):
        raise MessageError("wake mode %d is unknown" % h.wake)
    if h.role == L.ROLE_OBSERVER and h.wake != L.WAKE_STREAM:
        raise MessageError("an observer cannot park, it maps everything read-only")
    if not L.START_OLDEST <= h.start <= L.START_POSITION:
        raise MessageError("start %d is unknown" % h.start)
    if h.flags & ~(L.HELLO_ASYMMETRIC | L.HELLO_RECONNECT | L.HELLO_BARRIER):
        raise MessageError("unknown flags %#x" % h.flags)
    if h.name:
        check_name(h.name)
    return h


def decode_welcome(b: bytes) -> Welcome:
    """Reads a welcome. Raises VersionError or MessageError."""
    _expect(b, L.MSG_WELCOME)
    w = Welcome(*_WELCOME.unpack(b)[2:])
    if w.major != L.VERSION_MAJOR:
        raise VersionError("ring speaks version %d.%d, this program %d.%d" % (w.major, w.minor, L.VERSION_MAJOR, L.VERSION_MINOR))
    return w


def decode(b: bytes) -> Union[Note, Hello, Welcome, Refusal]:
    """Reads any message."""
    kind = type_of(b)
    return {L.MSG_HELLO: decode_hello, L.MSG_WELCOME: decode_welcome, L.MSG_REFUSAL: decode_refusal}.get(kind, decode_note)(b)


def _expect(b: bytes, want: int) -> None:
    kind = type_of(b)
    if kind != want:
        raise MessageError("message type %d, want %d" % (kind, want))
