"""The handshake with a writer, and looking for one. Nothing here waits: a step does what
can be done now, and says what to wait for.
"""

import array
import os
import socket
import struct
import time
from typing import List, Optional, Tuple

from . import _layout as L
from ._packet import PACKET_BYTES
from ._park import Parking
from .directory import SOCKET, Directory, Path, check_file
from .errors import HandshakeError, NdringError, NoRingError, refusal
from .identity import table_bytes
from .message import Hello, Note, Refusal, Welcome, decode
from .segment import Segment, map_file, read_identity
from .session import HangUp, Session, rouse
from .table import Table, decode_table_head

ANSWER_SECONDS = 5.0  # from hello to welcome
_MAX_DESCRIPTORS = 16


class Handshake:
    """One attempt, from connecting to the welcome. With segment, an earlier mapping of
    the same ring goes on being used.

    Raises NoRingError when nobody serves the ring, HangUp when the writer went away
    meanwhile, RefusedError, HandshakeError, DirError, or those of the files.
    """

    def __init__(self, directory: Path, ring: str, hello: Hello, segment: Optional[Segment]) -> None:
        self._ring = ring
        self._hello = hello
        self._segment = segment
        self._resets = 0
        self.deadline = time.monotonic() + ANSWER_SECONDS
        try:
            d = Directory(directory)
        except FileNotFoundError as e:
            raise NoRingError("ring %r: no directory %r" % (ring, e.filename)) from e
        with d:
            self.sock = _connect(d, ring)
        try:
            _check_peer(self.sock, ring)
            self._send(hello.encode())  # a refusal may be there all the same
        except BaseException:
            self.sock.close()
            raise

    def _send(self, packet: bytes) -> None:
        try:
            self.sock.send(packet, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            pass

    def step(self) -> Optional[Session]:
        """The session, or None while the answer is not there. After an error the
        attempt is over."""
        fds: List[int] = []
        try:
            packet, fds = self._answer()
            if not packet:
                if time.monotonic() < self.deadline:
                    return None
                raise HangUp("no answer to hello within %g s" % ANSWER_SECONDS)
            welcome = _welcome(packet, self._ring)
            return Session(self.sock, welcome, *_adopt(welcome, fds, self._hello, self._segment))
        except BaseException:
            self.sock.close()
            raise
        finally:
            for fd in fds:
                os.close(fd)

    def _answer(self) -> Tuple[bytes, List[int]]:
        """The first packet and its descriptors; empty if none is there. It may come just
        before a hang-up that hides it once."""
        while True:
            try:
                packet, control, flags, _ = self.sock.recvmsg(
                    PACKET_BYTES, socket.CMSG_SPACE(4 * _MAX_DESCRIPTORS), socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return b"", []
            except ConnectionResetError:
                self._resets += 1
                if self._resets > 1:
                    raise HangUp("writer hung up before it answered") from None
                continue
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

    def give_up(self) -> None:
        """Ends the attempt. A reader that no place is kept for takes its leave, in case
        it has one."""
        if not (self._hello.name and self._hello.keep_ms):
            self._send(Note(L.MSG_GOODBYE, 0, self._hello.position).encode())
        self.sock.close()


def _connect(d: Directory, ring: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        sock.connect(d.through(ring + SOCKET))
        return sock
    except (FileNotFoundError, ConnectionRefusedError) as e:
        sock.close()
        raise NoRingError("ring %r in %r has no living writer" % (ring, d.path)) from e
    except BlockingIOError as e:
        sock.close()
        raise HangUp("ring %r in %r: its writer takes no connection" % (ring, d.path)) from e
    except BaseException:
        sock.close()
        raise


def _check_peer(sock: socket.socket, ring: str) -> None:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, uid, _ = struct.unpack("iII", raw)
    if uid not in (0, os.geteuid()):
        raise refusal("writer runs as uid %d, this process as uid %d" % (uid, os.geteuid()), L.CODE_DENIED, 0, ring)


def _welcome(packet: bytes, ring: str) -> Welcome:
    try:
        answer = decode(packet)
    except NdringError as e:
        raise HandshakeError("answer to hello: %s" % e) from e
    if isinstance(answer, Refusal):
        raise refusal(answer.sentence, answer.code, answer.position, ring)
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
    """Connects again and again until a writer answers or the patience ends. A writer
    that is there when it ends may take ANSWER_SECONDS to answer only if there was no
    patience at all."""

    def __init__(self, directory: Path, ring: str, patience: Optional[float]) -> None:
        self.directory = directory
        self.ring = ring
        self._patience = patience
        self._deadline = None if patience is None else time.monotonic() + patience
        self._pause = 0.001
        self._retry = 0.0  # when to connect again
        self._why: Optional[NdringError] = None
        self._attempt: Optional[Handshake] = None
        self._over = False
        self.left = False  # nobody was there although the ring had ended before the attempt

    def step(self, hello: Hello, segment: Optional[Segment] = None, over: bool = False) -> Optional[Session]:
        """Does what can be done now. None means: wait as wants says, then try again. over
        says that the ring has ended; a writer that ends it during an attempt waits for
        its readers."""
        try:
            if self._attempt is None:
                if time.monotonic() < self._retry and not self.expired:
                    return None
                self._over = over
                self._attempt = Handshake(self.directory, self.ring, hello, segment)
            session = self._attempt.step()
            if session is not None:
                self._attempt = None
            return session
        except (NoRingError, HangUp) as e:
            self._attempt = None
            self._why = e
            self.left = self._over
            self._pause = min(2 * self._pause, 0.05)
            self._retry = time.monotonic() + self._pause
            return None
        except BaseException:
            self._attempt = None
            raise

    @property
    def connected(self) -> bool:
        """Whether a writer was reached that has not answered yet."""
        return self._attempt is not None

    @property
    def wants(self) -> Tuple[Tuple[int, ...], float]:
        """Descriptors with news, and after how many seconds at most to go on."""
        now = time.monotonic()
        until, fds = self._retry, ()
        if self._attempt is not None:
            until, fds = self._attempt.deadline, (self._attempt.sock.fileno(),)
            if self._patience and self._deadline is not None:
                until = min(until, self._deadline)
        return fds, max(0.0, until - now)

    @property
    def expired(self) -> bool:
        """Whether the patience is over."""
        if self._deadline is None or time.monotonic() < self._deadline:
            return False
        return self._attempt is None or bool(self._patience)

    def failure(self) -> Exception:
        """Why no writer was found in time."""
        if self._attempt is None and isinstance(self._why, NoRingError):
            return self._why
        return TimeoutError("ring %r: its writer did not answer within %g s" % (self.ring, self._patience or ANSWER_SECONDS))

    def rouse(self) -> None:
        """Ends a wait for the answer in another thread."""
        attempt = self._attempt
        if attempt is not None:
            rouse(attempt.sock)

    def close(self) -> None:
        """Ends the search."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.give_up()

    def drop(self) -> None:
        """Closes the descriptors alone."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.sock.close()
