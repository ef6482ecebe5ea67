"""The consumer: a lossless reader.

In stream mode it is told of frames by packets on the control socket and gives them back
the same way. It maps the ring read-only and stores to no shared memory, so it needs no
atomic operations: the received packet orders the writer's stores before its loads. In
park mode it looks at the ring itself, as _park describes. Either way it goes on without
a gap when the writer is restarted.
"""

import os
from typing import Any, AsyncIterator, Callable, Iterator, Optional, Union

from . import _layout as L
from . import _order
from ._arguments import called, choice, seconds, whole
from ._batching import Batching
from ._handshake import Finder
from ._park import SAFETY_SECONDS
from ._waiting import News, Opening
from .directory import Path
from .errors import ClosedError, EndOfRing, EvictedError, PlatformError
from .frame import Batch
from .identity import Identity, check_name
from .message import Hello

_STARTS = {"oldest": L.START_OLDEST, "latest": L.START_LATEST}

#: Frames of a batch unless asked otherwise.
BATCH_FRAMES = 4096

_MOST_MS = (1 << 32) - 1  # of a hello's times, some 49 days
_WAKES = {"stream": L.WAKE_STREAM, "park": L.WAKE_PARK}


def _hello(name: str, start: Union[str, int], keep: float, evict_after: Optional[float], wake: str) -> Hello:
    mode = choice("wake", wake, _WAKES)
    if mode == L.WAKE_PARK and not _order.HAS_EXCHANGE:
        raise PlatformError("park mode needs atomic operations, which Python has through libatomic.so.1 only: "
                            "install libatomic1, or use stream mode")
    flags = L.HELLO_ASYMMETRIC | L.HELLO_BARRIER if mode == L.WAKE_PARK and _order.register() else 0
    keep_ms = int(min(seconds("keep", keep) * 1000 + 0.999, _MOST_MS))
    evict_ms = 0 if evict_after is None else max(1, int(min(seconds("evict_after", evict_after) * 1000, _MOST_MS)))
    if isinstance(start, str):
        begin, position = choice("start", start, _STARTS), 0
    else:
        begin, position = L.START_POSITION, whole("start", start)
    if position >> 64:
        raise ValueError("start %r; use 'oldest', 'latest' or a position" % start)
    return Hello(
        start=begin, position=position, pid=os.getpid(), wake=mode, flags=flags, name=check_name(name) if name != "" else "",
        keep_ms=keep_ms, evict_ms=evict_ms)


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

    _role = "consumer"

    def __init__(self, ring: str, *, dir: Path = None, name: str = "", start: Union[str, int] = "oldest",
                 timeout: Optional[float] = None, on_wait: Optional[Callable[[str], Any]] = None, keep: float = 0.0,
                 evict_after: Optional[float] = None, restart_wait: float = 5.0, wake: str = "stream") -> None:
        self._prepare(ring, dir, name, start, timeout, on_wait, keep, evict_after, restart_wait, wake)
        self._open_now(on_wait)

    @classmethod
    def open(cls, ring: str, *, dir: Path = None, name: str = "", start: Union[str, int] = "oldest",
             timeout: Optional[float] = None, on_wait: Optional[Callable[[str], Any]] = None, keep: float = 0.0,
             evict_after: Optional[float] = None, restart_wait: float = 5.0, wake: str = "stream") -> "Opening[Consumer]":
        """Is the constructor for asyncio: await it, or use it in async with. Neither the
        wait for the ring nor the handshake holds the loop up."""
        self = cls.__new__(cls)
        self._prepare(ring, dir, name, start, timeout, on_wait, keep, evict_after, restart_wait, wake)
        return Opening(self._open_async(on_wait))

    def _prepare(self, ring: str, dir: Path, name: str, start: Union[str, int], timeout: Optional[float],
                 on_wait: Optional[Callable[[str], Any]], keep: float, evict_after: Optional[float],
                 restart_wait: float, wake: str) -> None:
        self.ring = check_name(ring)
        self._dir = dir
        self._hello = _hello(name, start, keep, evict_after, wake)
        self._restart_wait = seconds("restart_wait", restart_wait)
        called("on_wait", on_wait)
        self._finder = Finder(dir, ring, None if timeout is None else seconds("timeout", timeout))

    def _news(self) -> Optional[News]:
        if self._finder is not None:
            return (*self._finder.wants, False)
        session = self._session
        assert session is not None
        if session.parking is None:
            return (session.fileno(),), None, session.wants_write
        if not self._arm(session.parking):
            return None
        return (session.fileno(), session.parking.bell), SAFETY_SECONDS, session.wants_write

    def fileno(self) -> int:
        """A descriptor for select and poll: readable when there may be more
        than next(timeout=0) gives. Ask for frames until TimeoutError before waiting on
        it, and again for its number, which changes when the writer is restarted; it is
        -1 while there is no writer."""
        session = self._session
        if session is None or session.hung_up:
            return -1
        return session.fileno() if session.parking is None else session.parking.fileno(session.fileno())

    # Batches.

    def next_batch(self, timeout: Optional[float] = None, most: int = BATCH_FRAMES) -> Batch:
        """All frames that are announced, up to most of them and a quarter of the ring,
        under one lease. Waits and errors are those of next."""
        n = _frames(most)
        return self._get(lambda: self._take_batch(n), timeout)

    async def next_batch_async(self, timeout: Optional[float] = None, most: int = BATCH_FRAMES) -> Batch:
        """Is next_batch for asyncio."""
        n = _frames(most)
        return await self._get_async(lambda: self._take_batch(n), timeout)

    def batches(self, most: int = BATCH_FRAMES) -> "Batches":
        """Iterates over batches, with for and with async for."""
        return Batches(self, _frames(most))

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

    def _end(self) -> None:
        if isinstance(self._error, ClosedError):
            return
        if self._error is None:
            try:
                self._release()
            except EvictedError:
                pass
            self._tell()
        if self._finder is not None:
            self._finder.close()
        self._finish(self._closed())
        self._ticket += 1

    def _drop(self) -> None:
        super()._drop()
        self._ticket += 1

    def __repr__(self) -> str:
        return "<Consumer of ring %r at %d>" % (self.ring, self._pos)


def _frames(most: int) -> int:
    n = whole("most", most)
    if n < 1:
        raise ValueError("most %d; a batch holds at least one frame" % n)
    return n


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
