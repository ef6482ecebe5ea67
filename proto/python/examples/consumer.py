"""consumer.py RING [--option value]...: reads a ring to its end, checks each payload
against the pattern of producer.py and the numbers against gaps, and prints what it got.

  --wake stream     or observe: lossy
  --name NAME       of the reader
  --keep-ms N       how long the writer keeps a named reader's place
  --restart-ms N    how long to wait for a writer that died
  --batches 1       reads in batches
  --asyncio 1       reads with async for
  --ready 1         prints a line when it has begun to observe
  --kill-at N       dies by SIGKILL while it holds frame N
  --dir PATH        ring directory
"""

import argparse
import asyncio
import os
import signal
import sys
import zlib
from typing import Optional

import ndring
from ndring._layout import DTYPES
from producer import pattern


class Tally:
    """What was read."""

    def __init__(self, kill_at: int) -> None:
        self.frames = self.bytes = self.first = self.next = self.gaps = self.torn = self.checksum = self.rescues = 0
        self.kill_at = kill_at
        self.last: Optional[ndring.Header] = None

    def count(self, frame: ndring.Frame) -> None:
        n, payload = frame.number, frame.payload
        if n == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.frames == 0:
            self.first = n
        elif n != self.next + frame.lost:
            self.gaps += 1
        self.torn += bool((payload != pattern(n, payload.size)).any())
        self.checksum = (self.checksum * 31 + zlib.crc32(payload)) & (1 << 64) - 1
        self.next, self.last = n + 1, frame.header
        self.frames += 1
        self.bytes += payload.size

    def line(self) -> str:
        h = self.last or ndring.Header(ndim=0)
        name = DTYPES[h.dtype].name if h.dtype else "-"
        shape, strides = ("x".join(map(str, d[:h.ndim])) or "scalar" for d in (h.shape, h.strides))
        return "frames=%d bytes=%d first=%d gaps=%d torn=%d checksum=%016x dtype=%s shape=%s strides=%s rescues=%d" % (
            self.frames, self.bytes, self.first, self.gaps, self.torn, self.checksum, name, shape, strides, self.rescues)


def consume(o: argparse.Namespace, tally: Tally) -> None:
    if o.wake == "observe":
        with ndring.Observer(o.ring, dir=o.dir, restart_wait=o.restart_ms / 1000) as frames:
            if o.ready:
                print("ready", flush=True)
            for frame in frames:
                tally.count(frame)
        return
    settings = dict(dir=o.dir, name=o.name, keep=o.keep_ms / 1000, restart_wait=o.restart_ms / 1000, wake=o.wake)
    if o.asyncio:
        asyncio.run(consume_async(o.ring, settings, tally))
        return
    with ndring.Consumer(o.ring, **settings) as frames:
        for batch in frames.batches() if o.batches else ([frame] for frame in frames):
            for frame in batch:
                tally.count(frame)
        tally.rescues = frames.rescues


async def consume_async(ring: str, settings: dict, tally: Tally) -> None:
    async with ndring.Consumer.open(ring, **settings) as frames:
        async for frame in frames:
            tally.count(frame)
        tally.rescues = frames.rescues


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ring")
    parser.add_argument("--wake", default="stream", choices=("stream", "park", "observe"))
    parser.add_argument("--name", default="")
    parser.add_argument("--keep-ms", type=float, default=0)
    parser.add_argument("--restart-ms", type=float, default=5000)
    parser.add_argument("--batches", type=int, default=0)
    parser.add_argument("--asyncio", type=int, default=0)
    parser.add_argument("--ready", type=int, default=0)
    parser.add_argument("--kill-at", type=int, default=-1)
    parser.add_argument("--dir")
    o = parser.parse_args()
    tally = Tally(o.kill_at)
    try:
        consume(o, tally)
    finally:
        print(tally.line(), flush=True)
    return 0 if tally.gaps == 0 and tally.torn == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
