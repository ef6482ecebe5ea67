"""producer.py RING [--option value]...: writes frames whose payload follows a pattern.

  --until N         ends the ring when it has N frames, earlier writers' included
  --dtype f64       f64 f32 f16 i8..i64 u8..u64 bool c64 c128
  --shape 4x3       extents, or scalar
  --order c         or f: strides of the array with its axes in the other order
  --capacity BYTES  of the ring
  --pause-ms N      between frames
  --close-ms N      how long to wait for readers at the end; negative: for ever
  --kill-at N       dies by SIGKILL with frame N half written
  --dir PATH        ring directory
"""

import argparse
import math
import os
import signal
import sys
import time

import numpy as np

import ndring
from ndring._layout import DTYPES


def pattern(n: int, size: int) -> np.ndarray:
    """What the payload of frame n holds."""
    i = np.arange(size, dtype=np.uint64)
    return (np.uint64(n * 131 & 0xff) + i * np.uint64(7) + (i >> np.uint64(8)) * np.uint64(13)).astype(np.uint8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ring")
    parser.add_argument("--until", type=int, default=1000)
    parser.add_argument("--dtype", default="f64")
    parser.add_argument("--shape", default="5")
    parser.add_argument("--order", default="c", choices="cf")
    parser.add_argument("--capacity", type=int, default=ndring.DEFAULT_CAPACITY)
    parser.add_argument("--pause-ms", type=float, default=0)
    parser.add_argument("--close-ms", type=float, default=-1)
    parser.add_argument("--kill-at", type=int, default=-1)
    parser.add_argument("--dir")
    o = parser.parse_args()

    dtype = next(np.dtype(t.descr) for t in DTYPES.values() if t.name == o.dtype)
    shape = () if o.shape == "scalar" else tuple(int(n) for n in o.shape.split("x"))
    strides = None
    if o.order == "f":
        strides = tuple(dtype.itemsize * math.prod(max(1, n) for n in shape[:i]) for i in range(len(shape)))

    producer = ndring.Producer(o.ring, dir=o.dir, capacity=o.capacity)
    while producer.number < o.until:
        claim = producer.claim(shape, dtype, strides=strides)
        payload = claim.payload
        if claim.number == o.kill_at:
            half = payload.size // 2
            payload[:half] = pattern(claim.number, half)
            os.kill(os.getpid(), signal.SIGKILL)
        payload[:] = pattern(claim.number, payload.size)
        claim.commit()
        if o.pause_ms:
            time.sleep(o.pause_ms / 1000)
    producer.close(None if o.close_ms < 0 else o.close_ms / 1000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
