"""Consumers in park mode."""

import asyncio
import select
import threading
import unittest

import numpy as np

import ndring
from ndring import _layout as L
from ndring import _order
from test_ring import Rings


@unittest.skipUnless(_order.HAS_EXCHANGE, "libatomic.so.1 is missing: apt-get install libatomic1")
class Park(Rings):
    def consumer(self, **more):
        return super().consumer(wake="park", **more)

    def test_order(self):
        """Check that all frames come in order, singly and in batches, small and large,
        across wraps, with both sides sleeping now and then."""
        for batches in (False, True):
            p, c = self.producer(recreate=True), self.consumer()
            shapes = [(5,), (5,), (5,), (2, 3), (0,), (300,), ()]

            def write():
                for n in range(5000):
                    p.publish(np.full(shapes[n // 100 % 7], n, "f8"), timeout=50)
                p.close(50)

            writing = threading.Thread(target=write)
            writing.start()
            got = 0
            for part in c.batches(most=100) if batches else ([f] for f in c):
                for f in part:
                    self.assertEqual((f.number, f.shape), (got, shapes[got // 100 % 7]))
                    np.testing.assert_array_equal(f.array, got)
                    got += 1
            writing.join()
            self.assertEqual(got, 5000)

    def test_no_message(self):
        """Check that the cursor stands in the table, where the writer finds it, and that no
        release is sent."""
        p, c = self.producer(), self.consumer()
        for n in range(10):
            p.publish([n])
        for n in range(10):
            self.assertEqual(c.next(5).number, n)
        c.release()
        t = p._writer.table
        self.assertEqual(t.words[t.index(0, L.SL_CURSOR)], c.position)
        self.assertEqual(c.position, p._writer.pos)
        self.assertIsNone(c._session._unsent)
        self.assertEqual(c._told, p._writer.segment.identity.start)

    def test_full(self):
        """Check that a writer that sleeps at a full ring is woken by a cursor."""
        p, c = self.producer(), self.consumer()
        with self.assertRaises(TimeoutError):
            while True:
                p.publish(np.zeros(1000), timeout=0.01)
        sent = p.number
        waiting = threading.Thread(target=lambda: p.publish(np.zeros(1000), timeout=50))
        waiting.start()
        self.assertEqual([c.next(5).number for _ in range(sent)], list(range(sent)))
        self.assertEqual(c.next(50).number, sent)
        waiting.join()

    def test_fileno(self):
        """Check that after a timeout of 0 the descriptor tells of the next frame."""
        p, c = self.producer(), self.consumer()
        for n in range(50):
            with self.assertRaises(TimeoutError):
                c.next(timeout=0)
            poll = select.poll()
            poll.register(c.fileno(), select.POLLIN)
            p.publish([n])
            self.assertTrue(poll.poll(5000))
            self.assertEqual(c.next(timeout=0).number, n)

    def test_asyncio(self):
        """Check async for."""
        p = self.producer()

        async def read():
            async with await ndring.Consumer.open("x", dir=self.dir, wake="park") as c:
                wrote = asyncio.get_running_loop().run_in_executor(None, write)
                numbers = [f.number async for f in c]
                await wrote
                return numbers

        def write():
            for n in range(500):
                p.publish([n], timeout=20)
            p.close(20)

        self.assertEqual(asyncio.run(read()), list(range(500)))

    def test_restart(self):
        """Check that a reader goes on without a gap behind another writer."""
        p, c = self.producer(), self.consumer()
        for n in range(10):
            p.publish([n])
        p.leave()
        p = self.producer()
        for n in range(10, 20):
            p.publish([n])
        self.assertEqual([c.next(5).number for _ in range(20)], list(range(20)))
        self.assertEqual(c.epoch, 2)

    def test_evicted(self):
        """Check that a reader that holds the full ring too long is told so when it gives a
        frame back."""
        p, c = self.producer(), self.consumer(evict_after=0.02)
        p.publish([0.0])
        f = c.next(5)
        for n in range(200):
            p.publish(np.zeros(100), timeout=20)
        with self.assertRaises(ndring.EvictedError):
            f.release()
        with self.assertRaises(ndring.EvictedError):
            c.next(5)


class Platform(Rings):
    def test_refused(self):
        """Check that park mode without atomic operations is refused in words, on both
        sides, and an unknown mode too."""
        p = self.producer(park=False)
        if _order.HAS_EXCHANGE:
            with self.assertRaises(ndring.DeniedError):
                ndring.Consumer("x", dir=self.dir, wake="park", timeout=0)
        had, _order.HAS_EXCHANGE = _order.HAS_EXCHANGE, False
        try:
            with self.assertRaises(ndring.PlatformError):
                ndring.Consumer("x", dir=self.dir, wake="park", timeout=0)
        finally:
            _order.HAS_EXCHANGE = had
        with self.assertRaises(ValueError):
            ndring.Consumer("x", dir=self.dir, wake="sleep", timeout=0)
        p.leave()


del Rings  # so that its tests are not run again here

if __name__ == "__main__":
    unittest.main()
