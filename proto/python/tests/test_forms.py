"""Frames that are described alike, and those that almost are."""

import os
import random
import unittest

import numpy as np

import ndring
from ndring import _layout as L
from ndring import _order
from test_ring import Rings


class Alike(Rings):
    def test_told_apart(self):
        """Check that frames of the same length and type keep their own shapes, strides,
        roles and stamps, in any order, singly and in batches, in both wake modes, and
        that a header is right after the release, too."""
        seed = random.randrange(1 << 32)
        pick = random.Random(seed)
        sorts = [
            dict(shape=6), dict(shape=(6,)), dict(shape=(2, 3)), dict(shape=(3, 2)), dict(shape=(2, 3), strides=(8, 16)), dict(shape=(6, 1)),
            dict(shape=6, role=1), dict(shape=6, source=4, source_id=9), dict(shape=6, dtype="u8"), dict(shape=12, dtype="f4"),
            dict(shape=(2, 3), role=1), dict(shape=()), dict(shape=(0, 3)), dict(shape=0, dtype="u1", stream=5),
            dict(shape=0, dtype="u1", stream=5, kind=L.KIND_STREAM_END),
        ]
        ways = [(wake, batches) for wake in ("stream", "park")[:1 + _order.HAS_EXCHANGE] for batches in (False, True)]
        for wake, batches in ways:
            p, c = self.producer(), self.consumer(wake=wake)
            sent, late = [], None
            for _ in range(40):
                for _ in range(pick.randrange(1, 12)):
                    sort = dict(pick.choice(sorts))
                    if pick.random() < 0.3:
                        sort.update(time_ns=pick.randrange(1 << 64), stream=len(sent), sequence=pick.randrange(1 << 32))
                    for _ in range(pick.randrange(1, 4)):
                        with p.claim(**sort) as a:
                            a[...] = len(sent)
                        sent.append(sort)
                read = c.position
                while read < p.position:
                    got = c.next_batch(5, most=pick.randrange(1, 20)) if batches else [c.next(5)]
                    if late is not None:
                        self.check(late, late_sent, seed)
                    for f in got:
                        sort = sent[f.number]
                        self.assertEqual(f.array.strides, f.header.strides, seed)
                        np.testing.assert_array_equal(f.array, f.number % (256 if f.nbytes < 8 else 1 << 62), str(seed))
                        self.assertEqual(f.payload.size, f.nbytes)
                        self.check(f, sort, seed)
                        read, late, late_sent = f.end, f, sort
            c.close()
            p.close(5)

    def check(self, f, sort, seed):
        shape = sort["shape"] if isinstance(sort["shape"], tuple) else (sort["shape"],)
        self.assertEqual((f.shape, f.header.shape), (shape, shape), (seed, sort))
        self.assertEqual(f.dtype, np.dtype(sort.get("dtype", "f8")), (seed, sort))
        self.assertEqual((f.header.number, f.kind), (f.number, sort.get("kind", L.KIND_DATA)))
        if "strides" in sort:
            self.assertEqual(f.header.strides, sort["strides"], (seed, sort))
        for name in ("role", "source", "source_id", "time_ns", "stream", "sequence"):
            self.assertEqual(getattr(f.header, name), sort.get(name, 0), (seed, sort, name))

    def test_almost(self):
        """Check that a frame that differs from one before in a word of its extension, or
        reaches too far, is found out. Without each comparison one of these passes."""
        for index, word in ((0, 7 << 6 | L.KIND_DATA), (L.FR_DESCRIBE >> 3, "large"), (L.FR_SHAPE >> 3, 7), (L.FR_SHAPE + 8 >> 3, 4), (L.FR_EXT_BYTES >> 3, 0), (L.FR_DESCRIBE >> 3, 1 << 40)):
            for take in (lambda c: c.next(5), lambda c: [f.array for f in c.next_batch(5)]):
                p, c = self.producer(), self.consumer()
                s = p._writer.segment
                for n, shape in enumerate(((30, 3), (2, 3), (2, 3), (2, 3))):
                    claim, at = p.claim(shape), p._writer.pos
                    claim.commit()
                    if n == 0:
                        large = s.words[s.commit_index(at) + (L.FR_DESCRIBE >> 3)]
                        tail = bytes(s.bytes[s.data_off + (at & s.mask) + L.FR_SHAPE:][:16])
                    if n < 3:
                        c.next(5)
                if word == "large":
                    s.bytes[s.data_off + (at & s.mask) + L.FR_SHAPE:][:16] = tail
                s.words[s.commit_index(at) + index] = large if word == "large" else word
                with self.assertRaises(ndring.CorruptError, msg=(index, word)):
                    take(c)
                c.close()
                p.leave()
                os.unlink(os.path.join(self.dir, "x.ring"))


del Rings  # so that its tests are not run again here

if __name__ == "__main__":
    unittest.main()
