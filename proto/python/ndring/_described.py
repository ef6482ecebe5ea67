"""What a producer's caller describes, checked: a ring, or a frame of one."""

import json
import os
import sys
from typing import Any, Dict, Optional, Sequence, Tuple, Union

import numpy as np

from . import _layout as L
from ._arguments import choice, whole
from ._store import now_ns
from .dtype import DTypeLike, code_of
from .errors import FrameTooLargeError, GeometryError, HeaderError, ShapeError
from .header import Header
from .identity import Identity

_POLICIES = {"block": L.POLICY_BLOCK, "drop": L.POLICY_DROP_NEWEST}
#: What an extension can carry: the flag that says so, and the bits there are for it.
_EXTRA = {
    "time_ns": (L.EXT_TIME, 64), "stream": (L.EXT_STREAM, 64), "sequence": (L.EXT_STREAM, 32), "role": (0, 8),
    "source": (L.EXT_SOURCE, 64), "source_id": (L.EXT_SOURCE, 64),
}

Shape = Union[int, Sequence[int]]


def head_of(identity: Identity, shape: Shape, dtype: DTypeLike, strides: Optional[Sequence[int]], extra: Dict[str, Any]) -> Header:
    """A header for a frame, from the arguments of claim."""
    dims = _extents("shape", shape, alone=True)
    head = Header(kind=_check_kind(extra.pop("kind", L.KIND_DATA)), dtype=code_of(dtype), shape=dims)
    if strides is not None:
        head.strides = _extents("strides", strides)
        head.ext_flags |= L.EXT_STRIDES
        if len(head.strides) != len(dims):
            raise ShapeError("%d strides for %d dimensions" % (len(head.strides), len(dims)))
    for name, (flag, bits) in _EXTRA.items():
        if name in extra:
            value = whole(name, extra.pop(name))
            if value >> bits:
                raise HeaderError("%s %d does not fit %d bits" % (name, value, bits))
            setattr(head, name, value)
            head.ext_flags |= flag
    if extra:
        raise TypeError("unknown arguments: %s" % ", ".join(sorted(extra)))
    head.complete()
    if head.kind == L.KIND_DATA:
        identity.admit(head.dtype, head.shape)
    if head.payload_len > identity.frame_limit:
        raise FrameTooLargeError("payload of %d bytes, the ring's frame limit is %d; create it with a larger capacity or frame limit" % (
            head.payload_len, identity.frame_limit))
    return head


def _check_kind(kind: Any) -> int:
    """Returns a kind that a caller may give a frame."""
    kind = whole("kind", kind)
    if kind in (L.KIND_DATA, L.KIND_STREAM_END) or L.KIND_SKIPPABLE <= kind <= L.KIND_MASK:
        return int(kind)
    raise HeaderError("frame of kind %d" % kind)


def _extents(name: str, value: Any, alone: bool = False) -> Tuple[int, ...]:
    """Whole numbers, one for each dimension; if alone is set, a single one, too."""
    if alone and hasattr(value, "__index__") and not isinstance(value, np.ndarray):
        return (whole(name, value),)
    if isinstance(value, (set, frozenset, dict)):
        raise TypeError("%s %r; use a sequence, which has an order" % (name, value))
    try:
        return tuple(whole(name, n) for n in value)
    except TypeError:
        raise TypeError("%s %r; use whole numbers, one for each dimension" % (name, value)) from None


def identity_of(ring: str, capacity: int, frame_limit: Optional[int], dtype: DTypeLike, shape: Optional[Sequence[Optional[int]]],
                meta: Any, policy: str, slots: int, start: int) -> Identity:
    """A new ring's identity, from the arguments of Producer."""
    code = choice("policy", policy, _POLICIES)
    if not isinstance(meta, (bytes, bytearray)):
        meta = (meta if isinstance(meta, str) else json.dumps(meta)).encode()
    size = whole("capacity", capacity)
    if size < 1:
        raise GeometryError("capacity %d; use a number of bytes, %d at least" % (size, L.MIN_CAPACITY_BYTES))
    size = max(L.MIN_CAPACITY_BYTES, 1 << (size - 1).bit_length())
    fields: Dict[str, Any] = {}
    if frame_limit is not None:
        fields["frame_limit"] = whole("frame_limit", frame_limit)
    if dtype is not None:
        fields["schema_dtype"] = code_of(dtype)
    if shape is not None:
        if not isinstance(shape, (list, tuple)):
            raise TypeError("shape %r; use a tuple, with None for any extent" % (shape,))
        dims = [L.ANY_DIM if n is None else whole("shape", n) for n in shape]
        fields["schema_ndim"] = len(dims)
        fields["schema_shape"] = tuple(dims) + (0,) * (L.MAX_DIMS - len(dims))
    return Identity(
        name=ring, capacity=size, ring_id=os.urandom(16), created_ns=now_ns(), creator_pid=os.getpid(),
        creator_uid=os.geteuid(), creator_exe=os.path.basename(sys.argv[0] or "python")[:L.MAX_NAME_BYTES],
        policy=code, slots=whole("slots", slots), start=whole("start", start), meta=bytes(meta), **fields).check()
