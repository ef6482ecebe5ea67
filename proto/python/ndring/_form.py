"""Frames like one that passed every check: what they have in common is checked once.

A frame is like another if its description word is the same, and, behind an extension's
varying words, its shape and strides. Only where it ends is looked at each time.
"""

import struct
from typing import Dict, Optional, Tuple

import numpy as np

from . import _layout as L
from .dtype import NUMPY, Array
from .frame import Frame, Lease, desc_of, view
from .header import Header
from .segment import Segment

_VARYING = struct.Struct("<4xIQQQQ")  # sequence, time, stream, source and its id
_MOST = 64  # of forms that are remembered
_TAIL = L.FR_SHAPE - L.BASE_BYTES  # where an extension's shape begins


class Form:
    """What frames have in common. fixed and tail are None and empty without an
    extension: its first four bytes, and its shape and strides."""

    __slots__ = ("header", "size", "lead", "fixed", "tail_end", "tail")

    def __init__(self, header: Header, extension: bytes) -> None:
        self.header = header
        self.size = header.frame_bytes
        self.lead = header.head_bytes
        self.fixed: Optional[int] = int.from_bytes(extension[:4], "little") if extension else None
        self.tail = extension[_TAIL:]
        self.tail_end = L.FR_SHAPE + len(self.tail)

    def header_of(self, number: int, varying: bytes) -> Header:
        """The header of a frame of this form."""
        h = Header()
        for name in Header.__slots__:
            setattr(h, name, getattr(self.header, name))
        h.number = number
        h.sequence, h.time_ns, h.stream, h.source, h.source_id = _VARYING.unpack(varying)
        return h


class Forms(Dict[int, Form]):
    """Forms by description word."""

    def learn(self, s: Segment, position: int, header: Header) -> None:
        """Remembers the form of a data frame that passed every check."""
        extension = b""
        if header.extended:
            at = s.data_off + (position & s.mask) + L.BASE_BYTES
            extension = bytes(s.bytes[at:at + header.ext_bytes])
            if Header(ndim=header.ndim, ext_flags=extension[2]).ext_bytes != len(extension):
                return  # it changed meanwhile
        if len(self) >= _MOST:
            self.clear()
        self[desc_of(header)] = Form(header, extension)


class Extended(Frame):
    """A frame with an extension, of a form that was checked."""

    __slots__ = ("_form", "_varying")

    def __init__(self, source: Lease, ticket: int, segment: Segment, position: int, end: int, number: int, desc: int,
                 form: Form, varying: bytes) -> None:
        super().__init__(source, ticket, segment, position, end, number, desc)
        self._form = form
        self._varying = varying

    @property
    def header(self) -> Header:
        if self._head is None:
            self._head = self._form.header_of(self.number, self._varying)
        return self._head

    @property
    def shape(self) -> Tuple[int, ...]:
        return self._form.header.shape

    def _lead(self) -> int:
        return self._form.lead

    def _view(self) -> Array:
        s, h = self._segment, self._form.header
        try:
            return np.ndarray(h.shape, NUMPY[h.dtype], s.buffer, s.data_off + (self.position & s.mask) + self._form.lead, h.strides)
        except (ValueError, OverflowError):
            return view(h.shape, NUMPY[h.dtype], s.buffer, 0, h.strides)  # says why
