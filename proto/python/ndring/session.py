"""A client's end of the control socket: finding the writer, the handshake, and the
notes that follow. Nothing here waits but open_session, which has its own limit."""

import array
import os
import select
import socket
import struct
import time
from typing import List, Optional, Sequence, Tuple

from . import _layout as L
from ._packet import PACKET_BYTES, receive
from ._park import Parking
from .directory import SOCKET, Directory, check_file
from .errors import HandshakeError, NdringError, NoRingError, refusal
from .identity import table_bytes
from .message import Hello, Note, Refusal, Welcome, decode, decode_note
from .segment import Segment, map_file, read_identity
from .table import Table, decode_table_head

ANSWER_SECONDS = 5.0  # from hello to welcome
_MAX_DESCRIPTORS = 16
_LONGEST_SECONDS = 1e6  # of one sleep; poll takes no more than 32 bits of milliseconds


class HangUp(NdringError):
    """The writer's end of the control socket is gone."""


class Session:
    """One established connection, and what the welcome brought."""

    def __init__(self, sock: socket.socket, welcome: Welcome, segment: Segment, parking: Optional[Parking] = None) -> None:
        self.sock = sock
        self.welcome = welcome
        self.segment = segment
        self.parking = parking  # in park mode
        self.published = welcome.tail
        self.hung_up = False
        self.evicted: Optional[int] = None  # the code
        self._unsent: Optional[int] = None  # a release that found no room
        self._pong: Optional[int] = None

    def fileno(self) -> int:
        return self.sock.fileno()

    def drain(self) -> None:
        """Takes in every message that is there. A violation of the protocol counts as
        a hang-up: the connection is worth nothing any more."""
        while not self.hung_up:
            try:
                packet = receive(self.sock)
            except BlockingIOError:
                return
            try:
                if not packet:
                    raise HangUp("writer hung up")
                self._take(decode_note(packet))
            except NdringError:
                self.hung_up = True

    def _take(self, note: Note) -> None:
        if note.type in (L.MSG_PUBLISHED, L.MSG_CLOSED):
            self.advance(note.position)
        elif note.type == L.MSG_EVICTED:
            self.evicted = note.code
        elif note.type == L.MSG_PING:
            self._pong = note.position
            self.flush()

    def advance(self, position: int) -> None:
        """Takes a published position; an older one says nothing new."""
        if (position - self.published) & (1 << 64) - 1 < 1 << 63:
            self.published = position

    def release(self, position: int) -> None:
        """Tells the writer that all before position is done with, now or as soon as
        there is room."""
        self._unsent = position
        self.flush()

    def flush(self) -> bool:
        """Sends what is kept. Reports whether nothing is left."""
        if self._unsent is not None and self._send(Note(L.MSG_RELEASED, 0, self._unsent)):
            self._unsent = None
        if self._pong is not None and self._send(Note(L.MSG_PONG, 0, self._pong)):
            self._pong = None
        return self._unsent is None and self._pong is None

    @property
    def wants_write(self) -> bool:
        """Whether something is kept for want of room."""
        return (self._unsent is not None or self._pong is not None) and not self.hung_up

    def _send(self, note: Note) -> bool:
        try:
            self.sock.send(note.encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            pass  # a broken connection shows when it is read
        return True

    def goodbye(self, position: int) -> None:
        """Leaves for good."""
        if not self.hung_up:
            self._send(Note(L.MSG_GOODBYE, 0, position))

    def close(self) -> None:
        self.hung_up = True
        self.sock.close()
        if self.parking is not None:
            self.parking.close()


def open_session(directory: Optional[str], ring: str, hello: Hello, segment: Optional[Segment] = None) -> Session:
    """Connects once and shakes hands. With segment, an earlier mapping of the same
    ring goes on being used.

    Raises NoRingError when nobody serves the ring, HangUp when the writer went away
    meanwhile, RefusedError, HandshakeError, DirError, or those of the files.
    """
    try:
        d = Directory(directory)
    except FileNotFoundError as e:
        raise NoRingError("ring %r: no directory %r" % (ring, e.filename)) from e
    with d:
        sock = _connect(d, ring)
    fds: List[int] = []
    try:
        _check_peer(sock)
        try:
            sock.send(hello.encode(), socket.MSG_NOSIGNAL)
        except OSError:
            pass  # a refusal may be there all the same
        packet, fds = _answer(sock)
        welcome = _welcome(packet)
        session = Session(sock, welcome, *_adopt(welcome, fds, hello, segment))
        sock.setblocking(False)
        return session
    except BaseException:
        sock.close()
        raise
    finally:
        for fd in fds:
            os.close(fd)


def _connect(d: Directory, ring: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        sock.settimeout(ANSWER_SECONDS)
        sock.connect(d.through(ring + SOCKET))
        return sock
    except (FileNotFoundError, ConnectionRefusedError) as e:
        sock.close()
        raise NoRingError("ring %r in %r has no living writer" % (ring, d.path)) from e
    except (BlockingIOError, socket.timeout) as e:
        sock.close()
        raise HangUp("ring %r in %r: its writer takes no connection" % (ring, d.path)) from e
    except BaseException:
        sock.close()
        raise


def _check_peer(sock: socket.socket) -> None:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, uid, _ = struct.unpack("iII", raw)
    if uid not in (0, os.geteuid()):
        raise refusal("writer runs as uid %d, this process as uid %d" % (uid, os.geteuid()), L.CODE_DENIED)


def _answer(sock: socket.socket) -> Tuple[bytes, List[int]]:
    """The first packet and its descriptors. It may come just before a hang-up that
    hides it once."""
    deadline = time.monotonic() + ANSWER_SECONDS
    resets = 0
    while True:
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            packet, control, flags, _ = sock.recvmsg(PACKET_BYTES, socket.CMSG_SPACE(4 * _MAX_DESCRIPTORS), socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            resets += 1
            if resets > 1:
                raise HangUp("writer hung up before it answered") from None
            continue
        except socket.timeout:
            raise HangUp("no answer to hello within %g s" % ANSWER_SECONDS) from None
        fds = array.array("i")
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
        if not packet or flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            for fd in fds:
                os.close(fd)
            if not packet:
                raise HangUp("writer hung up before it answered")
            raise HandshakeError("the answer to hello was cut off")
        return packet, list(fds)


def _welcome(packet: bytes) -> Welcome:
    try:
        answer = decode(packet)
    except NdringError as e:
        raise HandshakeError("answer to hello: %s" % e) from e
    if isinstance(answer, Refusal):
        raise refusal(answer.sentence, answer.code, answer.position)
    if not isinstance(answer, Welcome):
        raise HandshakeError("hello was answered by message type %d" % answer[0])
    return answer


def _adopt(welcome: Welcome, fds: List[int], hello: Hello, known: Optional[Segment]) -> Tuple[Segment, Optional[Parking]]:
    """Checks the descriptors of a welcome and maps the segment; in park mode the reader
    table, too."""
    park = hello.role == L.ROLE_READER and hello.wake == L.WAKE_PARK
    want = 4 if park else 2
    if len(fds) != want or welcome.descriptors != want:
        raise HandshakeError("welcome with %d descriptors that says %d, want %d" % (len(fds), welcome.descriptors, want))
    identity = read_identity(fds[0], "segment")
    if identity.ring_id != welcome.ring_id:
        raise HandshakeError("welcome to ring %s came with ring %s" % (welcome.ring_id.hex(), identity.ring_id.hex()))
    if hello.role == L.ROLE_READER:
        size = check_file(fds[1], "reader table")
        head = decode_table_head(os.pread(fds[1], L.TABLE_HEAD_BYTES, 0), size)
        if head.ring_id != welcome.ring_id or head.epoch != welcome.epoch or welcome.slot >= head.slots:
            raise HandshakeError("reader table of epoch %d and %d slots, the welcome says epoch %d, slot %d" % (
                head.epoch, head.slots, welcome.epoch, welcome.slot))
    parking = None
    if park:
        table = Table(map_file(fds[1], table_bytes(head.slots), writable=True), head)
        parking = Parking(table, welcome, hello, fds[2], fds[3])
    if known is not None and known.identity.ring_id == identity.ring_id:
        return known, parking
    return Segment(map_file(fds[0], identity.segment_bytes), identity), parking


class Finder:
    """Connects again and again until a writer answers or the patience ends. It never
    waits itself: step() is one attempt, pause the time until the next."""

    def __init__(self, directory: Optional[str], ring: str, patience: Optional[float]) -> None:
        self.directory = directory
        self.ring = ring
        self.deadline = None if patience is None else time.monotonic() + patience
        self.pause = 0.001
        self.why: Optional[NdringError] = None

    def step(self, hello: Hello, segment: Optional[Segment] = None) -> Optional[Session]:
        """One attempt. None means: wait for pause seconds and try again."""
        try:
            return open_session(self.directory, self.ring, hello, segment)
        except (NoRingError, HangUp) as e:
            self.why = e
            self.pause = min(2 * self.pause, 0.05)
            return None

    @property
    def expired(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline


def wait_readable(fds: Sequence[int], seconds: Optional[float], write: bool = False) -> bool:
    """Sleeps until a descriptor has news, or room in the first one if write is set, or the
    time is over. Reports whether there is news."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN | (select.POLLOUT if write and fd == fds[0] else 0))
    return bool(poll.poll(None if seconds is None else max(0, int(min(seconds, _LONGEST_SECONDS) * 1000 + 0.999))))
