"""A client's end of the control socket after the handshake: the notes that follow.
Nothing here waits but wait_readable."""

import select
import socket
from typing import Optional, Sequence

from . import _layout as L
from ._packet import receive
from ._park import Parking
from .errors import NdringError
from .message import Note, Welcome, decode_note
from .segment import Segment

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


def rouse(sock: socket.socket) -> None:
    """Makes a wait for a socket end, in whatever thread it is."""
    try:
        sock.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # nobody waits for a closed one


def wait_readable(fds: Sequence[int], seconds: Optional[float], write: bool = False) -> bool:
    """Sleeps until a descriptor has news, or room in the first one if write is set, or the
    time is over. Reports whether there is news."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN | (select.POLLOUT if write and fd == fds[0] else 0))
    return bool(poll.poll(None if seconds is None else max(0, int(min(seconds, _LONGEST_SECONDS) * 1000 + 0.999))))
