"""Element types: the codes of the contract and NumPy's dtypes. Elements are
little-endian; complex numbers are two floats; a bool is one byte."""

from typing import TYPE_CHECKING, Any, Dict

import numpy as np

from ._layout import DTYPES
from .errors import DTypeError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    Array = np.ndarray[Any, np.dtype[Any]]
    DType = np.dtype[Any]
else:
    Array, DType, DTypeLike = np.ndarray, np.dtype, Any

#: NumPy's dtype for each code.
NUMPY: Dict[int, DType] = {code: np.dtype(t.descr) for code, t in DTYPES.items()}

#: Bytes of an element for each code.
ITEM_BYTES: Dict[int, int] = {code: t.size for code, t in DTYPES.items()}

_CODES = {dt: code for code, dt in NUMPY.items()}
_NAMES = {t.name: code for code, t in DTYPES.items()}


def code_of(dtype: DTypeLike) -> int:
    """The code of a NumPy dtype, or of anything numpy.dtype() takes. A name of the
    contract such as "f64" works too; where "i8" could be both, it is NumPy's, eight
    bytes. Raises DTypeError for other types and for big-endian ones.
    """
    try:
        dt = np.dtype(dtype)
    except (TypeError, ValueError):
        code = _NAMES.get(dtype) if isinstance(dtype, str) else None
        if code is None:
            raise DTypeError("dtype %r is no element type; use one of %s" % (dtype, " ".join(_NAMES))) from None
        return code
    code = _CODES.get(dt)
    if code is None:
        raise DTypeError("dtype %s cannot stand in a ring%s" % (dt, _advice(dt)))
    return code


def _advice(dt: DType) -> str:
    """What to do about a dtype that is none of the contract's."""
    if dt.names is not None:
        return "; claim one frame for each field, or the bytes as 'u1'"
    if dt.subdtype is not None:
        return "; give its extents as part of the shape"
    if _CODES.get(dt.newbyteorder("<")) is not None:
        return "; elements are little-endian, swap them first"
    if dt.kind in "mM":
        return "; view it as 'i8'"
    if dt.kind == "f":
        return "; use 'f8', or 'f2' for half precision"
    if dt.kind == "V" and dt.itemsize == 2:
        return "; view it as 'u2'"
    return "; use one of %s" % " ".join(_NAMES)
