"""The writer's own record of its readers: who has which slot, and from where on. What the
shared table says is checked against it. All of it is done under the writer's lock."""

import threading
from typing import List, NamedTuple, Optional

from . import _layout as L
from . import _order
from ._store import now_ns
from .errors import NoPositionError, SlotError, TableFullError
from .message import Hello
from .segment import Segment, add, ahead
from .table import SlotInfo, Table

_FREE = SlotInfo(L.SLOT_FREE, 0, 0, 0, 0, 0, 0, 0, "")


class Attached(NamedTuple):
    """What a reader got."""

    slot: int
    generation: int
    start: int
    oldest: int
    tail: int
    newer: bool


class Slot:
    """The writer's own record of a reader."""

    def __init__(self) -> None:
        self.info = _FREE
        self.gating = False
        self.cursor = 0  # last accepted
        self.bell = -1  # doorbell, in park mode
        self.asymmetric = False
        self.stuck_at = -1
        self.stuck_since = 0.0


class Slots:
    """The slots of a writer, which adds commits and the gate."""

    segment: Segment
    table: Table
    old: Optional[Table]  # of the epoch before
    slots: List[Slot]
    lock: threading.RLock
    pos: int
    bell: int
    waiting: Optional[int]  # the cursor that the committing thread waits for
    free_run: bool
    asymmetric: bool
    fenced: bool
    parking: bool
    saw_reader: bool

    def _store_flags(self) -> None:
        self.segment.set_word(
            L.WR_FLAGS, (L.WRITER_ASYMMETRIC if self.asymmetric else 0) | (L.WRITER_FREE_RUN if self.free_run else 0)
            | (L.WRITER_SAW_READER if self.saw_reader else 0))

    def moved(self) -> None:
        """Wakes the committing thread if it waits: a gate moved."""
        if self.waiting is not None:
            _order.ring_bell(self.bell)

    def attach(self, hello: Hello, pid: int, bell: int) -> Attached:
        """Gives a reader a free slot. Raises TableFullError or NoPositionError."""
        i = next((i for i, slot in enumerate(self.slots) if slot.info.state == L.SLOT_FREE), -1)
        if i < 0:
            raise TableFullError("all %d slots are taken" % len(self.slots), L.CODE_TABLE_FULL)
        s, tail = self.segment, self.pos
        floor = add(s.word(L.WR_LIMIT), -s.capacity)
        oldest = s.boundary(floor, tail)
        start = {L.START_OLDEST: oldest, L.START_LATEST: tail}.get(hello.start, hello.position)
        if hello.start == L.START_POSITION and not s.meets(start, floor, tail):
            raise NoPositionError("position %d, the ring holds %d to %d" % (start, oldest, tail), L.CODE_POSITION, oldest)
        generation = (self.slots[i].info.generation + 1) & 0xffffffff or 1
        self._occupy(i, hello, pid, bell, generation, start)
        return Attached(i, generation, start, oldest, tail, oldest != s.identity.start)

    def _occupy(self, i: int, hello: Hello, pid: int, bell: int, generation: int, start: int) -> None:
        slot, t = self.slots[i], self.table
        t.words[t.index(i, L.SL_CURSOR)] = start
        t.words[t.index(i, L.SL_NEXT)] = start
        t.words[t.index(i, L.SL_PARKED)] = 0
        slot.cursor, slot.bell, slot.gating = start, bell, True
        slot.asymmetric = bell >= 0 and bool(hello.flags & L.HELLO_ASYMMETRIC) and self.asymmetric
        slot.info = SlotInfo(L.SLOT_ACTIVE, generation, pid, hello.wake, hello.keep_ms, hello.evict_ms, start, now_ns(), hello.name)
        t.describe(i, slot.info)
        if bell >= 0:
            if not hello.flags & L.HELLO_BARRIER:
                self.fenced = True
            self.parking = True
        if not self.saw_reader:
            self.saw_reader = True
            self._store_flags()
        self.moved()

    def reattach(self, i: int, generation: int, position: int, hello: Hello, pid: int, bell: int) -> Attached:
        """Gives a lost slot back to its reader, whose own position wins."""
        slot = self.slots[i]
        if slot.info.state != L.SLOT_LOST or slot.info.generation != generation or not slot.gating:
            raise SlotError("slot %d is of generation %d and in state %d" % (i, slot.info.generation, slot.info.state))
        held = slot.cursor
        if ahead(position, held) < 0 or ahead(self.pos, position) < 0 or position % L.LINE_BYTES:
            raise NoPositionError("position %d is not from the slot's cursor %d to the tail %d" % (position, held, self.pos), L.CODE_POSITION, held)
        self._occupy(i, hello, pid, bell, generation, position)
        return Attached(i, generation, position, held, self.pos, False)

    def released_up_to(self, i: int, generation: int) -> int:
        """How far the reader that had a lost slot got. One that died before it heard of
        this writer may have released a frame in the table of the epoch before after
        that was carried over."""
        held, old = self.slots[i].cursor, self.old
        if old is None or i >= old.head.slots or old.slot(i).generation != generation:
            return held
        cursor = old.words[old.index(i, L.SL_CURSOR)]
        if cursor % L.LINE_BYTES or ahead(cursor, held) < 0 or ahead(self.pos, cursor) < 0:
            return held
        return cursor

    def lose(self, i: int) -> None:
        """Keeps a dead reader's slot and gate."""
        slot = self.slots[i]
        if slot.info.state == L.SLOT_ACTIVE:
            if slot.bell >= 0 and slot.gating:
                self._accept(i, slot)
            slot.bell = -1
            slot.info = slot.info._replace(state=L.SLOT_LOST)
            self.table.describe(i, slot.info)

    def detach(self, i: int) -> None:
        """Frees a slot."""
        slot = self.slots[i]
        slot.gating, slot.bell = False, -1
        slot.info = _FREE._replace(generation=slot.info.generation)
        self.table.describe(i, slot.info)
        self.moved()

    def evict(self, i: int) -> None:
        """Stops a slot from gating; it stays taken until its reader is gone."""
        slot = self.slots[i]
        slot.gating = False
        if slot.info.state in (L.SLOT_ACTIVE, L.SLOT_LOST):
            slot.info = slot.info._replace(state=L.SLOT_EVICTED)
            self.table.describe(i, slot.info)
            self.segment.set_word(L.WR_EVICTIONS, self.segment.word(L.WR_EVICTIONS) + 1)
        self.moved()

    def released(self, i: int, position: int) -> bool:
        """Moves the cursor of a reader in stream mode. Reports whether the position
        is one that it can have."""
        slot = self.slots[i]
        if ahead(position, slot.cursor) < 0 or ahead(self.pos, position) < 0 or position % L.LINE_BYTES:
            return False
        slot.cursor = position
        self.table.words[self.table.index(i, L.SL_CURSOR)] = position
        waiting = self.waiting
        if waiting is not None and ahead(position, waiting) >= 0:
            self.moved()
        return True

    def _inherit(self, old: Table) -> None:
        """Carries the occupied slots of the epoch before over as lost."""
        for i in range(min(old.head.slots, len(self.slots))):
            info, slot = old.slot(i), self.slots[i]
            slot.info = _FREE._replace(generation=info.generation)
            cursor = old.words[old.index(i, L.SL_CURSOR)]
            behind = ahead(self.pos, cursor)
            if info.state not in (L.SLOT_ACTIVE, L.SLOT_LOST) or not 0 <= behind <= self.segment.capacity or cursor % L.LINE_BYTES:
                continue
            slot.info = info._replace(state=L.SLOT_LOST, generation=max(1, info.generation))
            slot.cursor, slot.gating = cursor, True
            self.table.words[self.table.index(i, L.SL_CURSOR)] = cursor
            self.table.describe(i, slot.info)
            self.saw_reader = True

    def lost(self) -> List[int]:
        """Slots that wait for their readers."""
        return [i for i, slot in enumerate(self.slots) if slot.info.state == L.SLOT_LOST]
