"""The control plane of a producer: a thread that accepts readers, shakes hands, tells
readers in stream mode of what is committed and takes their releases, and notices who
is gone. It never holds the committing thread up: packets are sent without waiting,
and what does not fit is replaced by the next one.
"""

import errno
import heapq
import itertools
import os
import selectors
import socket
import threading
import time
from typing import Callable, Dict, List, Optional, Set, Tuple

from . import _layout as L
from . import _order
from ._connection import ATTACHED, GREETING, SEVERED, Connection, LostSlot, Timer
from ._store import Store
from ._writer import SAFETY_SECONDS, Writer
from .directory import SOCKET
from .message import Hello, Note
from .segment import ahead

_ACCEPT_PAUSE_SECONDS = 0.1  # after running out of descriptors or memory
_LINGER_SECONDS = 0.0001  # between announcements while commits keep coming


class Server:
    """Serves one ring from a thread of its own."""

    def __init__(self, store: Store, writer: Writer, park: bool, grace: float) -> None:
        self.writer = writer
        self.park = park
        self.clients: Set[Connection] = set()
        self.by_slot: Dict[int, Connection] = {}
        self.lost: Dict[int, LostSlot] = {}
        self.final: Optional[int] = None
        self.turned = threading.Condition(writer.lock)  # once the ring has ended: after each turn
        self._turns = 0
        self.parting: Optional[float] = None  # since when goodbyes are waited for
        self.asleep = False
        self._timers: List[Tuple[float, int, Timer]] = []
        self._count = itertools.count()
        self._stopping = False
        self._bell = self.segment_fd = self.table_read_fd = self.table_full_fd = -1
        self._selector = selectors.DefaultSelector()
        try:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            try:
                self._open(store, grace)
            except BaseException:
                self._listener.close()
                raise
        except BaseException:
            self._selector.close()
            self._close_files()
            raise

    def _open(self, store: Store, grace: float) -> None:
        """Opens what the thread needs, and starts it."""
        writer = self.writer
        self._bell = _order.eventfd()
        self.segment_fd = store.reopen(store.segment_fd, os.O_RDONLY)
        self.table_read_fd = store.reopen(store.table_fd, os.O_RDONLY)
        self.table_full_fd = store.reopen(store.table_fd, os.O_RDWR)
        writer.on_evict = self.evict
        for i in writer.lost():
            info = writer.slots[i].info
            keep = info.keep_ms / 1000
            self.lose(i, info.name, info.generation, info.pid, max(grace, keep), keep if info.name else 0.0)
        store.directory.remove(store.ring + SOCKET)
        try:
            self._listener.bind(store.directory.through(store.ring + SOCKET))
        except OSError as e:
            raise store.directory.refuses("make %r" % (store.ring + SOCKET), e) from e
        self._listener.listen(128)
        self.watch(self._listener.fileno(), self._accept)
        self.watch(self._bell, lambda: _order.hush_bell(self._bell))
        self._thread = threading.Thread(target=self._run, name="ndring server", daemon=True)
        self._thread.start()

    # The loop.

    def _run(self) -> None:
        announced = 0.0
        while not self._stopping:
            self.asleep = self._streaming()
            for key, _ in self._selector.select(self._patience()):
                if not isinstance(key.data, Connection):
                    with self.writer.lock:
                        if self._selector.get_map().get(key.fd) is key:
                            key.data()
                    continue
                with self.writer.lock:
                    if key.data.stage in (GREETING, ATTACHED):
                        key.data.ready()
            self.asleep = False
            with self.writer.lock:
                self._due()
                told = self._announce()
                if self.final is not None:
                    self._turns += 1
                    self.turned.notify_all()
            now = time.monotonic()
            if told and now - announced < 10 * _LINGER_SECONDS:
                time.sleep(_LINGER_SECONDS)
            if told:
                announced = now
        with self.writer.lock:
            self._close()

    def _patience(self) -> float:
        """How long to sleep. SYNC: asleep is set, then the position is read; a commit
        stores the position, then reads asleep."""
        if self._behind():
            return 0
        if not self._timers:
            return 10 * SAFETY_SECONDS
        return min(10 * SAFETY_SECONDS, max(0.0, self._timers[0][0] - time.monotonic()))

    def _streaming(self) -> bool:
        """Whether anybody is told of commits. Who comes is served by this thread first."""
        return any(c.stream and c.stage == ATTACHED for c in list(self.clients))

    def _behind(self) -> bool:
        position = self.writer.pos
        return any(c.stream and c.announced != position for c in list(self.clients) if c.stage == ATTACHED)

    def _announce(self) -> bool:
        """Tells readers in stream mode how far the ring is committed."""
        told = False
        position = self.writer.pos
        for c in self.clients:
            if c.stream and c.stage == ATTACHED and ahead(position, c.announced) > 0:
                c.announced = position
                c.offer(Note(L.MSG_PUBLISHED, 0, position))
                told = True
        return told

    def wake(self) -> None:
        """Wakes the thread; for commits, which do so only while it sleeps."""
        self.asleep = False
        _order.ring_bell(self._bell)

    def after(self, seconds: float, do: Callable[[], None]) -> Timer:
        timer = Timer(do)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._count), timer))
        return timer

    def _due(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            timer = heapq.heappop(self._timers)[2]
            if timer.do is not None:
                timer.do()

    def watch(self, fd: int, data: object) -> None:
        self._selector.register(fd, selectors.EVENT_READ, data)

    def unwatch(self, fd: int) -> None:
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            pass

    def want_write(self, c: Connection, want: bool) -> None:
        """Asks to be told when a client has room."""
        try:
            key = self._selector.get_key(c.sock.fileno())
        except (KeyError, ValueError):
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if want else 0)
        if key.events != events:
            self._selector.modify(key.fd, events, c)
            self.wake()

    def _accept(self) -> None:
        for _ in range(32):
            try:
                sock, _ = self._listener.accept()
            except OSError as e:
                if e.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._pause_accepting()
                return
            sock.setblocking(False)
            c = Connection(self, sock)
            self.clients.add(c)
            self.watch(sock.fileno(), c)
            if len(self.clients) > len(self.writer.slots) + 256:
                c.refuse(L.CODE_TABLE_FULL, 0, "too many connections")
            else:
                c.identify()

    def _pause_accepting(self) -> None:
        """Lets those who wait at the door wait: it would wake this thread at once again."""
        door = self._listener.fileno()
        self.unwatch(door)
        self.after(_ACCEPT_PAUSE_SECONDS, lambda: self.watch(door, self._accept))

    # Slots.

    def evict(self, slot: int, code: int) -> None:
        """Carries out an eviction. The slot stays taken until the reader is gone."""
        if slot in self.lost:
            return self.forget(slot)
        c = self.by_slot.get(slot)
        if c is not None and not c.evicted:
            self.writer.evict(slot)
            c.evicted = True
            c.offer(Note(L.MSG_EVICTED, code, 0))

    def lose(self, slot: int, name: str, generation: int, pid: int, grace: float, keep: float) -> LostSlot:
        """Keeps a slot for the grace time."""
        lost = LostSlot(name, generation, pid, time.monotonic() + grace, keep, self.after(grace, lambda: self.forget(slot)))
        self.lost[slot] = lost
        return lost

    def forget(self, slot: int) -> None:
        """Ends the wait for a lost slot's reader."""
        lost = self.lost.pop(slot, None)
        if lost is None:
            return
        lost.timer.cancel()
        if lost.owner is not None and lost.owner.stage == SEVERED:
            lost.owner.evicted = True
            self.writer.evict(slot)
            return
        self.writer.detach(slot)

    def take_back(self, slot: int) -> None:
        """Hands a lost slot to its reader, which has returned."""
        lost = self.lost.pop(slot)
        lost.timer.cancel()
        if lost.owner is not None:
            lost.owner.release()

    def lost_slot_of(self, pid: int, h: Hello) -> Tuple[int, Optional[LostSlot]]:
        """The slot kept for a reader: by slot and generation, or by name."""
        if h.flags & L.HELLO_RECONNECT:
            lost = self.lost.get(h.slot)
            if lost is not None and lost.generation == h.generation and lost.name == h.name and (lost.owner is None or lost.pid == pid):
                return h.slot, lost
        if h.name:
            for slot, lost in self.lost.items():
                if lost.name == h.name:
                    return slot, lost
        return -1, None

    def end_quarantine(self, pid: int, h: Hello) -> None:
        """Frees the slot of a reader that was evicted while its connection was cut,
        and comes back for another one."""
        c = self.by_slot.get(h.slot)
        if c is not None and c.stage == SEVERED and c.evicted and c.pid == pid and c.generation == h.generation:
            c.part()

    # Ending.

    def finish(self, final: int) -> None:
        """Tells everybody where the ring ends, and hears what was said before."""
        with self.writer.lock:
            self.final = final
            for c in list(self.clients):
                c.offer(Note(L.MSG_CLOSED, 0, final))
            heard = self._turns + 2  # the first turn may have begun before
            while self._turns < heard and self._thread.is_alive():
                self.wake()
                self.turned.wait(SAFETY_SECONDS)

    def stop(self) -> None:
        """Hangs up on everybody and waits for the thread."""
        self._stopping = True
        self.wake()
        self._thread.join()

    def abandon(self) -> None:
        """In a forked child: closes its copies of the descriptors. The epoll set is the
        parent's, too, and keeps what is in it."""
        self._selector.close()
        self._listener.close()
        for c in list(self.clients):
            c.sock.close()
            for fd in (c.pidfd, c.bell):
                if fd >= 0:
                    os.close(fd)
        self._close_files()

    def _close(self) -> None:
        for c in list(self.clients):
            c.release()
        self._listener.close()
        self._selector.close()
        self._close_files()

    def _close_files(self) -> None:
        for fd in (self._bell, self.segment_fd, self.table_read_fd, self.table_full_fd):
            if fd >= 0:
                os.close(fd)
        self._bell = self.segment_fd = self.table_read_fd = self.table_full_fd = -1
