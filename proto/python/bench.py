"""bench.py: what handing arrays from one process to another costs in Python.

Three figures, each with what it is compared with measured in turns in the same run:
frames a second for frames of 5 float64; arrays of 1 MiB against multiprocessing.Pipe;
and one array of 64 MiB against one of 64 bytes. The producer is a process of its own.
"""

import json
import multiprocessing as mp
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import numpy as np  # noqa: E402

import ndring  # noqa: E402
from ndring._layout import WR_TAIL  # noqa: E402

ROUNDS = 5
SMALL_FRAMES = 200_000
MIB = 1 << 20


def fill(folder: str, count: int, shape: Any, capacity: int, ready: Any) -> None:
    """Produces count frames, each written in place."""
    p = ndring.Producer("b", dir=folder, capacity=capacity, dtype="f8")
    ready.set()
    for n in range(count):
        c = p.claim(shape)
        c.array[0] = n
        c.array[-1] = n
        c.commit()
    p.close()


def run(folder: str, count: int, shape: Any, capacity: int, read: Callable[[ndring.Consumer], int], ahead: bool, wake: str = "stream") -> float:
    """Seconds from the first frame asked for to the last one read. With ahead, the
    producer has filled the ring before."""
    ready = mp.Event()
    producer = mp.Process(target=fill, args=(folder, count, shape, capacity, ready))
    producer.start()
    ready.wait()
    c = ndring.Consumer("b", dir=folder, wake=wake)
    if ahead:
        while c._segment.word(WR_TAIL) < 64 * count:
            time.sleep(0.01)
    begin = time.perf_counter()
    got = read(c)
    took = time.perf_counter() - begin
    c.close()
    producer.join()
    assert got == count, (got, count)
    return took


def by_frame(c: ndring.Consumer) -> int:
    return sum(1 for f in c if f.array.size)


def by_batch(c: ndring.Consumer) -> int:
    return sum(1 for batch in c.batches() for f in batch if f.array.size)


def by_array(c: ndring.Consumer) -> int:
    return sum(1 for batch in c.batches() for a in batch.arrays() if a.size)


def by_run(c: ndring.Consumer) -> int:
    return sum(part.array.shape[0] for batch in c.batches() for part in batch.parts)


def touch(c: ndring.Consumer) -> int:
    """Reads the first and the last element of each."""
    n = 0
    for f in c:
        a = f.array
        assert a[0] == n and a[-1] == n
        n += 1
    return n


def send(pipe: Any, count: int, elements: int) -> None:
    a = np.zeros(elements)
    for n in range(count):
        a[0] = a[-1] = n
        pipe.send(a)


def piped(count: int, elements: int) -> float:
    """The same through multiprocessing.Pipe, as it is used with NumPy."""
    here, there = mp.Pipe(False)
    producer = mp.Process(target=send, args=(there, count, elements))
    producer.start()
    a = here.recv()
    begin = time.perf_counter()
    for n in range(1, count):
        a = here.recv()
        assert a[0] == n and a[-1] == n
    took = time.perf_counter() - begin
    producer.join()
    return took * count / (count - 1)


def handover(folder: str, elements: int) -> float:
    """Median microseconds of next() and array for frames that are there: what it costs
    to get hold of an array, whatever its size."""
    p = ndring.Producer("h", dir=folder, capacity=4 * 64 * MIB)
    c = ndring.Consumer("h", dir=folder)
    times = []
    for n in range(30):
        claim = p.claim(elements)
        claim.array[-1] = n
        claim.commit()
        c._wait(None)
        begin = time.perf_counter()
        a = c.next().array
        times.append(time.perf_counter() - begin)
        assert a[-1] == n
        c.release()
    c.close()
    p.close()
    return statistics.median(times) * 1e6


def main() -> None:
    folder = tempfile.mkdtemp(dir="/dev/shm", prefix="ndring-bench-")
    figures: Dict[str, List[float]] = {}
    try:
        for _ in range(ROUNDS):
            for read in (by_frame, by_batch, by_array, by_run):
                took = run(folder, SMALL_FRAMES, 5, 64 * MIB, read, ahead=True)
                figures.setdefault("small frames/s, " + read.__name__, []).append(SMALL_FRAMES / took)
            took = run(folder, SMALL_FRAMES, (2, 3), 64 * MIB, by_batch, ahead=True)
            figures.setdefault("small frames/s, by_batch, of 2 x 3", []).append(SMALL_FRAMES / took)
            took = run(folder, SMALL_FRAMES, 5, 64 * MIB, by_batch, ahead=True, wake="park")
            figures.setdefault("small frames/s, by_batch, park mode", []).append(SMALL_FRAMES / took)
            took = run(folder, SMALL_FRAMES, 5, 64 * MIB, by_batch, ahead=False)
            figures.setdefault("small frames/s, by_batch, live Python producer", []).append(SMALL_FRAMES / took)
            ours, theirs = run(folder, 2000, MIB // 8, 64 * MIB, touch, ahead=False), piped(200, MIB // 8)
            figures.setdefault("1 MiB arrays/s, ring", []).append(2000 / ours)
            figures.setdefault("1 MiB arrays/s, Pipe", []).append(200 / theirs)
            figures.setdefault("1 MiB arrays, ring over Pipe", []).append(2000 / ours * theirs / 200)
            large, small = handover(folder, 8 * MIB), handover(folder, 8)
            figures.setdefault("microseconds to hand over 64 MiB", []).append(large)
            figures.setdefault("microseconds to hand over 64 B", []).append(small)
            figures.setdefault("64 MiB over 64 B", []).append(large / small)
    finally:
        shutil.rmtree(folder)
    medians = {name: statistics.median(values) for name, values in figures.items()}
    if "--json" in sys.argv:
        print(json.dumps({"medians": medians, "rounds": figures, "cpus": os.cpu_count()}, indent=1))
        return
    print("median of %d interleaved rounds, %d CPUs, Python %s, NumPy %s" % (ROUNDS, os.cpu_count() or 0, sys.version.split()[0], np.__version__))
    for name, value in medians.items():
        print("%-50s %12.4g   (%s)" % (name, value, " ".join("%.3g" % v for v in figures[name])))


if __name__ == "__main__":
    main()
