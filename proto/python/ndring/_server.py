"""The control plane of a producer: a thread that accepts readers, shakes hands, tells
readers in stream mode of what is committed and takes their releases, and notices who
is gone. It never holds the committing thread up: packets are sent without waiting,
and what does not fit is replaced by the next one.
"""

import array
import heapq
import itertools
import os
import select
import selectors
import socket
import struct
import threading
import time
from typing import Callable, Dict, List, Optional, Set, Tuple

from . import _layout as L
from . import _order
from ._store import Store
from ._writer import SAFETY_SECONDS, Attached, Writer
from .directory import SOCKET
from .errors import NdringError, NoPositionError, RefusedError, SlotError, VersionError
from .identity import table_bytes
from .message import Hello, Note, Refusal, Welcome, decode_hello, decode_note
from .segment import ahead

HELLO_SECONDS = 2.0
_CUT_SECONDS = 1.0  # a cut connection of a living reader in park mode
_LINGER_SECONDS = 0.0001  # between announcements while commits keep coming
_SO_PEERPIDFD = 77
_PACKET = L.MESSAGE_MAX + 1
_GREETING, _ATTACHED, _SEVERED, _GONE = range(4)
_NO_PARK = "this writer serves readers in stream mode only: ask for stream mode"


class Timer:
    """Something to be done later, unless it is cancelled."""

    def __init__(self, do: Callable[[], None]) -> None:
        self.do: Optional[Callable[[], None]] = do

    def cancel(self) -> None:
        self.do = None


class LostSlot:
    """A slot whose reader is gone but may come back."""

    def __init__(self, name: str, generation: int, pid: int, timer: Timer) -> None:
        self.name = name
        self.generation = generation
        self.pid = pid
        self.timer = timer
        self.owner: Optional[Connection] = None  # severed, its process alive


class Connection:
    """The server's end of one control connection. Under the writer's lock."""

    def __init__(self, server: "Server", sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.stage = _GREETING
        self.slot = -1
        self.generation = 0
        self.hello = Hello()
        self.stream = False
        self.announced = 0
        self.evicted = False
        self.left = False
        self.bell = -1
        self.pidfd = -1
        self.pid = 0
        self._unsent: Dict[int, Note] = {}  # by type, in order of insertion
        self.timer = server.after(HELLO_SECONDS, lambda: self.refuse(L.CODE_MALFORMED, 0, "no hello within %g s" % HELLO_SECONDS))

    def identify(self) -> None:
        """Finds out who connected and refuses other users."""
        self.pid, uid, _ = struct.unpack("iII", self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (0, os.geteuid()):
            self.refuse(L.CODE_DENIED, 0, "this ring serves processes of its own user only")

    # Receiving.

    def ready(self) -> None:
        """Serves what came, and sends what is kept."""
        self.flush()
        while self.stage in (_GREETING, _ATTACHED):
            try:
                packet = self.sock.recv(_PACKET, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self.hang_up()
            elif self.stage == _GREETING:
                self._greet(packet)
            else:
                self._note(packet)

    def _note(self, packet: bytes) -> None:
        try:
            note = decode_note(packet)
        except NdringError:
            self._violation(L.CODE_MALFORMED)
            return
        if note.type == L.MSG_RELEASED:
            if not self.stream or self.slot < 0:
                self._violation(L.CODE_MALFORMED)
            elif not self.evicted and not self.server.writer.released(self.slot, note.position):
                self._violation(L.CODE_CURSOR)
        elif note.type == L.MSG_PING:
            self.offer(Note(L.MSG_PONG, 0, note.position))
        elif note.type == L.MSG_GOODBYE:
            self.left = True
            self.hang_up()
        elif note.type != L.MSG_PONG:
            self._violation(L.CODE_MALFORMED)

    def _violation(self, code: int) -> None:
        if self.slot < 0 or self.evicted:
            self.hang_up()
        else:
            self.server.evict(self.slot, code)

    # The handshake.

    def _greet(self, packet: bytes) -> None:
        self.timer.cancel()
        server = self.server
        try:
            self.hello = h = decode_hello(packet)
        except VersionError as e:
            return self.refuse(L.CODE_VERSION, 0, str(e))
        except NdringError as e:
            return self.refuse(L.CODE_MALFORMED, 0, str(e))
        ring_id = server.writer.segment.identity.ring_id
        if h.ring_id not in (bytes(16), ring_id):
            return self.refuse(L.CODE_RING_ID, 0, "the ring was replaced: its id is %s, the client knew %s" % (ring_id.hex(), h.ring_id.hex()))
        if h.role == L.ROLE_OBSERVER:
            return self._observe()
        if h.wake == L.WAKE_PARK and not server.park:
            return self.refuse(L.CODE_DENIED, 0, _NO_PARK)
        self._watch_process()
        if h.wake == L.WAKE_PARK:
            self.bell = _order.eventfd()
        try:
            got, resumed = self._place()
        except RefusedError as e:
            return self.refuse(e.code, e.position, e.sentence)
        self.slot, self.generation, self.stream = got.slot, got.generation, h.wake == L.WAKE_STREAM
        server.by_slot[got.slot] = self
        flags = (L.WELCOME_RESUMED if resumed else 0) | (L.WELCOME_NEWER if got.newer else 0)
        fds = [server.segment_fd, server.table_read_fd]
        if not self.stream:
            fds = [server.segment_fd, server.table_full_fd, self.bell, server.writer.bell]
        self._welcome(got.start, got.slot, got.generation, flags, got.oldest, got.tail, fds)

    def _observe(self) -> None:
        self.stream = True
        w = self.server.writer
        self._welcome(0, L.NO_SLOT, 0, 0, w.segment.oldest(), w.pos, [self.server.segment_fd, self.server.table_read_fd])

    def _place(self) -> Tuple[Attached, bool]:
        """Finds a slot: the one the reader had, if it is kept, or a free one."""
        h, server = self.hello, self.server
        self._check_name_free()
        slot, lost = server.lost_slot_of(self.pid, h)
        if lost is not None:
            position = h.position
            if not h.flags & L.HELLO_RECONNECT:
                position = server.writer.slots[slot].cursor
            try:
                got = server.writer.reattach(slot, lost.generation, position, h, self.pid, self.bell)
                server.take_back(slot)
                return got, True
            except (SlotError, NoPositionError):
                server.forget(slot)
        if h.flags & L.HELLO_RECONNECT:
            server.end_quarantine(self.pid, h)
            h = h._replace(start=L.START_POSITION)
        return server.writer.attach(h, self.pid, self.bell), False

    def _check_name_free(self) -> None:
        name = self.hello.name
        for other in list(self.server.clients):
            if not name or other is self or other.slot < 0 or other.hello.name != name or other._departed(self.pid):
                continue
            raise RefusedError("reader name %r is in use by pid %d" % (name, other.pid), L.CODE_NAME_IN_USE)

    def _departed(self, pid: int) -> bool:
        """Whether this reader's process has ended, or comes back."""
        if self.stage == _SEVERED and self.pid == pid:
            return True
        if self.pidfd < 0 or not _readable(self.pidfd, 0.02 if self.stage == _SEVERED else 0):
            return False
        self.process_ended()
        return True

    def _watch_process(self) -> None:
        try:
            self.pidfd = self.sock.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
        except OSError:
            try:
                self.pidfd = os.pidfd_open(self.pid)
            except OSError:
                return
        os.set_inheritable(self.pidfd, False)
        self.server.watch(self.pidfd, self.process_ended)

    def _welcome(self, start: int, slot: int, generation: int, flags: int, oldest: int, tail: int, fds: List[int]) -> None:
        w = self.server.writer
        identity = w.segment.identity
        if w.asymmetric:
            flags |= L.WELCOME_ASYMMETRIC
        welcome = Welcome(
            L.VERSION_MAJOR, L.VERSION_MINOR, start, identity.ring_id, w.table.head.epoch, slot, generation, flags,
            len(fds), oldest, tail, table_bytes(identity.slots))
        self.stage, self.announced = _ATTACHED, tail
        try:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())]
            self.sock.sendmsg([welcome.encode()], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return self.hang_up()
        if self.server.final is not None:
            self.offer(Note(L.MSG_CLOSED, 0, self.server.final))

    def refuse(self, code: int, position: int, sentence: str) -> None:
        """Answers a hello that is not accepted and ends the connection."""
        try:
            self.sock.send(Refusal(code, position, sentence).encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            pass  # who does not wait for the answer misses nothing
        self.release()

    # Sending.

    def offer(self, note: Note) -> None:
        """Sends a note now or when there is room."""
        if self.stage == _ATTACHED:
            self._unsent[note.type] = note
            self.flush()

    def flush(self) -> None:
        for kind, note in list(self._unsent.items()):
            try:
                self.sock.send(note.encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                break
            except OSError:
                pass  # the hang-up comes as an event of its own
            del self._unsent[kind]
        self.server.want_write(self, bool(self._unsent))

    # Ending.

    def hang_up(self) -> None:
        """Ends the connection and decides what becomes of its reader's slot."""
        if self.stage != _ATTACHED or self.slot < 0:
            return self.release()
        park = self.hello.wake == L.WAKE_PARK
        alive = park and not self.left and self.pidfd >= 0 and not _readable(self.pidfd, 0)
        grace = self._keep()
        if alive:
            grace = max(grace, _CUT_SECONDS)
        if self.left or self.evicted or not grace:
            return self._part(alive)
        self.server.writer.lose(self.slot)
        lost = self.server.lose(self.slot, self.hello.name, self.generation, self.pid, grace)
        if alive:
            lost.owner = self
            self._sever()
        else:
            self.release()

    def _keep(self) -> float:
        return self.hello.keep_ms / 1000 if self.hello.name else 0.0

    def _part(self, alive: bool) -> None:
        """Gives the slot up, at once or when the process ends."""
        if alive:
            return self._sever()
        slot = self.slot
        self.release()
        self.server.writer.detach(slot)

    def part(self) -> None:
        self._part(False)

    def _sever(self) -> None:
        self.stage = _SEVERED
        self.server.unwatch(self.sock.fileno())
        self.sock.close()

    def process_ended(self) -> None:
        """The peer's process has ended, even if another holds its end of the socket."""
        if self.stage == _GREETING:
            self.release()
        elif self.stage == _ATTACHED:
            self.hang_up()
        elif self.evicted:
            self._part(False)
        elif self._keep():
            lost = self.server.lost.get(self.slot)
            if lost is not None:
                lost.owner = None
            self.release()
        else:
            slot = self.slot
            self.release()
            self.server.forget(slot)

    def release(self) -> None:
        """Closes what belongs to the connection. The slot is not touched."""
        if self.stage == _GONE:
            return
        was, self.stage = self.stage, _GONE
        server = self.server
        server.clients.discard(self)
        if server.by_slot.get(self.slot) is self:
            del server.by_slot[self.slot]
        self.timer.cancel()
        if was != _SEVERED:
            server.unwatch(self.sock.fileno())
            self.sock.close()
        if self.pidfd >= 0:
            server.unwatch(self.pidfd)
            os.close(self.pidfd)
        if self.bell >= 0:
            os.close(self.bell)


class Server:
    """Serves one ring from a thread of its own."""

    def __init__(self, store: Store, writer: Writer, park: bool, grace: float) -> None:
        self.writer = writer
        self.park = park
        self.clients: Set[Connection] = set()
        self.by_slot: Dict[int, Connection] = {}
        self.lost: Dict[int, LostSlot] = {}
        self.final: Optional[int] = None
        self.asleep = False
        self._timers: List[Tuple[float, int, Timer]] = []
        self._count = itertools.count()
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._bell = _order.eventfd()
        self.segment_fd = store.reopen(store.segment_fd, os.O_RDONLY)
        self.table_read_fd = store.reopen(store.table_fd, os.O_RDONLY)
        self.table_full_fd = store.reopen(store.table_fd, os.O_RDWR)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        writer.on_evict = self.evict
        for i in writer.lost():
            info = writer.slots[i].info
            self.lose(i, info.name, info.generation, info.pid, max(grace, info.keep_ms / 1000))
        store.directory.remove(store.ring + SOCKET)
        self._listener.bind(store.directory.through(store.ring + SOCKET))
        self._listener.listen(128)
        self.watch(self._listener.fileno(), self._accept)
        self.watch(self._bell, lambda: _order.hush_bell(self._bell))
        self._thread = threading.Thread(target=self._run, name="ndring server", daemon=True)
        self._thread.start()

    # The loop.

    def _run(self) -> None:
        announced = 0.0
        while not self._stopping:
            self.asleep = True
            for key, _ in self._selector.select(self._patience()):
                if not isinstance(key.data, Connection):
                    with self.writer.lock:
                        if self._selector.get_map().get(key.fd) is key:
                            key.data()
                    continue
                with self.writer.lock:
                    if key.data.stage in (_GREETING, _ATTACHED):
                        key.data.ready()
            self.asleep = False
            with self.writer.lock:
                self._due()
                told = self._announce()
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

    def _behind(self) -> bool:
        position = self.writer.pos
        return any(c.stream and c.announced != position for c in list(self.clients) if c.stage == _ATTACHED)

    def _announce(self) -> bool:
        """Tells readers in stream mode how far the ring is committed."""
        told = False
        position = self.writer.pos
        for c in self.clients:
            if c.stream and c.stage == _ATTACHED and ahead(position, c.announced) > 0:
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
            except OSError:
                return
            sock.setblocking(False)
            c = Connection(self, sock)
            self.clients.add(c)
            self.watch(sock.fileno(), c)
            if len(self.clients) > len(self.writer.slots) + 256:
                c.refuse(L.CODE_TABLE_FULL, 0, "too many connections")
            else:
                c.identify()

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

    def lose(self, slot: int, name: str, generation: int, pid: int, grace: float) -> LostSlot:
        """Keeps a slot for the grace time."""
        lost = LostSlot(name, generation, pid, self.after(grace, lambda: self.forget(slot)))
        self.lost[slot] = lost
        return lost

    def forget(self, slot: int) -> None:
        """Ends the wait for a lost slot's reader."""
        lost = self.lost.pop(slot, None)
        if lost is None:
            return
        lost.timer.cancel()
        if lost.owner is not None and lost.owner.stage == _SEVERED:
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
        if c is not None and c.stage == _SEVERED and c.evicted and c.pid == pid and c.generation == h.generation:
            c.part()

    # Ending.

    def finish(self, final: int) -> None:
        """Tells everybody where the ring ends."""
        with self.writer.lock:
            self.final = final
            for c in list(self.clients):
                c.offer(Note(L.MSG_CLOSED, 0, final))
        self.wake()

    def stop(self) -> None:
        """Hangs up on everybody and waits for the thread."""
        self._stopping = True
        self.wake()
        self._thread.join()

    def _close(self) -> None:
        for c in list(self.clients):
            c.release()
        self._listener.close()
        self._selector.close()
        for fd in (self._bell, self.segment_fd, self.table_read_fd, self.table_full_fd):
            os.close(fd)
        self._bell = -1


def _readable(fd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(int(seconds * 1000)))
