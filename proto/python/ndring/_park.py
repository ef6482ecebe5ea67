"""Park mode, a reader's half: its words in the reader table, and the doorbells.

A reader in park mode sees frames by their commit words and stores its cursor itself;
nothing passes over the socket while both sides keep up. What that needs beyond aligned
loads and stores is a full fence and an atomic exchange, which libatomic gives through
ctypes: see _order. docs/layout.md, "Parking".
"""

import ctypes
import os
import select
from typing import Any, Optional

from . import _layout as L
from . import _order
from .errors import HandshakeError
from .message import Hello, Welcome
from .table import Table

SAFETY_SECONDS = 0.1  # no sleep is longer
_EVENTFD = "anon_inode:[eventfd]"
_HALF = 1 << 63
_M = (1 << 64) - 1


class Parking:
    """One connection's slot. The descriptors given are taken over by copies."""

    def __init__(self, table: Table, welcome: Welcome, hello: Hello, bell: int, writer_bell: int) -> None:
        self._table = table
        self._words = table.words
        self._slot, self._generation = welcome.slot, welcome.generation
        self._state, self._cursor = table.index(welcome.slot, L.SL_STATE), table.index(welcome.slot, L.SL_CURSOR)
        self._next, self._parked = table.index(welcome.slot, L.SL_NEXT), table.index(welcome.slot, L.SL_PARKED)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(table.buffer))  # type: ignore[arg-type]
        asymmetric = bool(welcome.flags & L.WELCOME_ASYMMETRIC)
        self._fenced = not (asymmetric and hello.flags & L.HELLO_ASYMMETRIC)
        self._barrier = asymmetric and bool(hello.flags & L.HELLO_BARRIER)
        self.armed = False
        self._poll: Optional[Any] = None
        self.bell = self._writer_bell = -1
        try:
            self.bell, self._writer_bell = _adopt_bell(bell), _adopt_bell(writer_bell)
        except BaseException:
            self.close()
            raise
        _order.store_release(self._words, table.index(welcome.slot, L.SL_FLAGS), 0 if self._fenced else L.READER_ASYMMETRIC)

    def release(self, end: int) -> None:
        """Stores the cursor and wakes a writer that waits for it. SYNC: park."""
        words = self._words
        _order.store_release(words, self._cursor, end)
        if self._fenced:
            _order.fence()
        wanted = words[L.TB_WRITER_PARKED >> 3]
        if wanted and (end - (wanted & ~L.KIND_MASK)) & _M < _HALF and self._swap(L.TB_WRITER_PARKED >> 3):
            _order.ring_bell(self._writer_bell)

    def arm(self, position: int) -> None:
        """Says that this reader is about to sleep. The caller looks again before it
        does. SYNC: park."""
        words = self._words
        _order.store_release(words, self._next, position)
        _order.store_release(words, self._parked, 1)
        _order.store_release(words, L.TB_READERS_PARKED >> 3, 1)
        _order.fence()
        if self._barrier:
            _order.barrier()
        self.armed = True

    def disarm(self) -> bool:
        """Takes that back. Reports whether the doorbell was rung meanwhile."""
        self.armed = False
        rung = self._swap(self._parked) == 0
        _order.hush_bell(self.bell)
        return rung

    @property
    def evicted(self) -> bool:
        """Whether the slot says so."""
        word = self._words[self._state]
        return word & 0xff == L.SLOT_EVICTED and word >> 32 == self._generation

    def fileno(self, socket: int) -> int:
        """One descriptor for the doorbell and the socket."""
        if self._poll is None:
            self._poll = select.epoll()
            self._poll.register(self.bell, select.EPOLLIN)
            self._poll.register(socket, select.EPOLLIN)
        return int(self._poll.fileno())

    def _swap(self, index: int) -> int:
        return _order.exchange(self._address + 8 * index, 0)

    def close(self) -> None:
        """Closes the descriptors; the collector unmaps the table."""
        for fd in (self.bell, self._writer_bell):
            if fd >= 0:
                os.close(fd)
        self.bell = self._writer_bell = -1
        if self._poll is not None:
            self._poll.close()


def _adopt_bell(fd: int) -> int:
    """A copy of a doorbell, made non-blocking."""
    kind = os.readlink("/proc/self/fd/%d" % fd)
    if kind != _EVENTFD:
        raise HandshakeError("received doorbell is %r" % kind)
    os.set_blocking(fd, False)
    return os.dup(fd)
