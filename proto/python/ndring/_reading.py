"""What a consumer does without waiting: taking frames, releasing them, and finding the
writer again. Consumer adds the waits.
"""

from typing import Optional

from . import _layout as L
from . import _order
from ._form import Extended, Forms
from ._handshake import Finder
from ._park import SAFETY_SECONDS, Parking
from ._waiting import Waiting
from .directory import Path
from .errors import ContractError, CorruptError, EndOfRing, EvictedError, KindError, NdringError, RefusedError, WriterLostError
from .frame import Frame, Lease, desc_of
from .message import Welcome
from .segment import add, unexpected
from .session import Session

_M = (1 << 64) - 1
_HALF = 1 << 63
_ORDERED = _order.ORDERED
_UNBOUNDED = 1 << 62  # park mode: nothing is announced
DELIVERED = (L.KIND_DATA, L.KIND_STREAM_END)
_EVICTIONS = {
    L.CODE_TOO_SLOW: "held the full ring longer than agreed",
    L.CODE_CURSOR: "its cursor went backwards or beyond the tail",
    L.CODE_MALFORMED: "it broke the protocol of the control socket",
}


class Reading(Lease, Waiting[Frame]):
    """A reader, one step at a time. In stream mode it knows what is committed by
    announcements, in park mode by the commit words alone."""

    #: The writer's last answer: where reading began and what history there was.
    welcome: Welcome
    _dir: Path
    _restart_wait: float
    _held = False
    _parks = False  # in park mode
    _parking: Optional[Parking] = None  # while there is a writer
    _rescues = 0
    _forms: Forms  # of frames that passed every check

    def _begin(self, session: Session) -> None:
        """Starts where the first welcome says."""
        self._segment = session.segment
        self._forms = Forms()
        self.welcome = session.welcome
        self._pos = self._next = self._told = self._known = session.welcome.start
        self._parks = session.parking is not None
        if self._parks:
            self._known = add(self._pos, _UNBOUNDED)
        self._bind(session)

    def _bind(self, session: Session) -> None:
        self._session = session
        self._parking = session.parking
        self._epoch = session.welcome.epoch
        self._finder = None

    # Frames.

    def _take(self) -> Optional[Frame]:
        """The next frame if there is one. It never waits."""
        if self._held:
            self._held = False
            self._ticket += 1
            self._pass()
        s = self._segment
        while True:
            if self._parks or self._pos == self._known or self._error is not None or s.words[s.epoch_index] != self._epoch:
                if not self._ready():
                    return None
            pos = self._pos
            frame = self._quick(pos) or self._look(pos)
            if frame is not None:
                self._held, self._next = True, frame.end
                return frame

    def _quick(self, pos: int) -> Optional[Frame]:
        """The announced frame at pos if it is like one before: all that is left to check
        is where it ends."""
        s = self._segment
        words, at = s.words, pos & s.mask
        off = s.data_off + at
        i = off >> 3
        if words[i] != pos | L.KIND_DATA:
            return None
        if self._parks:
            _order.load_fence()
        desc = words[i + 2]
        form = self._forms.get(desc)
        if form is None:
            return None
        end = (pos + form.size) & _M
        if form.size > s.capacity - at or (self._known - end) & _M >= _HALF:
            return None
        if form.fixed is None:
            return Frame(self, self._ticket, s, pos, end, words[i + 1], desc)
        if words[i + 3] & 0xffffffff != form.fixed or s.bytes[off + L.FR_SHAPE:off + form.tail_end] != form.tail:
            return None
        varying = bytes(s.bytes[off + L.BASE_BYTES:off + L.FR_SHAPE])
        return Extended(self, self._ticket, s, pos, end, words[i + 1], desc, form, varying)

    def _look(self, pos: int) -> Optional[Frame]:
        """The announced frame at pos, or None if it was one to skip."""
        s = self._segment
        word = s.commit_word(pos)
        kind = word & L.KIND_MASK
        try:
            if word - kind != pos or kind == 0:
                raise unexpected(pos, word)
            head = s.committed_header(pos, kind)
            end = add(pos, head.frame_bytes)
            if (self._known - end) & _M >= _HALF:
                raise CorruptError("frame at position %d ends at %d, announced were %d" % (pos, end, self._known))
        except ContractError as e:
            raise self._fail(CorruptError(str(e))) from e
        except CorruptError as e:
            raise self._fail(e) from None
        if kind == L.KIND_PADDING or kind >= L.KIND_SKIPPABLE:
            self._next = end
            self._pass()
            return None
        if kind not in DELIVERED:
            raise self._fail(KindError("frame at position %d is of kind %d" % (pos, kind)))
        if kind == L.KIND_DATA:
            self._forms.learn(s, pos, head)
        return Frame(self, self._ticket, s, pos, end, head.number, desc_of(head), head if head.extended or kind != L.KIND_DATA else None)

    def _fail(self, error: NdringError) -> BaseException:
        """Makes an error final. An evicted reader sees overwritten memory as corrupt,
        so the eviction is told first."""
        if not self._segment.intact(self._pos):
            error = EvictedError("at position %d: the frame was overwritten" % self._pos)
        self._error = error
        return error

    def release(self) -> None:
        """Gives back what is leased. Raises EvictedError if it may have been
        overwritten meanwhile."""
        if not self._held:
            return
        if not self._busy.acquire(False):
            raise self._in_use()
        try:
            self._release()
        finally:
            self._leave()

    def _release(self) -> None:
        if not self._held:
            return
        self._held = False
        self._ticket += 1
        self._pass()

    def _pass(self) -> None:
        """Moves on to the end of what was read. SYNC: limit."""
        s = self._segment
        pos = self._pos
        if not _ORDERED:
            _order.fence()
        if s.capacity < s.words[s.limit_index] - pos & _M < _HALF:  # as in Segment.intact
            self._error = EvictedError("at position %d: the frame was overwritten while it was held" % pos)
            raise self._error
        self._pos = self._next
        if self._parks:
            if self._parking is not None:
                self._parking.release(self._pos)
        elif (self._pos - self._told) & _M >= s.capacity >> 4:
            self._tell()

    def _tell(self) -> None:
        """Tells the writer how far this reader is."""
        session = self._session
        if session is not None and not self._parks and self._told != self._pos:
            self._told = self._pos
            session.release(self._pos)

    # What is announced.

    def _ready(self) -> bool:
        """Whether a frame at the reader's position is announced. Never waits."""
        if self._error is not None:
            raise self._error
        s = self._segment
        if s.words[s.epoch_index] != self._epoch and not self._reconnect():
            return False
        if self._parks:
            return self._ready_parked()
        if self._pos != self._known:
            return True
        session = self._session
        if session is None and not self._reconnect():
            return False
        session = self._session
        assert session is not None
        session.drain()
        if session.hung_up:
            session.advance(s.tail())  # what nobody announced
        if self._learn(session.published):
            return True
        if s.ended(self._pos):
            self._tell()
            raise self._finish(EndOfRing("ring %r ended at position %d" % (self.ring, self._pos)))
        if session.evicted is not None:
            raise self._fail(EvictedError(_EVICTIONS.get(session.evicted, "code %d" % session.evicted)))
        if session.hung_up:
            return self._reconnect() and self._pos != self._known
        self._tell()
        session.flush()
        return False

    def _ready_parked(self) -> bool:
        """Is _ready for park mode."""
        s, pos, parking = self._segment, self._pos, self._parking
        if parking is not None and parking.armed:
            parking.disarm()
        if s.commit_word(pos):
            return True
        session = self._session
        if session is None or parking is None:
            return self._reconnect() and s.commit_word(pos) != 0
        if s.ended(pos) and not s.commit_word(pos):
            raise self._finish(EndOfRing("ring %r ended at position %d" % (self.ring, pos)))
        session.drain()
        if session.evicted is not None or parking.evicted:
            raise self._fail(EvictedError(_EVICTIONS.get(session.evicted or 0, "its slot was taken back")))
        if session.hung_up:  # which came after everything that was committed
            return s.commit_word(pos) != 0 or self._reconnect() and s.commit_word(pos) != 0
        return False

    def _arm(self, parking: Parking) -> bool:
        """Reports whether to sleep: no frame came before the writer could know. SYNC: park."""
        parking.arm(self._pos)
        s = self._segment
        if s.commit_word(self._pos) or s.ended(self._pos):
            parking.disarm()
            return False
        return True

    def _woke(self, rung: bool, seconds: Optional[float]) -> None:
        """Counts a sleep that only the safety timeout ended although a frame was there."""
        parking = self._parking
        if parking is not None and parking.armed and not parking.disarm() and not rung and seconds == SAFETY_SECONDS:
            self._rescues += self._segment.commit_word(self._pos) != 0

    def _learn(self, published: int) -> bool:
        ahead = (published - self._pos) & _M
        if ahead == 0 or ahead >= _HALF:
            return False
        if ahead > self._segment.capacity:
            raise self._fail(CorruptError("announced position %d, the reader is at %d" % (published, self._pos)))
        self._known = published
        return True

    def _finish(self, error: NdringError) -> NdringError:
        self._error = error
        if self._session is not None:
            self._session.goodbye(self._pos)
            self._session.close()
        return error

    def _reconnect(self) -> bool:
        """One attempt to find the writer that took the ring up, at this reader's slot
        and position."""
        if self._finder is None:
            if self._session is not None:
                self._session.close()
            self._session = self._parking = None
            self._finder = Finder(self._dir, self.ring, self._restart_wait)
        w = self.welcome
        hello = self._hello._replace(
            flags=self._hello.flags | L.HELLO_RECONNECT, ring_id=w.ring_id, slot=w.slot, generation=w.generation,
            start=L.START_POSITION, position=self._pos)
        try:
            session = self._finder.step(hello, self._segment, self._segment.ended(self._pos))
        except RefusedError as e:
            self._error = WriterLostError(str(e))
            raise self._error from e
        if session is None:
            if self._finder.left:
                raise self._finish(EndOfRing("ring %r ended at position %d" % (self.ring, self._pos)))
            if self._finder.expired:
                self._error = WriterLostError("ring %r: no writer took it up within %g s" % (self.ring, self._restart_wait))
                raise self._error
            return False
        if session.welcome.start != self._pos:
            session.close()
            self._error = WriterLostError("ring %r: the new writer starts this reader at position %d, it was at %d" % (
                self.ring, session.welcome.start, self._pos))
            raise self._error
        self.welcome = session.welcome
        self._told = self._pos
        self._bind(session)
        if not self._parks:
            self._learn(session.published)
        return True
