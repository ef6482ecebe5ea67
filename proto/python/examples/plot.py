"""plot.py RING: plots the newest frame of a ring, live, with matplotlib. It observes:
the writer never waits for the picture."""

import sys
import time
from typing import Any, Optional, Tuple

import numpy as np

import ndring


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: plot.py RING", file=sys.stderr)
        return 2
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print("plot.py: matplotlib is missing: apt-get install python3-matplotlib, or pip install matplotlib", file=sys.stderr)
        return 1
    try:
        plot(plt, sys.argv[1])
    except ndring.NdringError as e:
        print("plot.py: %s" % e, file=sys.stderr)
        return 1
    plt.show()
    return 0


def plot(plt: Any, ring: str) -> None:
    """Draws until the ring ends or the window is closed."""
    figure, axes = plt.subplots()
    line, = axes.plot([])
    with ndring.Observer(ring, start="latest", on_wait=lambda ring: print("waiting for ring", ring)) as frames:
        while plt.fignum_exists(figure.number):
            newest, ended = drain(frames)
            if newest is not None:
                draw(axes, line, newest)
            if ended:
                return
            plt.pause(0.02)


def drain(frames: ndring.Observer) -> Tuple[Optional[ndring.Frame], bool]:
    """The newest of the frames that are there, and whether the ring ended."""
    newest, until = None, time.monotonic() + 0.05
    while time.monotonic() < until:
        try:
            newest = frames.next(timeout=0)
        except TimeoutError:
            break
        except ndring.EndOfRing:
            return newest, True
    return newest, False


def draw(axes: Any, line: Any, frame: ndring.Frame) -> None:
    values = np.abs(frame.array) if frame.array.dtype.kind == "c" else frame.array
    values = np.atleast_1d(values).reshape(-1)
    line.set_data(np.arange(values.size), values)
    axes.relim()
    axes.autoscale_view()
    axes.set_title("frame %d, %s of %s" % (frame.number, frame.dtype.name, list(frame.shape)))


if __name__ == "__main__":
    sys.exit(main())
