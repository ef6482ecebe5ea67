"""Zero-copy streams of N-dimensional arrays between processes on Linux.

    import ndring

    with ndring.Consumer("x") as frames:
        for frame in frames:
            print(frame.number, frame.array.mean())

A Consumer is a lossless reader whose frames are views of the ring itself. An Observer
is a lossy one that nobody waits for, and open_dead looks into a ring whose writer is
gone. A Producer is a whole writer. A Remote is a client of the TCP bridge.
"""

try:
    import numpy as _numpy  # noqa: F401
except ModuleNotFoundError as e:
    raise ImportError("ndring needs NumPy: apt-get install python3-numpy, or pip install numpy") from e

from . import errors
from ._waiting import Opening
from .consumer import Batches, Consumer
from .errors import *  # noqa: F401,F403
from .frame import Batch, Frame, Run
from .header import Header
from .identity import Identity
from .observer import DeadRing, ObservedFrame, Observer, open_dead
from .producer import DEFAULT_CAPACITY, Claim, Group, Producer
from .remote import Remote, Result

__all__ = [
    "DEFAULT_CAPACITY", "Batch", "Batches", "Claim", "Consumer", "DeadRing", "Frame", "Group", "Header", "Identity",
    "ObservedFrame", "Observer", "Opening", "Producer", "Remote", "Result", "Run", "errors", "open_dead",
]
__all__ += errors.__all__

__version__ = "1.0.0"
