#!/usr/bin/env python3
"""Write the .npy vectors of this directory and index.txt with what they hold.

A line of index.txt: file, dtype, shape (comma-separated, "-" without
dimensions), elements in C order as little-endian hex ("-" when there are none).
Needs NumPy. Run it in this directory.
"""
import struct

import numpy as np
from numpy.lib import format as npy

DTYPES = {
    "f64": "f8", "f32": "f4", "f16": "f2", "i8": "i1", "i16": "i2", "i32": "i4", "i64": "i8",
    "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "bool": "?", "c64": "c8", "c128": "c16",
}
index = []


def values(name, shape):
    n = int(np.prod(shape, dtype=int))
    i = np.arange(n)
    kind = DTYPES[name][0]
    if kind == "?":
        v = i % 3 == 0
    elif kind == "c":
        v = (i + 1) / 4 - 1j * i
    elif kind == "f":
        v = (i - 2) / 4
    elif kind == "i":
        v = (i - 2) * (-3 if n < 40 else 1)
    else:
        v = i * 5
    return v.astype("<" + DTYPES[name] if kind != "?" else "?").reshape(shape)


def put(file, name, array, version=(1, 0)):
    with open(file + ".npy", "wb") as f:
        npy.write_array(f, array, version=version)
    note(file, name, array)


def note(file, name, array):
    little = array.astype(array.dtype.newbyteorder("<"))
    shape = ",".join(map(str, array.shape)) or "-"
    index.append(f"{file}.npy {name} {shape} {little.tobytes(order='C').hex() or '-'}")


def raw(file, name, array, text, major=1):
    text = text.encode()
    length = struct.pack("<H" if major == 1 else "<I", len(text))
    with open(file + ".npy", "wb") as f:
        f.write(b"\x93NUMPY" + bytes([major, 0]) + length + text + array.tobytes())
    note(file, name, array)


for name in DTYPES:
    put(f"{name}-c", name, values(name, (2, 3)))
    put(f"{name}-fortran", name, np.asfortranarray(values(name, (3, 2))))
    big = values(name, (2, 2))
    put(f"{name}-big", name, big.astype(big.dtype.newbyteorder(">")))

for ndim in range(9):
    put(f"ndim{ndim}", "i16", values("i16", (2, 1, 3, 1, 2, 1, 1, 2)[:ndim]))
put("ndim8-fortran", "u8", np.asfortranarray(values("u8", (2, 1, 3, 1, 2, 1, 1, 2))))
put("big-fortran", "f32", np.asfortranarray(values("f32", (2, 3, 2)).astype(">f4")))
put("zero", "f64", values("f64", (0,)))
put("zero-inside", "c128", values("c128", (2, 0, 3)))
put("zero-fortran", "f32", np.asfortranarray(values("f32", (0, 3))))
put("long-first", "u8", values("u8", (12345, 0, 2)))
put("version2", "f32", values("f32", (3, 2)), (2, 0))
put("version3", "f32", values("f32", (3, 2)), (3, 0))
special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308])
put("special", "f64", special)

a = values("i32", (2, 2))
raw("any-order", "i32", a, '{"shape":(2,2),"fortran_order":False,"descr":"<i4"}')
raw("python2", "i32", a, "{'descr': '<i4', 'fortran_order': False, 'shape': (2L, 2L), }\n")
raw("blanks", "i32", a, "\n {\t'descr' : '<i4' ,\r\n'shape' : ( 2 , 2 , ) , 'fortran_order' : False } \n\n", 2)
raw("unaligned", "i32", a, "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2)}", 3)

with open("index.txt", "w") as f:
    f.write("\n".join(sorted(index)) + "\n")
