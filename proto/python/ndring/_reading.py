"""What a consumer does without waiting: taking announced frames, singly or in batches,
releasing them, and finding the writer again. Consumer adds the waits.
"""

from typing import List, Optional

import numpy as np

from . import _layout as L
from .errors import ContractError, CorruptError, EndOfRing, EvictedError, KindError, NdringError, RefusedError, WriterLostError
from .frame import Batch, Frame, Lease, Run, desc_of
from .message import Hello, Welcome
from .segment import add, unexpected
from .session import Finder, Session

_M = (1 << 64) - 1
_HALF = 1 << 63
_EXTENDED = L.FLAG_EXTENDED << L.DESC_FLAG_SHIFT  # clear in the description of an inline frame
_DELIVERED = (L.KIND_DATA, L.KIND_STREAM_END)
_EVICTIONS = {
    L.CODE_TOO_SLOW: "held the full ring longer than agreed",
    L.CODE_CURSOR: "its cursor went backwards or beyond the tail",
    L.CODE_MALFORMED: "it broke the protocol of the control socket",
}


class Reading(Lease):
    """A reader in stream mode, one step at a time."""

    ring: str
    _dir: Optional[str]
    _hello: Hello
    _restart_wait: float
    _finder: Optional[Finder] = None
    _session: Optional[Session] = None
    _error: Optional[BaseException] = None  # why no frame will come any more
    _held = False
    _like = 0  # description word of the last inline frame that passed every check
    _like_size = 0

    def _begin(self, session: Session) -> None:
        """Starts where the first welcome says."""
        self._segment = session.segment
        #: The writer's last answer: where reading began and what history there was.
        self.welcome: Welcome = session.welcome
        self._pos = self._next = self._told = self._known = session.welcome.start
        self._bind(session)

    def _bind(self, session: Session) -> None:
        self._session = session
        self._epoch = session.welcome.epoch
        self._finder = None

    # Frames.

    def _take(self) -> Optional[Frame]:
        """The next frame if there is one. It never waits."""
        if self._held:
            self.release()
        while self._ready():
            pos = self._pos
            s = self._segment
            i = (s.data_off + (pos & s.mask)) >> 3
            words = s.words
            if words[i] == pos | L.KIND_DATA:
                desc = words[i + 2]
                if desc == self._like:  # checked before, but for the wrap
                    end = (pos + self._like_size) & _M
                    if self._like_size <= s.capacity - (pos & s.mask) and (self._known - end) & _M < _HALF:
                        self._held, self._next = True, end
                        return Frame(self, self._ticket, s, pos, end, words[i + 1], desc)
            frame = self._look(pos)
            if frame is not None:
                self._held, self._next = True, frame.end
                return frame
        return None

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
        if kind not in _DELIVERED:
            raise self._fail(KindError("frame at position %d is of kind %d" % (pos, kind)))
        desc = desc_of(head)
        if desc & _EXTENDED or kind != L.KIND_DATA:
            return Frame(self, self._ticket, s, pos, end, head.number, desc, head)
        self._like, self._like_size = desc, head.frame_bytes
        return Frame(self, self._ticket, s, pos, end, head.number, desc)

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
        self._held = False
        self._ticket += 1
        self._pass()

    def _pass(self) -> None:
        """Moves on to the end of what was read. SYNC: limit."""
        s = self._segment
        pos = self._pos
        if not s.intact(pos):
            self._error = EvictedError("at position %d: the frame was overwritten while it was held" % pos)
            raise self._error
        self._pos = self._next
        if (self._pos - self._told) & _M >= s.capacity >> 4:
            self._tell()

    def _tell(self) -> None:
        """Tells the writer how far this reader is."""
        session = self._session
        if session is not None and self._told != self._pos:
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
            assert self._session is not None
            self._session.close()
            self._session = None
            self._finder = Finder(self._dir, self.ring, self._restart_wait)
        w = self.welcome
        hello = self._hello._replace(
            flags=L.HELLO_RECONNECT, ring_id=w.ring_id, slot=w.slot, generation=w.generation,
            start=L.START_POSITION, position=self._pos)
        try:
            session = self._finder.step(hello, self._segment)
        except RefusedError as e:
            self._error = WriterLostError("ring %r: %s" % (self.ring, e))
            raise self._error from e
        if session is None:
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
        self._learn(session.published)
        return True

    # Batches.

    def _take_batch(self, most: int) -> Optional[Batch]:
        frame = self._take()
        if frame is None:
            return None
        s = self._segment
        batch = Batch(self, self._ticket, s, frame.position)
        at, enough = frame.position, s.capacity // 4
        while len(batch) < most and (at - frame.position) & _M < enough:
            end = self._extend(batch, at, most - len(batch))
            if end == at:
                break
            at = end
        if not len(batch):
            raise self._fail(CorruptError("frame at position %d changed" % at))
        self._next = at
        return batch

    def _extend(self, batch: Batch, at: int, most: int) -> int:
        """Adds what lies at position at to a batch: a run of small frames or one
        frame. Returns where it ends. What is wrong there is told later, when a batch
        begins with it."""
        s = self._segment
        left = (self._known - at) & _M
        if left == 0 or left >= _HALF:
            return at
        i = s.commit_index(at)
        if s.words[i] == at | L.KIND_DATA and s.words[i + 2] == self._like:
            size = self._like_size
            n = min(left // size, s.to_wrap(at) // size, max(1, s.capacity // 4 // size), most)
            numbers = self._alike(at, size, n)
            if numbers:
                batch.add(Run(batch, at, size, numbers, self._like), len(numbers))
                return add(at, size * len(numbers))
        return self._extend_one(batch, at, left)

    def _alike(self, at: int, size: int, n: int) -> List[int]:
        """Numbers of the frames from at on, at most n, that are described alike."""
        s = self._segment
        if n < 1:
            return []
        w = np.ndarray((n, 3), "<u8", s.buffer, s.data_off + (at & s.mask), (size, 8))
        words = w[:, 0] - np.arange(n, dtype=np.uint64) * np.uint64(size)
        same = (words == np.uint64(at | L.KIND_DATA)) & (w[:, 2] == np.uint64(self._like))
        if not same.all():
            n = int(same.argmin())
        numbers: List[int] = w[:n, 1].tolist()
        return numbers

    def _extend_one(self, batch: Batch, at: int, left: int) -> int:
        s = self._segment
        word = s.commit_word(at)
        kind = word & L.KIND_MASK
        if word - kind != at or kind == 0:
            return at
        try:
            head = s.committed_header(at, kind)
        except ContractError:
            return at
        end = add(at, head.frame_bytes)
        if head.frame_bytes > left or kind not in _DELIVERED and kind != L.KIND_PADDING and kind < L.KIND_SKIPPABLE:
            return at
        if kind in _DELIVERED:
            desc = desc_of(head)
            plain = kind == L.KIND_DATA and not desc & _EXTENDED
            batch.add(Frame(self, self._ticket, s, at, end, head.number, desc, None if plain else head), 1)
            if plain:
                self._like, self._like_size = desc, head.frame_bytes
        return end
