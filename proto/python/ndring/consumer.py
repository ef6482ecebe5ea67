"""The consumer: a lossless reader in stream mode.

It is told of frames by packets on the control socket and gives them back the same
way. It maps the ring read-only and stores to no shared memory, so it needs no atomic
operations: the received packet orders the writer's stores before its loads. It goes
on without a gap when the writer is restarted.
"""

import asyncio
import os
import time
from types import TracebackType
from typing import Any, AsyncIterator, Callable, Iterator, List, Optional, Tuple, Type, Union

import numpy as np

from . import _layout as L
from .errors import ClosedError, ContractError, CorruptError, EndOfRing, EvictedError, KindError, NdringError, RefusedError, WriterLostError
from .frame import Batch, Frame, Lease, Run, desc_of
from .identity import Identity, check_name
from .message import Hello
from .segment import Segment, add, unexpected
from .session import Finder, Session, wait_readable

_M = (1 << 64) - 1
_HALF = 1 << 63
_EXTENDED = L.FLAG_EXTENDED << L.DESC_FLAG_SHIFT  # clear in the description of an inline frame
_DELIVERED = (L.KIND_DATA, L.KIND_STREAM_END)
_STARTS = {"oldest": L.START_OLDEST, "latest": L.START_LATEST}
_EVICTIONS = {
    L.CODE_TOO_SLOW: "held the full ring longer than agreed",
    L.CODE_CURSOR: "its cursor went backwards or beyond the tail",
    L.CODE_MALFORMED: "it broke the protocol of the control socket",
}

#: Frames of a batch unless asked otherwise.
BATCH_FRAMES = 4096


def _hello(name: str, start: Union[str, int], keep: float, evict_after: Optional[float]) -> Hello:
    if isinstance(start, str) and start not in _STARTS:
        raise ValueError("start %r; use 'oldest', 'latest' or a position" % start)
    position = 0 if isinstance(start, str) else start
    return Hello(
        start=_STARTS[start] if isinstance(start, str) else L.START_POSITION, position=position, pid=os.getpid(),
        name=check_name(name) if name else "", keep_ms=int(keep * 1000 + 0.999),
        evict_ms=0 if evict_after is None else max(1, int(evict_after * 1000)))


class Consumer(Lease):
    """Reads every frame of a ring, once and in order; the writer waits for it.

    ring is the ring's name. start is "oldest", "latest" or a position. A named
    consumer that dies keeps its place for keep seconds. timeout bounds the wait for
    the ring to appear (None: as long as it takes; 0: NoRingError at once); on_wait is
    called once with the ring's name when there is a wait. evict_after lets the writer
    go on without this consumer once it held up the full ring for so long.
    restart_wait is how long to wait for a writer that died.

    It is for one thread at a time. Iterating yields frames; each is released when the
    next is asked for. All waits take a timeout in seconds and raise TimeoutError.
    """

    def __init__(self, ring: str, *, dir: Optional[str] = None, name: str = "", start: Union[str, int] = "oldest",
                 timeout: Optional[float] = None, on_wait: Optional[Callable[[str], Any]] = None, keep: float = 0.0,
                 evict_after: Optional[float] = None, restart_wait: float = 5.0) -> None:
        self._prepare(ring, dir, name, start, timeout, keep, evict_after, restart_wait)
        while not self._attach():
            if on_wait is not None:
                on_wait(ring)
                on_wait = None
            time.sleep(self._finder_now().pause)

    @classmethod
    async def open(cls, ring: str, *, dir: Optional[str] = None, name: str = "", start: Union[str, int] = "oldest",
                   timeout: Optional[float] = None, on_wait: Optional[Callable[[str], Any]] = None, keep: float = 0.0,
                   evict_after: Optional[float] = None, restart_wait: float = 5.0) -> "Consumer":
        """Is the constructor for asyncio: the wait for the ring lets others run."""
        self = cls.__new__(cls)
        self._prepare(ring, dir, name, start, timeout, keep, evict_after, restart_wait)
        while not self._attach():
            if on_wait is not None:
                on_wait(ring)
                on_wait = None
            await asyncio.sleep(self._finder_now().pause)
        return self

    def _prepare(self, ring: str, dir: Optional[str], name: str, start: Union[str, int], timeout: Optional[float],
                 keep: float, evict_after: Optional[float], restart_wait: float) -> None:
        self.ring = check_name(ring)
        self._dir = dir
        self._hello = _hello(name, start, keep, evict_after)
        self._restart_wait = restart_wait
        self._finder: Optional[Finder] = Finder(dir, ring, timeout)
        self._session: Optional[Session] = None
        self._error: Optional[BaseException] = None
        self._held = False
        self._ticket = 0

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
        self._segment = session.segment
        #: The writer's first answer: where reading began and what history there was.
        self.welcome = session.welcome
        self._pos = self._next = self._told = session.welcome.start
        self._known = session.welcome.start
        self._bind(session)
        return True

    def _bind(self, session: Session) -> None:
        self._session = session
        self._epoch = session.welcome.epoch
        self._finder = None

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

    def _take(self) -> Optional[Frame]:
        """The next frame if there is one. It never waits."""
        if self._held:
            self.release()
        while self._ready():
            pos = self._pos
            s = self._segment
            i = (s.data_off + (pos & s.mask)) >> 3
            words = s.words
            if words[i] == pos | L.KIND_DATA:
                desc = words[i + 2]
                if desc == self._like:  # checked before, but for the wrap
                    end = (pos + self._like_size) & _M
                    if self._like_size <= s.capacity - (pos & s.mask) and (self._known - end) & _M < _HALF:
                        self._held, self._next = True, end
                        return Frame(self, self._ticket, s, pos, end, words[i + 1], desc)
            frame = self._look(pos)
            if frame is not None:
                self._held, self._next = True, frame.end
                return frame
        return None

    _like = 0  # description word of the last inline frame that passed every check
    _like_size = 0

    def _look(self, pos: int) -> Optional[Frame]:
        """The announced frame at pos, or None if it was one to skip."""
        s = self._segment
        word = s.commit_word(pos)
        kind = word & L.KIND_MASK
        try:
            if word - kind != pos or kind == 0:
                raise unexpected(pos, word)
            head = s.committed_header(pos, kind)
            end = add(pos, head.frame_bytes)
            if (self._known - end) & _M >= _HALF:
                raise CorruptError("frame at position %d ends at %d, announced were %d" % (pos, end, self._known))
        except ContractError as e:
            raise self._fail(CorruptError(str(e))) from e
        except CorruptError as e:
            raise self._fail(e) from None
        if kind == L.KIND_PADDING or kind >= L.KIND_SKIPPABLE:
            self._next = end
            self._pass()
            return None
        if kind not in _DELIVERED:
            raise self._fail(KindError("frame at position %d is of kind %d" % (pos, kind)))
        desc = desc_of(head)
        if desc & _EXTENDED or kind != L.KIND_DATA:
            return Frame(self, self._ticket, s, pos, end, head.number, desc, head)
        self._like, self._like_size = desc, head.frame_bytes
        return Frame(self, self._ticket, s, pos, end, head.number, desc)

    def _fail(self, error: NdringError) -> BaseException:
        """Makes an error final. An evicted reader sees overwritten memory as corrupt,
        so the eviction is told first."""
        if not self._segment.intact(self._pos):
            error = EvictedError("at position %d: the frame was overwritten" % self._pos)
        self._error = error
        return error

    def release(self) -> None:
        """Gives back what is leased. Raises EvictedError if it may have been
        overwritten meanwhile."""
        if not self._held:
            return
        self._held = False
        self._ticket += 1
        self._pass()

    def _pass(self) -> None:
        """Moves on to the end of what was read. SYNC: limit."""
        s = self._segment
        pos = self._pos
        if not s.intact(pos):
            self._error = EvictedError("at position %d: the frame was overwritten while it was held" % pos)
            raise self._error
        self._pos = self._next
        if (self._pos - self._told) & _M >= s.capacity >> 4:
            self._tell()

    def _tell(self) -> None:
        """Tells the writer how far this reader is."""
        session = self._session
        if session is not None and self._told != self._pos:
            self._told = self._pos
            session.release(self._pos)

    # What is announced.

    def _ready(self) -> bool:
        """Whether a frame at the reader's position is announced. Never waits."""
        if self._error is not None:
            raise self._error
        s = self._segment
        if s.words[s.epoch_index] != self._epoch and not self._reconnect():
            return False
        if self._pos != self._known:
            return True
        session = self._session
        if session is None and not self._reconnect():
            return False
        session = self._session
        assert session is not None
        session.drain()
        if session.hung_up:
            session.advance(s.tail())  # what nobody announced
        if self._learn(session.published):
            return True
        if s.ended(self._pos):
            self._tell()
            raise self._finish(EndOfRing("ring %r ended at position %d" % (self.ring, self._pos)))
        if session.evicted is not None:
            raise self._fail(EvictedError(_EVICTIONS.get(session.evicted, "code %d" % session.evicted)))
        if session.hung_up:
            return self._reconnect() and self._pos != self._known
        self._tell()
        session.flush()
        return False

    def _learn(self, published: int) -> bool:
        ahead = (published - self._pos) & _M
        if ahead == 0 or ahead >= _HALF:
            return False
        if ahead > self._segment.capacity:
            raise self._fail(CorruptError("announced position %d, the reader is at %d" % (published, self._pos)))
        self._known = published
        return True

    def _finish(self, error: NdringError) -> NdringError:
        self._error = error
        if self._session is not None:
            self._session.goodbye(self._pos)
            self._session.close()
        return error

    def _reconnect(self) -> bool:
        """One attempt to find the writer that took the ring up, at this reader's slot
        and position."""
        if self._finder is None:
            assert self._session is not None
            self._session.close()
            self._session = None
            self._finder = Finder(self._dir, self.ring, self._restart_wait)
        w = self.welcome
        hello = self._hello._replace(
            flags=L.HELLO_RECONNECT, ring_id=w.ring_id, slot=w.slot, generation=w.generation,
            start=L.START_POSITION, position=self._pos)
        try:
            session = self._finder.step(hello, self._segment)
        except RefusedError as e:
            self._error = WriterLostError("ring %r: %s" % (self.ring, e))
            raise self._error from e
        if session is None:
            if self._finder.expired:
                self._error = WriterLostError("ring %r: no writer took it up within %g s" % (self.ring, self._restart_wait))
                raise self._error
            return False
        if session.welcome.start != self._pos:
            session.close()
            self._error = WriterLostError("ring %r: the new writer starts this reader at position %d, it was at %d" % (
                self.ring, session.welcome.start, self._pos))
            raise self._error
        self.welcome = session.welcome
        self._told = self._pos
        self._bind(session)
        self._learn(session.published)
        return True

    # Waiting.

    def _news(self) -> Tuple[int, Optional[float], bool]:
        """What to wait for: a descriptor (-1: none), seconds at most, and whether
        there is something to be sent."""
        if self._finder is not None:
            return -1, self._finder.pause, False
        assert self._session is not None
        return self._session.fileno(), None, self._session.wants_write

    def _wait(self, deadline: Optional[float]) -> None:
        fd, seconds, write = self._news()
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no frame of ring %r in time" % self.ring)
            seconds = left if seconds is None else min(seconds, left)
        if fd < 0:
            time.sleep(seconds or 0)
        else:
            wait_readable(fd, seconds, write)

    async def _wait_async(self, deadline: Optional[float]) -> None:
        fd, seconds, write = self._news()
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no frame of ring %r in time" % self.ring)
            seconds = left if seconds is None else min(seconds, left)
        if fd < 0:
            await asyncio.sleep(seconds or 0)
            return
        loop = asyncio.get_running_loop()
        news = loop.create_future()

        def wake() -> None:
            if not news.done():
                news.set_result(None)

        loop.add_reader(fd, wake)
        if write:
            loop.add_writer(fd, wake)
        try:
            await asyncio.wait([news], timeout=seconds)
        finally:
            loop.remove_reader(fd)
            if write:
                loop.remove_writer(fd)

    async def next_async(self, timeout: Optional[float] = None) -> Frame:
        """Is next for asyncio."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            await self._wait_async(deadline)

    def fileno(self) -> int:
        """The control socket, for select and poll: readable when there may be more
        than next(timeout=0) gives. Ask for frames until TimeoutError before waiting on
        it, and again for its number, which changes when the writer is restarted; it is
        -1 while there is no writer."""
        return -1 if self._session is None else self._session.fileno()

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

    def _take_batch(self, most: int) -> Optional[Batch]:
        frame = self._take()
        if frame is None:
            return None
        s = self._segment
        batch = Batch(self, self._ticket, s, frame.position)
        at, enough = frame.position, s.capacity // 4
        while len(batch) < most and (at - frame.position) & _M < enough:
            end = self._extend(batch, at, most - len(batch))
            if end == at:
                break
            at = end
        if not len(batch):
            raise self._fail(CorruptError("frame at position %d changed" % at))
        self._next = at
        return batch

    def _extend(self, batch: Batch, at: int, most: int) -> int:
        """Adds what lies at position at to a batch: a run of small frames or one
        frame. Returns where it ends. What is wrong there is told later, when a batch
        begins with it."""
        s = self._segment
        left = (self._known - at) & _M
        if left == 0 or left >= _HALF:
            return at
        i = s.commit_index(at)
        if s.words[i] == at | L.KIND_DATA and s.words[i + 2] == self._like:
            size = self._like_size
            n = min(left // size, s.to_wrap(at) // size, max(1, s.capacity // 4 // size), most)
            numbers = self._alike(at, size, n)
            if numbers:
                batch.add(Run(batch, at, size, numbers, self._like), len(numbers))
                return add(at, size * len(numbers))
        return self._extend_one(batch, at, left)

    def _alike(self, at: int, size: int, n: int) -> List[int]:
        """Numbers of the frames from at on, at most n, that are described alike."""
        s = self._segment
        if n < 1:
            return []
        w = np.ndarray((n, 3), "<u8", s.buffer, s.data_off + (at & s.mask), (size, 8))
        words = w[:, 0] - np.arange(n, dtype=np.uint64) * np.uint64(size)
        same = (words == np.uint64(at | L.KIND_DATA)) & (w[:, 2] == np.uint64(self._like))
        if not same.all():
            n = int(same.argmin())
        numbers: List[int] = w[:n, 1].tolist()
        return numbers

    def _extend_one(self, batch: Batch, at: int, left: int) -> int:
        s = self._segment
        word = s.commit_word(at)
        kind = word & L.KIND_MASK
        if word - kind != at or kind == 0:
            return at
        try:
            head = s.committed_header(at, kind)
        except ContractError:
            return at
        end = add(at, head.frame_bytes)
        if head.frame_bytes > left or kind not in _DELIVERED and kind != L.KIND_PADDING and kind < L.KIND_SKIPPABLE:
            return at
        if kind in _DELIVERED:
            desc = desc_of(head)
            plain = kind == L.KIND_DATA and not desc & _EXTENDED
            batch.add(Frame(self, self._ticket, s, at, end, head.number, desc, None if plain else head), 1)
            if plain:
                self._like, self._like_size = desc, head.frame_bytes
        return end

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
