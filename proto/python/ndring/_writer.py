"""The writer's half of a ring: room, commits, tail, limit, marks, gate and slots.

One thread claims and commits; the server's thread attaches and detaches readers. Both
hold lock wherever the gate, the limit or a slot is concerned, so that raising the
limit and attaching a reader exclude each other. A commit takes no lock.
"""

import ctypes
import os
import select
import threading
import time
from typing import Callable, Optional, Tuple

from . import _layout as L
from . import _order
from ._recover import recover
from ._slots import Slot, Slots
from ._store import Store, now_ns
from .errors import DroppedError, FinishedError
from .header import describe
from .segment import Segment, add, ahead
from .table import Table

SAFETY_SECONDS = 0.1  # no sleep is longer


class Writer(Slots):
    """Takes over a segment: a new one, or one whose writer died."""

    def __init__(self, store: Store, free_run: bool, asymmetric: bool) -> None:
        self.lock = threading.RLock()
        self.segment: Segment = store.segment
        self.table: Table = store.table
        self.slots = [Slot() for _ in range(self.table.head.slots)]
        self.free_run = free_run
        self.asymmetric = asymmetric  # readers that park run membarrier
        self.fenced = not asymmetric
        self.parking = False  # a reader in park mode was here
        self.waiting: Optional[int] = None  # the cursor that the committing thread waits for
        self.finished = False
        self.on_evict: Callable[[int, int], None] = lambda slot, code: None
        s = self.segment
        if store.resumed:
            self.pos, self.number = recover(s)
        else:
            self.pos, self.number = s.identity.start, 0
        self.limit = self.pos  # proven against every cursor by this writer
        self.stored_tail = self.pos
        self._mark = self.pos  # the first frame at or beyond it becomes a mark
        self.saw_reader = bool(s.word(L.WR_FLAGS) & L.WRITER_SAW_READER)
        self.old = store.old
        if store.old is not None:
            self._inherit(store.old)
        self.bell = _order.eventfd()
        s.words[s.commit_index(self.pos)] = 0
        self.store_tail()
        s.set_word(L.WR_PID, os.getpid())
        s.set_word(L.WR_STARTED_NS, now_ns())
        s.set_word(L.WR_BLOCKED_SINCE, 0)
        self._store_flags()
        s.set_word(L.WR_FINAL, 0)
        s.set_word(L.WR_EPOCH, self.table.head.epoch)

    def close(self) -> None:
        """Gives the doorbell back."""
        if self.bell >= 0:
            os.close(self.bell)
            self.bell = -1

    # Commits.

    def store_tail(self) -> None:
        """Publishes number, then tail, for attach, inspection and recovery."""
        s = self.segment
        s.set_word(L.WR_NUMBER, self.number)
        s.set_word(L.WR_TAIL_NS, now_ns())
        s.set_word(L.WR_TAIL, self.pos)
        self.stored_tail = self.pos

    def reserve(self, size: int, frames: int, timeout: Optional[float]) -> int:
        """Waits for room for size bytes that do not cross the wrap, and returns where
        they start."""
        if self.finished:
            raise FinishedError("ring %r has ended" % self.segment.identity.name)
        s = self.segment
        at = self.pos
        left = s.to_wrap(at)
        if size > left:
            at = add(at, left)
        need = add(at, size + L.LINE_BYTES)
        if ahead(need, self.limit) > 0:
            self._raise(need, frames, timeout)
        return at

    def publish(self, at: int, kind: int, end: int, frames: int, large: bool) -> None:
        """Makes what was written from at to end visible, with the padding before it.
        Everything but the first commit word and the word at end is in place."""
        s = self.segment
        words, first = s.words, self.pos
        words[(s.data_off + (end & s.mask)) >> 3] = 0
        if large:
            _order.fence()  # the copy may have used stores that the processor reorders
        i = (s.data_off + (at & s.mask)) >> 3
        if at != first:
            _order.store_release(words, i, at | kind)
            kind, i = L.KIND_PADDING, s.commit_index(first)
            words[i + 1] = self.number
            words[i + 2] = describe(ahead(at, first) - L.BASE_BYTES, 0, 1, 0)
        _order.store_release(words, i, first | kind)  # SYNC: commit
        self.pos = end
        self.number += frames
        if ahead(end, self._mark) > 0:
            self._pass_mark(first)
        if self.parking:
            self.wake_readers()

    def _pass_mark(self, first: int) -> None:
        """Runs when a commit reaches beyond the start of a 1/64 of the ring that has
        no mark in this lap yet."""
        s = self.segment
        if ahead(first, self._mark) >= 0:
            s.set_word(L.WR_MARKS + 8 * s.mark_index(first), first)
            size = s.capacity // L.MARK_COUNT
            self._mark = add(first & -size, size)
        self.store_tail()

    def wake_readers(self) -> None:
        """Rings whoever parked. SYNC: park."""
        if self.fenced:
            _order.fence()
        words = self.table.words
        i = L.TB_READERS_PARKED >> 3
        if not words[i]:
            return
        _order.exchange(self._address(i), 0)
        for n, slot in enumerate(self.slots):
            bell = slot.bell
            if bell >= 0 and _order.exchange(self._address(self.table.index(n, L.SL_PARKED)), 0):
                _order.ring_bell(bell)

    def _address(self, index: int) -> int:
        if self._table_address is None:
            self._table_address = ctypes.addressof(ctypes.c_char.from_buffer(self.table.buffer))  # type: ignore[arg-type]
        return self._table_address + 8 * index

    _table_address: Optional[int] = None

    def finish(self) -> None:
        """Ends the ring at the last committed frame."""
        if self.finished:
            return
        self.finished = True
        self.store_tail()
        self.segment.set_word(L.WR_FINAL, self.pos | 1)
        if self.parking:
            _order.fence()
            self.table.words[L.TB_READERS_PARKED >> 3] = 1
            self.wake_readers()

    # The gate.

    def gate(self) -> Tuple[int, int]:
        """The lowest cursor of the readers that gate, and its slot; -1 for a first
        reader that has not come. Under lock."""
        s = self.segment
        if not self.saw_reader and not self.free_run:
            limit = s.word(L.WR_LIMIT)
            start = s.identity.start
            return (start if ahead(limit, start) <= s.capacity else add(limit, -s.capacity)), -1
        lowest, slowest = self.pos, -1
        for i, slot in enumerate(self.slots):
            if not slot.gating:
                continue
            if slot.bell >= 0 and not self._accept(i, slot):
                continue
            if ahead(slot.cursor, lowest) < 0:
                lowest, slowest = slot.cursor, i
        return lowest, slowest

    def _accept(self, i: int, slot: Slot) -> bool:
        """Takes over the cursor of a reader in park mode, or gives the reader up."""
        cursor = self.table.words[self.table.index(i, L.SL_CURSOR)]
        if cursor == slot.cursor:
            return True
        if ahead(cursor, slot.cursor) >= 0 and ahead(self.pos, cursor) >= 0 and cursor % L.LINE_BYTES == 0:
            slot.cursor = cursor
            return True
        slot.gating = False
        self.on_evict(i, L.CODE_CURSOR)
        return False

    def _raise(self, need: int, frames: int, timeout: Optional[float]) -> None:
        """Makes room up to need, and a little more if there is room for it already.
        SYNC: limit: stored, then a fence, before anything is stored beyond the old
        one; attaching excludes it."""
        s = self.segment
        wanted = add(need, -s.capacity)
        with self.lock:
            if self._prove(need):
                return
        if s.identity.policy == L.POLICY_DROP_NEWEST:
            s.set_word(L.WR_DROPPED, s.word(L.WR_DROPPED) + frames)
            raise DroppedError("ring %r is full, frame dropped" % s.identity.name)
        while True:
            self.await_gate(wanted, timeout)
            with self.lock:
                if self._prove(need):
                    return

    def _prove(self, need: int) -> bool:
        s = self.segment
        gate, _ = self.gate()
        most = add(gate, s.capacity)
        if ahead(most, need) < 0:
            return False
        limit = add(need, s.capacity // L.LIMIT_DIVISOR)
        if ahead(limit, most) > 0:
            limit = most
        shared = s.word(L.WR_LIMIT)
        if ahead(limit, shared) <= 0 and ahead(shared, most) <= 0:
            limit = shared
        if ahead(limit, shared) > 0:
            if ahead(limit, self.stored_tail) > s.capacity:
                self.store_tail()  # recovery and observers start at a frame that is there
            s.set_word(L.WR_LIMIT, limit)
            _order.fence()
        self.limit = limit
        return True

    def await_gate(self, wanted: int, timeout: Optional[float]) -> None:
        """Waits until the gate is at wanted or beyond. Raises TimeoutError."""
        deadline = None if timeout is None else time.monotonic() + timeout
        s = self.segment
        began = time.monotonic()
        with self.lock:
            self.store_tail()
            gate, slowest = self.gate()
            if ahead(gate, wanted) >= 0:
                return
            s.set_word(L.WR_BLOCKS, s.word(L.WR_BLOCKS) + 1)
            s.set_word(L.WR_BLOCKED_BY, slowest + 1)  # who sees that the writer waits also sees for whom
            s.set_word(L.WR_BLOCKED_SINCE, now_ns())
        poll = select.poll()
        poll.register(self.bell, select.POLLIN)
        try:
            while not self._arrived(wanted):
                left = SAFETY_SECONDS if deadline is None else min(SAFETY_SECONDS, deadline - time.monotonic())
                if left <= 0:
                    raise TimeoutError("ring %r is full" % s.identity.name)
                poll.poll(int(left * 1000) + 1)
                _order.hush_bell(self.bell)
                self._evict_stuck(wanted, began)
        finally:
            with self.lock:
                self.waiting = None
                self.table.words[L.TB_WRITER_PARKED >> 3] = 0
                s.set_word(L.WR_BLOCKED_NS, s.word(L.WR_BLOCKED_NS) + int((time.monotonic() - began) * 1e9))
                s.set_word(L.WR_BLOCKED_SINCE, 0)

    def _arrived(self, wanted: int) -> bool:
        """Announces what is waited for, then looks at the gate. SYNC: park."""
        with self.lock:
            self.waiting = wanted
            self.table.words[L.TB_WRITER_PARKED >> 3] = wanted | 1
            if self.parking:
                _order.fence()
                if any(slot.gating and slot.asymmetric for slot in self.slots):
                    _order.barrier()
            gate, slowest = self.gate()
            self.segment.set_word(L.WR_BLOCKED_BY, slowest + 1)
            return ahead(gate, wanted) >= 0

    def _evict_stuck(self, wanted: int, began: float) -> None:
        """Dismisses readers that hold the ring up longer than they agreed to."""
        now = time.monotonic()
        with self.lock:
            for i, slot in enumerate(self.slots):
                if not slot.gating or not slot.info.evict_ms or ahead(slot.cursor, wanted) >= 0:
                    continue
                if slot.stuck_at != slot.cursor or slot.stuck_since < began:
                    slot.stuck_at, slot.stuck_since = slot.cursor, now
                elif now - slot.stuck_since >= slot.info.evict_ms / 1000:
                    slot.gating = False
                    self.on_evict(i, L.CODE_TOO_SLOW)
