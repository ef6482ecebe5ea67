"""The consumer: a lossless reader.

In stream mode it is told of frames by packets on the control socket and gives them back
the same way. It maps the ring read-only and stores to no shared memory, so it needs no
atomic operations: the received packet orders the writer's stores before its loads. In
park mode it looks at the ring itself, as _park describes. Either way it goes on without
a gap when the writer is restarted.
"""

import asyncio
import operator
import os
import time
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Iterator, Optional, Tuple, Type, Union

from . import _layout as L
from . import _order
from ._batching import Batching
from ._park import SAFETY_SECONDS
from .errors import ClosedError, EndOfRing, EvictedError, PlatformError
from .frame import Batch, Frame
from .identity import Identity, check_name
from .message import Hello
from .session import Finder, wait_readable

_STARTS = {"oldest": L.START_OLDEST, "latest": L.START_LATEST}

#: Frames of a batch unless asked otherwise.
BATCH_FRAMES = 4096


_MOST_MS = (1 << 32) - 1  # of a hello's times, some 49 days
_WAKES = {"stream": L.WAKE_STREAM, "park": L.WAKE_PARK}


def _hello(name: str, start: Union[str, int], keep: float, evict_after: Optional[float], wake: str) -> Hello:
    if isinstance(start, str) and start not in _STARTS:
        raise ValueError("start %r; use 'oldest', 'latest' or a position" % start)
    if wake not in _WAKES:
        raise ValueError("wake %r; use 'stream' or 'park'" % wake)
    if wake == "park" and not _order.HAS_EXCHANGE:
        raise PlatformError("park mode needs atomic operations, which Python has through libatomic.so.1 only: "
                            "install libatomic1, or use stream mode")
    flags = L.HELLO_ASYMMETRIC | L.HELLO_BARRIER if wake == "park" and _order.register() else 0
    position = 0 if isinstance(start, str) else operator.index(start)
    if position >> 64:
        raise ValueError("start %r; use 'oldest', 'latest' or a position" % start)
    if keep < 0 or evict_after is not None and evict_after < 0:
        raise ValueError("keep %r, evict_after %r; use seconds from 0 on" % (keep, evict_after))
    return Hello(
        start=_STARTS[start] if isinstance(start, str) else L.START_POSITION, position=position, pid=os.getpid(),
        wake=_WAKES[wake], flags=flags, name=check_name(name) if name else "", keep_ms=int(min(keep * 1000 + 0.999, _MOST_MS)),
        evict_ms=0 if evict_after is None else max(1, int(min(evict_after * 1000, _MOST_MS))))


class Consumer(Batching):
    """Reads every frame of a ring, once and in order; the writer waits for it.

    ring is the ring's name. start is "oldest", "latest" or a position. A named
    consumer that dies keeps its place for keep seconds. timeout bounds the wait for
    the ring to appear (None: as long as it takes; 0: NoRingError at once); on_wait is
    called once with the ring's name when there is a wait. evict_after lets the writer
    go on without this consumer once it held up the full ring for so long.
    restart_wait is how long to wait for a writer that died. wake is "stream", or "park":
    then no message is sent while frames keep coming. That needs libatomic, and raises
    PlatformError without.

    It is for one thread at a time. Iterating yields frames; each is released when the
    next is asked for. All waits take a timeout in seconds and raise TimeoutError.
    """

    def __init__(self, ring: str, *, dir: Optional[str] = None, name: str = "", start: Union[str, int] = "oldest",
                 timeout: Optional[float] = None, on_wait: Optional[Callable[[str], Any]] = None, keep: float = 0.0,
                 evict_after: Optional[float] = None, restart_wait: float = 5.0, wake: str = "stream") -> None:
        self._prepare(ring, dir, name, start, timeout, keep, evict_after, restart_wait, wake)
        while not self._attach():
            if on_wait is not None:
                on_wait(ring)
                on_wait = None
            time.sleep(self._finder_now().pause)

    @classmethod
    async def open(cls, ring: str, *, dir: Optional[str] = None, name: str = "", start: Union[str, int] = "oldest",
                   timeout: Optional[float] = None, on_wait: Optional[Callable[[str], Any]] = None, keep: float = 0.0,
                   evict_after: Optional[float] = None, restart_wait: float = 5.0, wake: str = "stream") -> "Consumer":
        """Is the constructor for asyncio: the wait for the ring lets others run."""
        self = cls.__new__(cls)
        self._prepare(ring, dir, name, start, timeout, keep, evict_after, restart_wait, wake)
        while not self._attach():
            if on_wait is not None:
                on_wait(ring)
                on_wait = None
            await asyncio.sleep(self._finder_now().pause)
        return self

    def _prepare(self, ring: str, dir: Optional[str], name: str, start: Union[str, int], timeout: Optional[float],
                 keep: float, evict_after: Optional[float], restart_wait: float, wake: str) -> None:
        self.ring = check_name(ring)
        self._dir = dir
        self._hello = _hello(name, start, keep, evict_after, wake)
        self._restart_wait = restart_wait
        self._finder = Finder(dir, ring, timeout)

    def _finder_now(self) -> Finder:
        assert self._finder is not None
        return self._finder

    def _attach(self) -> bool:
        """One attempt to attach for the first time."""
        finder = self._finder_now()
        session = finder.step(self._hello)
        if session is None:
            if finder.expired:
                assert finder.why is not None
                raise finder.why
            return False
        self._begin(session)
        return True

    # Reading frame by frame.

    def next(self, timeout: Optional[float] = None) -> Frame:
        """The next frame, waiting for it if need be. A frame still held is released
        first.

        Raises EndOfRing, TimeoutError (after which next may be called again),
        EvictedError, WriterLostError, CorruptError, KindError or ClosedError.
        """
        frame = self._take()
        if frame is not None:
            return frame
        deadline = None if timeout is None else time.monotonic() + timeout
        while frame is None:
            self._wait(deadline)
            frame = self._take()
        return frame

    # Waiting.

    def _news(self, deadline: Optional[float]) -> Optional[Tuple[Tuple[int, ...], Optional[float], bool]]:
        """What to wait for: descriptors, seconds at most, and whether there is something
        to be sent. None when there is no need to wait."""
        fds: Tuple[int, ...] = ()
        seconds: Optional[float] = None
        write = False
        if self._finder is not None:
            seconds = self._finder.pause
        else:
            session = self._session
            assert session is not None
            fds, write = (session.fileno(),), session.wants_write
            if session.parking is not None:
                if not self._arm(session.parking):
                    return None
                fds, seconds = fds + (session.parking.bell,), SAFETY_SECONDS
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no frame of ring %r in time" % self.ring)
            seconds = left if seconds is None else min(seconds, left)
        return fds, seconds, write

    def _wait(self, deadline: Optional[float]) -> None:
        news = self._news(deadline)
        if news is None:
            return
        fds, seconds, write = news
        if fds:
            self._woke(wait_readable(fds, seconds, write), seconds)
        else:
            time.sleep(seconds or 0)

    async def _wait_async(self, deadline: Optional[float]) -> None:
        news = self._news(deadline)
        if news is None:
            return
        fds, seconds, write = news
        if not fds:
            await asyncio.sleep(seconds or 0)
            return
        loop = asyncio.get_running_loop()
        heard = loop.create_future()

        def wake() -> None:
            if not heard.done():
                heard.set_result(None)

        for fd in fds:
            loop.add_reader(fd, wake)
        if write:
            loop.add_writer(fds[0], wake)
        try:
            await asyncio.wait([heard], timeout=seconds)
        finally:
            for fd in fds:
                loop.remove_reader(fd)
            if write:
                loop.remove_writer(fds[0])
        self._woke(heard.done(), seconds)

    async def next_async(self, timeout: Optional[float] = None) -> Frame:
        """Is next for asyncio."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            await self._wait_async(deadline)

    def fileno(self) -> int:
        """A descriptor for select and poll: readable when there may be more
        than next(timeout=0) gives. Ask for frames until TimeoutError before waiting on
        it, and again for its number, which changes when the writer is restarted; it is
        -1 while there is no writer."""
        session = self._session
        if session is None:
            return -1
        return session.fileno() if session.parking is None else session.parking.fileno(session.fileno())

    # Batches.

    def next_batch(self, timeout: Optional[float] = None, most: int = BATCH_FRAMES) -> Batch:
        """All frames that are announced, up to most of them and a quarter of the ring,
        under one lease. Waits and errors are those of next."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            batch = self._take_batch(most)
            if batch is not None:
                return batch
            self._wait(deadline)

    async def next_batch_async(self, timeout: Optional[float] = None, most: int = BATCH_FRAMES) -> Batch:
        """Is next_batch for asyncio."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            batch = self._take_batch(most)
            if batch is not None:
                return batch
            await self._wait_async(deadline)

    def batches(self, most: int = BATCH_FRAMES) -> "Batches":
        """Iterates over batches, with for and with async for."""
        return Batches(self, most)

    # Ending.

    @property
    def identity(self) -> Identity:
        """What the ring is: capacity, schema, metadata and so on."""
        return self._segment.identity

    @property
    def position(self) -> int:
        """All before it is released."""
        return self._pos

    @property
    def epoch(self) -> int:
        """Lives of the ring's writers so far, as this reader knows it."""
        return self._epoch

    @property
    def rescues(self) -> int:
        """Sleeps that only the safety timeout ended although a frame was there: 0 unless
        a wake-up was lost. Park mode only."""
        return self._rescues

    def close(self) -> None:
        """Releases what is held and gives the reader's place up. Arrays that are
        still about stay readable. Closing again does nothing."""
        if isinstance(self._error, ClosedError):
            return
        if self._error is None:
            try:
                self.release()
            except EvictedError:
                pass
            self._tell()
        self._finish(ClosedError("consumer of ring %r is closed" % self.ring))
        self._ticket += 1

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        try:
            return self.next()
        except EndOfRing:
            raise StopIteration from None

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        try:
            return await self.next_async()
        except EndOfRing:
            raise StopAsyncIteration from None

    def __enter__(self) -> "Consumer":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()

    async def __aenter__(self) -> "Consumer":
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()


class Batches:
    """An iteration over batches; each is released when the next is asked for."""

    def __init__(self, consumer: Consumer, most: int) -> None:
        self._consumer = consumer
        self._most = most

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        try:
            return self._consumer.next_batch(most=self._most)
        except EndOfRing:
            raise StopIteration from None

    def __aiter__(self) -> AsyncIterator[Batch]:
        return self

    async def __anext__(self) -> Batch:
        try:
            return await self._consumer.next_batch_async(most=self._most)
        except EndOfRing:
            raise StopAsyncIteration from None
