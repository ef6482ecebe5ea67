"""Element types: the codes of the contract and NumPy's dtypes. Elements are
little-endian; complex numbers are two floats; a bool is one byte."""

from typing import Any, Dict

import numpy as np

from ._layout import DTYPES
from .errors import DTypeError

#: NumPy's dtype for each code.
NUMPY: Dict[int, np.dtype] = {code: np.dtype(t.descr) for code, t in DTYPES.items()}

#: Bytes of an element for each code.
ITEM_BYTES: Dict[int, int] = {code: t.size for code, t in DTYPES.items()}

_CODES = {dt: code for code, dt in NUMPY.items()}
_NAMES = {t.name: code for code, t in DTYPES.items()}


def code_of(dtype: Any) -> int:
    """The code of a NumPy dtype, or of anything numpy.dtype() takes. A name of the
    contract such as "f64" works too; where "i8" could be both, it is NumPy's, eight
    bytes. Raises DTypeError for other types and for big-endian ones.
    """
    try:
        dt = np.dtype(dtype)
    except TypeError:
        code = _NAMES.get(dtype) if isinstance(dtype, str) else None
        if code is None:
            raise DTypeError("dtype %r is no element type; use one of %s" % (dtype, " ".join(_NAMES))) from None
        return code
    code = _CODES.get(dt)
    if code is None:
        hint = "; elements are little-endian, swap them first" if dt.byteorder == ">" else ""
        raise DTypeError("dtype %s cannot stand in a ring%s" % (dt.str, hint))
    return code
