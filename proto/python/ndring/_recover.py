"""What a writer that died left committed."""

from typing import Tuple

from . import _layout as L
from .errors import CorruptError
from .segment import Segment, add, ahead


def recover(s: Segment) -> Tuple[int, int]:
    """Walks from the shared tail over what is committed; returns where it ends and
    the next number. Raises CorruptError: what a dead writer committed is not written
    over unasked."""
    tail, number, limit = s.word(L.WR_TAIL), s.word(L.WR_NUMBER), s.word(L.WR_LIMIT)
    start = s.identity.start
    if tail % L.LINE_BYTES or ahead(tail, start) < 0 or ahead(limit, tail) < 0 and tail != start or ahead(limit, tail) > s.capacity:
        raise CorruptError("recover: tail %d, limit %d, start %d" % (tail, limit, start))
    end, first = tail, True
    while True:
        word = s.commit_word(end)
        kind = word & L.KIND_MASK
        if word == 0:
            return end, number
        if word - kind != end or kind == 0:
            raise CorruptError("recover: word %#x at position %d is neither 0 nor a commit" % (word, end))
        try:
            head = s.committed_header(end, kind)
        except ValueError as e:
            raise CorruptError("recover: %s" % e) from e
        near = 0 <= number - head.number <= s.capacity // L.LINE_BYTES
        if not first and head.number != number or first and not near:
            raise CorruptError("recover: frame at position %d has number %d, want %d" % (end, head.number, number))
        first = False
        number = head.number + (kind != L.KIND_PADDING)
        end = add(end, head.frame_bytes)
        if ahead(end, tail) > s.capacity:
            raise CorruptError("recover: frames from %d on fill the whole ring" % tail)
