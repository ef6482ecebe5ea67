"""Frames taken many at a time, under one lease."""

from typing import List, Optional

import numpy as np

from . import _layout as L
from . import _order
from ._form import Extended
from ._reading import DELIVERED, Reading
from .errors import ContractError, CorruptError
from .frame import Batch, Frame, Run, desc_of
from .segment import add

_M = (1 << 64) - 1
_HALF = 1 << 63


class Batching(Reading):
    """Reading, with batches."""

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
        frame = self._quick(at)
        if frame is None:
            return self._extend_one(batch, at, left)
        if isinstance(frame, Extended):
            batch.add(frame, 1)
            return frame.end
        desc, size = frame._desc, (frame.end - at) & _M
        n = min(left // size, s.to_wrap(at) // size, max(1, s.capacity // 4 // size), most)
        numbers = [frame.number]
        if n > 1 and s.words[s.commit_index(at) + (size >> 3) + 2] == desc:
            numbers = (self._follow if self._parks else self._alike)(at, size, n, desc)
        if not numbers:
            return at
        batch.add(Run(batch, at, size, numbers, desc), len(numbers))
        return add(at, size * len(numbers))

    def _follow(self, at: int, size: int, n: int, desc: int) -> List[int]:
        """Is _alike for park mode. Nobody announced these frames: each commit word is
        loaded after the one in front of it was found, as the order of commits demands."""
        s = self._segment
        words, i, step = s.words, s.commit_index(at), size >> 3
        numbers: List[int] = []
        while len(numbers) < n and words[i] == at | L.KIND_DATA:
            _order.load_fence()
            if words[i + 2] != desc:
                break
            numbers.append(words[i + 1])
            at = add(at, size)
            i += step
        return numbers

    def _alike(self, at: int, size: int, n: int, desc: int) -> List[int]:
        """Numbers of the frames from at on, at most n, that are described alike."""
        s = self._segment
        w = np.ndarray((n, 3), "<u8", s.buffer, s.data_off + (at & s.mask), (size, 8))
        words = w[:, 0] - np.arange(n, dtype=np.uint64) * np.uint64(size)
        same = (words == np.uint64(at | L.KIND_DATA)) & (w[:, 2] == np.uint64(desc))
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
        if head.frame_bytes > left or kind not in DELIVERED and kind != L.KIND_PADDING and kind < L.KIND_SKIPPABLE:
            return at
        if kind in DELIVERED:
            plain = kind == L.KIND_DATA and not head.extended
            if kind == L.KIND_DATA:
                self._forms.learn(s, at, head)
            if plain:
                batch.add(Run(batch, at, head.frame_bytes, [head.number], desc_of(head)), 1)
            else:
                batch.add(Frame(self, self._ticket, s, at, end, head.number, desc_of(head), head), 1)
        return end
