"""The server's end of one control connection: handshake, notes, and what becomes of a
reader's slot when it goes. Everything here runs under the writer's lock.
"""

import array
import os
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Tuple

from . import _layout as L
from . import _order
from ._packet import receive
from ._slots import Attached
from .errors import NdringError, NoPositionError, RefusedError, SlotError, VersionError
from .identity import table_bytes
from .message import Hello, Note, Refusal, Welcome, decode_hello, decode_note

if TYPE_CHECKING:
    from ._server import Server

HELLO_SECONDS = 2.0
_CUT_SECONDS = 1.0  # a cut connection of a living reader in park mode
_SO_PEERPIDFD = 77
GREETING, ATTACHED, SEVERED, GONE = range(4)  # how far a connection has come
_NO_PARK = "this writer serves readers in stream mode only: ask for stream mode"


class Timer:
    """Something to be done later, unless it is cancelled."""

    def __init__(self, do: Callable[[], None]) -> None:
        self.do: Optional[Callable[[], None]] = do

    def cancel(self) -> None:
        self.do = None


class LostSlot:
    """A slot whose reader is gone but may come back."""

    def __init__(self, name: str, generation: int, pid: int, until: float, keep: float, timer: Timer) -> None:
        self.name = name
        self.generation = generation
        self.pid = pid
        self.until = until  # by time.monotonic
        self.keep = keep  # seconds, if it has a name and asked to be kept
        self.timer = timer
        self.owner: Optional[Connection] = None  # severed, its process alive


class Connection:
    """The server's end of one control connection. Under the writer's lock."""

    def __init__(self, server: "Server", sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.stage = GREETING
        self.slot = -1
        self.generation = 0
        self.hello = Hello()
        self.stream = False
        self.announced = 0
        self.since = 0.0  # attached, if it has a slot
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
        while self.stage in (GREETING, ATTACHED):
            try:
                packet = receive(self.sock)
            except BlockingIOError:
                return
            if not packet:
                self.hang_up()
            elif self.stage == GREETING:
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
        server.by_slot[got.slot], self.since = self, time.monotonic()
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
                position = server.writer.released_up_to(slot, lost.generation)
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
        if self.stage == SEVERED and self.pid == pid:
            return True
        if self.pidfd < 0 or not _readable(self.pidfd, 0.02 if self.stage == SEVERED else 0):
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
        self.stage, self.announced = ATTACHED, tail
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
        if self.stage == ATTACHED:
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
        if self.stage != ATTACHED or self.slot < 0:
            return self.release()
        park = self.hello.wake == L.WAKE_PARK
        alive = park and not self.left and self.pidfd >= 0 and not _readable(self.pidfd, 0)
        grace = self.keep()
        if alive:
            grace = max(grace, _CUT_SECONDS)
        if self.left or self.evicted or not grace:
            return self._part(alive)
        self.server.writer.lose(self.slot)
        lost = self.server.lose(self.slot, self.hello.name, self.generation, self.pid, grace, self.keep())
        if alive:
            lost.owner = self
            self._sever()
        else:
            self.release()

    def keep(self) -> float:
        """The grace that a named reader asked for."""
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
        self.stage = SEVERED
        self.server.unwatch(self.sock.fileno())
        self.sock.close()

    def process_ended(self) -> None:
        """The peer's process has ended, even if another holds its end of the socket."""
        if self.stage == GREETING:
            self.release()
        elif self.stage == ATTACHED:
            self.hang_up()
        elif self.evicted:
            self._part(False)
        elif self.keep():
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
        if self.stage == GONE:
            return
        was, self.stage = self.stage, GONE
        server = self.server
        server.clients.discard(self)
        if server.by_slot.get(self.slot) is self:
            del server.by_slot[self.slot]
        self.timer.cancel()
        if was != SEVERED:
            server.unwatch(self.sock.fileno())
            self.sock.close()
        if self.pidfd >= 0:
            server.unwatch(self.pidfd)
            os.close(self.pidfd)
        if self.bell >= 0:
            os.close(self.bell)


def _readable(fd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(int(seconds * 1000)))
