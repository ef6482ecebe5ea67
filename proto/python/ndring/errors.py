"""Errors. ErrNoRing of the Go packages is NoRingError here: one name for one cause.

Whatever this package raises about a ring is a NdringError. A wait that runs out of
time is Python's own TimeoutError.
"""

from . import _layout as L

__all__ = [
    "NdringError", "ContractError", "MagicError", "EndianError", "VersionError", "FeatureError",
    "NotReadyError", "ChecksumError", "TruncatedError", "GeometryError", "HeaderError", "MessageError",
    "ChunkError", "InvalidNameError", "ShapeError", "DTypeError", "ClaimOpenError", "FrameTooLargeError",
    "DroppedError", "FinishedError", "CorruptError", "KindError", "EvictedError", "SlotError",
    "ReleasedError", "ClosedError", "EndOfRing", "NoRingError", "WriterAliveError", "WriterLostError",
    "RefusedError", "NameInUseError", "DeniedError", "TableFullError", "NoPositionError", "DirError",
    "FileError", "NoSpaceError", "MismatchError", "PlatformError", "HandshakeError",
]


class NdringError(Exception):
    """Base of all errors about rings."""


# Of the contract: bytes that are not what they must be.


class ContractError(NdringError, ValueError):
    """Bytes or arguments that break the contract; the subclass says how."""


class MagicError(ContractError):
    """The bytes are not the structure asked for at all."""


class EndianError(ContractError):
    """Written in another byte order than this machine's."""


class VersionError(ContractError):
    """The major version differs."""


class FeatureError(ContractError):
    """A required feature is not known here."""


class NotReadyError(ContractError):
    """The segment was never completed by its creator."""


class ChecksumError(ContractError):
    """A stored CRC does not match the bytes."""


class TruncatedError(ContractError):
    """Fewer bytes are there than the structure needs."""


class GeometryError(ContractError):
    """Sizes, offsets or counts contradict each other or their bounds."""


class HeaderError(ContractError):
    """A frame header is malformed."""


class MessageError(ContractError):
    """A packet of the control socket is malformed."""


class ChunkError(ContractError):
    """A TCP chunk breaks a rule of the bridge's protocol."""


class InvalidNameError(ContractError):
    """A ring or reader name is not usable."""


class ShapeError(ContractError):
    """Dimensions, strides and dtype do not describe an array inside its payload,
    or not one that the ring was declared for."""


class DTypeError(ShapeError):
    """An element type that is none of the contract's, or not the ring's."""


# Of the ring.


class ClaimOpenError(NdringError):
    """A claim is open already: commit or abort it first."""


class FrameTooLargeError(NdringError):
    """The frame is larger than the ring's frame limit."""


class DroppedError(NdringError):
    """The ring is full and its policy drops the new frame. It was counted."""


class FinishedError(NdringError):
    """The ring has ended."""


class CorruptError(NdringError):
    """The bytes of the ring break the layout."""


class KindError(NdringError):
    """A frame is of a kind that is not known here and must not be skipped."""


class EvictedError(NdringError):
    """The writer stopped waiting for this reader: what it looked at may have been
    overwritten."""


class SlotError(NdringError):
    """A reader slot, or its generation, is not the caller's."""


class ReleasedError(NdringError):
    """The frame was released: its array belongs to the writer again."""


class ClosedError(NdringError, ValueError):
    """The consumer, observer, producer or remote client was closed."""


class EndOfRing(NdringError, EOFError):
    """The writer ended the ring and every frame was delivered."""


# Of the control plane.


class NoRingError(NdringError):
    """Nobody serves a ring of that name."""


class WriterAliveError(NdringError):
    """Another process writes the ring; pid says which, 0 if it is not known."""

    pid: int

    def __init__(self, sentence: str, pid: int = 0) -> None:
        super().__init__(sentence)
        self.pid = pid


class WriterLostError(NdringError):
    """The writer went away without ending the ring, and no other took it up in
    time. Every committed frame was delivered before."""


class RefusedError(NdringError):
    """The writer of ring does not accept this client: code and sentence say why."""

    sentence: str
    code: int
    position: int
    ring: str

    def __init__(self, sentence: str, code: int = L.CODE_NONE, position: int = 0, ring: str = "") -> None:
        super().__init__(sentence, code, position, ring)
        self.sentence = sentence
        self.code = code
        self.position = position
        self.ring = ring

    def __str__(self) -> str:
        return "%s%s (code %d)" % ("ring %r: " % self.ring if self.ring else "", self.sentence, self.code)


class NameInUseError(RefusedError):
    """A live reader has this name."""


class DeniedError(RefusedError):
    """The ring is another user's, or does not serve this sort of reader."""


class TableFullError(RefusedError):
    """No reader slot is free."""


class NoPositionError(RefusedError):
    """No frame in the ring starts at the position asked for."""


class DirError(NdringError):
    """The ring directory cannot be trusted or used."""


class FileError(NdringError):
    """A file of the ring is not a regular file of this user, closed to others."""


class NoSpaceError(NdringError):
    """There is not enough memory for the ring."""


class MismatchError(NdringError):
    """A left-over ring with frames in it differs from the one asked for."""


class PlatformError(NdringError):
    """This machine lacks something that is needed."""


class HandshakeError(NdringError):
    """The peer broke the protocol of the control socket."""


def refusal(sentence: str, code: int, position: int, ring: str) -> RefusedError:
    """The error for a refusal of that code by the ring's writer."""
    kind = {
        L.CODE_TABLE_FULL: TableFullError, L.CODE_POSITION: NoPositionError, L.CODE_NAME_IN_USE: NameInUseError,
        L.CODE_DENIED: DeniedError,
    }.get(code, RefusedError)
    return kind(sentence, code, position, ring)
