"""What consumers and observers have in common: opening, waiting in a thread or in a
task of asyncio, closing, and being for one user at a time.
"""

import asyncio
import os
import sys
import threading
import time
import warnings
import weakref
from types import TracebackType
from typing import (
    Any, AsyncIterator, Awaitable, Callable, Coroutine, Generator, Generic, Iterator, Optional, Tuple, Type, TypeVar,
)

from ._arguments import deadline
from ._handshake import Finder
from .errors import ClosedError, EndOfRing
from .frame import Frame, Single
from .message import Hello
from .session import Session, rouse, wait_readable

F = TypeVar("F", bound=Frame)
T = TypeVar("T")
R = TypeVar("R", bound="Waiting[Any]")

#: What to wait for: descriptors, seconds at most, and whether there is something to send.
News = Tuple[Tuple[int, ...], Optional[float], bool]

_TURN_SECONDS = 0.005  # of one task, while there is something to read


class Waiting(Single, Generic[F]):
    """A reader with its waits. Its methods are for one thread or task at a time: a call
    while another is under way raises RuntimeError. Only close may always be called."""

    ring: str
    _role = "reader"
    _hello: Hello
    _session: Optional[Session] = None
    _finder: Optional[Finder] = None
    _error: Optional[BaseException] = None  # why no frame will come any more
    _begun = False
    _closing = False  # by somebody else than who is in a call
    _turn_ends = 0.0
    _open: "weakref.WeakSet[Waiting[Any]]" = weakref.WeakSet()

    # What the reader does without waiting.

    def _take(self) -> Optional[F]:
        raise NotImplementedError

    def _begin(self, session: Session) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError

    def _news(self) -> Optional[News]:
        """What to wait for. None when there is no need to."""
        raise NotImplementedError

    def _woke(self, heard: bool, seconds: Optional[float]) -> None:
        """Runs after each wait."""

    # Opening.

    def _attach(self, on_wait: Optional[Callable[[str], Any]]) -> bool:
        """What can be done now to find a writer for the first time."""
        finder = self._finder
        assert finder is not None
        session = finder.step(self._hello)
        if session is None:
            if finder.expired:
                raise finder.failure()
            if on_wait is not None and not finder.connected and not self._told_wait:
                self._told_wait = True
                on_wait(self.ring)
            return False
        try:
            self._begin(session)
        except BaseException:
            session.close()
            raise
        self._finder, self._begun = None, True
        Waiting._open.add(self)
        return True

    _told_wait = False

    def _open_now(self, on_wait: Optional[Callable[[str], Any]]) -> None:
        assert self._finder is not None
        self._busy = threading.Lock()
        try:
            while not self._attach(on_wait):
                self._sleep(*self._finder.wants)
        except BaseException:
            self._finder.close()
            raise

    async def _open_async(self: R, on_wait: Optional[Callable[[str], Any]]) -> R:
        assert self._finder is not None
        self._busy = threading.Lock()
        finder = self._finder
        try:
            while not self._attach(on_wait):
                await self._sleep_async(*finder.wants)
        except BaseException:
            finder.close()
            raise
        return self

    # Waiting.

    def _sleep(self, fds: Tuple[int, ...], seconds: Optional[float], write: bool = False) -> bool:
        if fds:
            return wait_readable(fds, seconds, write)
        time.sleep(seconds or 0)
        return False

    async def _sleep_async(self, fds: Tuple[int, ...], seconds: Optional[float], write: bool = False) -> bool:
        if not fds:
            await asyncio.sleep(seconds or 0)
            return False
        loop = asyncio.get_running_loop()
        heard = loop.create_future()

        def wake() -> None:
            if not heard.done():
                heard.set_result(None)

        try:
            for fd in fds:
                loop.add_reader(fd, wake)
            if write:
                loop.add_writer(fds[0], wake)
            await asyncio.wait([heard], timeout=seconds)
        finally:
            for fd in fds:
                loop.remove_reader(fd)
            if write:
                loop.remove_writer(fds[0])
        return heard.done()

    def _until(self, until: Optional[float]) -> Optional[News]:
        """What to wait for, with a deadline."""
        if self._closing:
            raise self._closed()
        news = self._news()
        if news is None or until is None:
            return news
        fds, seconds, write = news
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no frame of ring %r in time" % self.ring)
        return fds, left if seconds is None else min(seconds, left), write

    def _wait(self, until: Optional[float]) -> None:
        news = self._until(until)
        if news is not None:
            self._woke(self._sleep(*news), news[1])

    def _get(self, take: Callable[[], Optional[T]], timeout: Optional[float]) -> T:
        """What take gives, waiting for it if need be."""
        until = None if timeout is None else deadline(timeout)
        if not self._busy.acquire(False):
            raise self._in_use()
        try:
            got = take()
            while got is None:
                self._wait(until)
                got = take()
            return got
        finally:
            self._leave()

    async def _get_async(self, take: Callable[[], Optional[T]], timeout: Optional[float]) -> T:
        """Is _get for asyncio. Others get their turn even while there always is
        something."""
        until = None if timeout is None else deadline(timeout)
        if not self._busy.acquire(False):
            raise self._in_use()
        try:
            if time.monotonic() >= self._turn_ends:
                await asyncio.sleep(0)
                self._turn_ends = time.monotonic() + _TURN_SECONDS
            got = take()
            while got is None:
                news = self._until(until)
                if news is not None:
                    self._woke(await self._sleep_async(*news), news[1])
                    self._turn_ends = time.monotonic() + _TURN_SECONDS
                got = take()
            return got
        finally:
            self._leave()

    def next(self, timeout: Optional[float] = None) -> F:
        """The next frame, waiting for it if need be.

        Raises EndOfRing, TimeoutError (after which next may be called again),
        EvictedError, WriterLostError, CorruptError, KindError or ClosedError.
        """
        until = None if timeout is None else deadline(timeout)
        if not self._busy.acquire(False):
            raise self._in_use()
        try:  # as in _get, without a call more for each frame
            frame = self._take()
            while frame is None:
                self._wait(until)
                frame = self._take()
            return frame
        finally:
            self._busy.release()
            if self._closing:
                self.close()

    async def next_async(self, timeout: Optional[float] = None) -> F:
        """Is next for asyncio. A call that is cancelled took no frame."""
        return await self._get_async(self._take, timeout)

    # One at a time.

    def _in_use(self) -> RuntimeError:
        return RuntimeError("%s of ring %r is in use by another thread or task; it is for one at a time" % (self._role, self.ring))

    def _leave(self) -> None:
        self._busy.release()
        if self._closing:
            self.close()

    # Ending.

    def _closed(self) -> ClosedError:
        return ClosedError("%s of ring %r is closed" % (self._role, self.ring))

    def close(self) -> None:
        """Releases what is held and gives the reader's place up. Arrays that are
        still about stay readable. Who waits in another thread or task gets
        ClosedError. Closing again does nothing."""
        if not self._busy.acquire(False):
            self._closing = True  # whoever is in a call sees it on leaving, unless it left just now
            if not self._busy.acquire(False):
                self._rouse()
                return
        try:
            self._end()
        finally:
            self._closing = False
            self._busy.release()

    def _rouse(self) -> None:
        session, finder = self._session, self._finder
        if session is not None:
            rouse(session.sock)
        if finder is not None:
            finder.rouse()

    def _drop(self) -> None:
        """Closes the descriptors without a word to the writer."""
        session, finder = self._session, self._finder
        if session is not None:
            session.close()
        if finder is not None:
            finder.drop()

    @classmethod
    def _forked(cls) -> None:
        """Runs in a forked child, which has no part in what its parent reads."""
        for r in list(cls._open):
            r._busy = threading.Lock()
            if not isinstance(r._error, ClosedError):
                r._drop()
                r._error = ClosedError("%s of ring %r belongs to the process that was forked; open one here" % (r._role, r.ring))

    def __del__(self) -> None:
        if not self._begun or isinstance(self._error, ClosedError) or sys.is_finalizing():
            return
        if self._session is not None and not self._session.hung_up:
            warnings.warn("%s of ring %r was not closed" % (self._role, self.ring), ResourceWarning, source=self)
        self._drop()

    def __iter__(self) -> Iterator[F]:
        return self

    def __next__(self) -> F:
        try:
            return self.next()
        except EndOfRing:
            raise StopIteration from None

    def __aiter__(self) -> AsyncIterator[F]:
        return self

    async def __anext__(self) -> F:
        try:
            return await self.next_async()
        except EndOfRing:
            raise StopAsyncIteration from None

    def __enter__(self: R) -> R:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()

    async def __aenter__(self: R) -> R:
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()


class Opening(Coroutine[Any, Any, R]):
    """A reader that is being opened: await it, or use it in async with, which closes the
    reader at the end of the block. Cancelling ends the attempt and leaves nothing open."""

    def __init__(self, opening: Coroutine[Any, Any, R]) -> None:
        self._opening = opening

    def __await__(self) -> Generator[Any, None, R]:
        return self._opening.__await__()

    def send(self, value: Any) -> Any:
        """Runs the coroutine on; for event loops."""
        return self._opening.send(value)

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> Any:
        """Raises an exception in the coroutine; for event loops."""
        if value is None and trace is None:
            return self._opening.throw(kind)
        return self._opening.throw(kind, value, trace)

    def close(self) -> None:
        """Ends the coroutine; for event loops."""
        self._opening.close()

    async def __aenter__(self) -> R:
        self._reader = await self._opening
        return self._reader

    async def __aexit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self._reader.close()


os.register_at_fork(after_in_child=Waiting._forked)
