"""What users do by mistake: copies, forks, dropped objects, wrong arguments."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import unittest
import warnings

import numpy as np

import ndring
from ndring import _layout as L
from test_ring import Rings


class Copies(Rings):
    def test_refused(self):
        """Check that what stands for memory or a connection is neither copied nor
        pickled, and says what to do."""
        p, c = self.producer(), self.consumer()
        o = ndring.Observer("x", dir=self.dir, timeout=5)
        for n in range(3):
            p.publish([n])
        batch = c.next_batch(5)
        group = p.claim_group([dict(shape=1)])
        with self.assertRaises(ndring.ClaimOpenError):
            p.claim(1)
        for thing in (p, c, o, batch, batch.parts[0], next(iter(batch)), o.next(5), group):
            for way in (pickle.dumps, copy.copy, copy.deepcopy):
                with self.assertRaisesRegex(TypeError, "neither copied nor pickled", msg=thing):
                    way(thing)
        group.abort()
        o.close()

    def test_right(self):
        """Check that errors and descriptions come out of a pickle as they went in."""
        p = self.producer()
        for thing in (p.identity, ndring.Header(shape=(2, 3), time_ns=5)):
            self.assertEqual(repr(pickle.loads(pickle.dumps(thing))), repr(thing))
            self.assertEqual(repr(copy.deepcopy(thing)), repr(thing))
        with self.assertRaises(ndring.WriterAliveError) as alive:
            self.producer()
        self.assertEqual(pickle.loads(pickle.dumps(alive.exception)).pid, os.getpid())
        e = ndring.TableFullError("full", L.CODE_TABLE_FULL, 64)
        again = pickle.loads(pickle.dumps(e))
        self.assertEqual((str(again), again.sentence, again.code, again.position), (str(e), "full", L.CODE_TABLE_FULL, 64))


class Forks(Rings):
    def forked(self, text):
        """What a process says whose child runs the last line of a text."""
        ran = subprocess.run(
            [sys.executable, "-B", "-c", "import os, sys, ndring\ndir = %r\n%s" % (self.dir, text)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)
        return ran.stdout, ran.stderr

    def test_reader(self):
        """Check that a child has no part in a reader of its parent's: it is closed there,
        its frames are released, and closing it takes no place from the parent."""
        for sort in ("ndring.Consumer('x', dir=dir)", "ndring.Consumer('x', dir=dir, wake='park')", "ndring.Observer('x', dir=dir)"):
            self.assertEqual(self.forked(
                "p = ndring.Producer('x', dir=dir, capacity=65536, free_run=True); c = %s\n"
                "p.publish([1.0]); f = c.next(50)\n"
                "if os.fork() == 0:\n"
                "  try: c.next(); print('read')\n"
                "  except ndring.ClosedError as e: print('forked' in str(e))\n"
                "  try: f.array; print('held')\n"
                "  except ndring.ReleasedError: print('released')\n"
                "  c.close(); sys.stdout.flush(); os._exit(0)\n"
                "os.wait()\n"
                "if isinstance(c, ndring.Consumer): assert f.array[0] == 1 and len(p.readers) == 1\n"
                "p.publish([2.0]); print(c.next(50).number); c.close(); p.close()\n" % sort),
                ("True\n%s\n1\n" % ("held" if "Obs" in sort else "released"), ""), sort)

    def test_claim(self):
        """Check that a child can neither commit its parent's claim nor write to it."""
        self.assertEqual(self.forked(
            "p = ndring.Producer('x', dir=dir, capacity=65536); c = ndring.Consumer('x', dir=dir)\n"
            "a = p.claim(5); a.array[:] = 1\n"
            "if os.fork() == 0:\n"
            "  try: a.array[:] = 2; print('wrote')\n"
            "  except ValueError: print('read-only')\n"
            "  try: a.commit(); print('committed')\n"
            "  except ndring.ClosedError: print('closed', flush=True)\n"
            "  os._exit(0)\n"
            "os.wait(); a.commit(); print(c.next(50).array.sum()); c.close(); p.close()\n"), ("read-only\nclosed\n5.0\n", ""))


class Lifetimes(Rings):
    def test_views_outlive(self):
        """Check that arrays of frames, runs and copies stay readable when consumer,
        producer and files are gone, and that a loop over a batch may be left."""
        for wake in ("stream", "park"):
            p, c = self.producer(recreate=True), self.consumer(wake=wake)
            for n in range(3):
                p.publish(np.full(5, n, "f8"))
            p.publish(np.full((2, 2), 7.0))
            batch = c.next_batch(5)
            while len(batch) < 4:
                c.close()
                c = self.consumer(wake=wake)
                batch = c.next_batch(5)
            half = iter(batch)
            views = [next(half).array, batch.parts[0].array, list(batch.arrays())[3], batch.parts[-1].payload]
            half.close()
            c.close()
            p.leave()
            for name in os.listdir(self.dir):
                os.unlink(os.path.join(self.dir, name))
            del p, c, batch, half
            gc.collect()
            self.assertEqual([v.sum() for v in views[:3]], [0, 15, 28])
            self.assertFalse(any(v.flags.writeable for v in views))

    def test_writer_lost_under_view(self):
        """Check that a frame stays whole and held when its writer dies and the files go."""
        with self.process("p = ndring.Producer('x', dir=dir, capacity=65536); p.publish([7.0]); print(flush=True); signal.pause()") as w:
            w.stdout.readline()
            c = self.consumer(restart_wait=0.05)
            f = c.next(5)
            w.kill()
            w.wait()
        for name in os.listdir(self.dir):
            os.unlink(os.path.join(self.dir, name))
        self.assertTrue(f.held and f.valid() and f.copy()[0] == 7)
        with self.assertRaises(ndring.WriterLostError):
            c.next(5)
        with self.assertRaises(ndring.ReleasedError):
            f.array

    def test_exit(self):
        """Check that an interpreter ends cleanly with all open: views, a batch left half
        way, a claim, an observer, a task that waits."""
        ran = subprocess.run(
            [sys.executable, "-B", "-X", "dev", "-c", "import asyncio, threading, ndring\ndir = %r\n"
             "p = ndring.Producer('x', dir=dir, capacity=65536); o = ndring.Observer('x', dir=dir)\n"
             "c = ndring.Consumer('x', dir=dir, wake='park'); d = ndring.Consumer('x', dir=dir)\n"
             "for n in range(5): p.publish([n])\n"
             "b = c.next_batch(50); i = iter(b); f = next(i); view = f.array; g = d.next(50); a = p.claim(5)\n"
             "threading.Thread(target=ndring.Observer('x', dir=dir, start='latest').next, daemon=True).start()\n"
             "print('end')\n" % self.dir], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)
        lines = [line for line in ran.stderr.splitlines() if "unclosed" not in line and "ResourceWarning" not in line]
        self.assertEqual((ran.returncode, ran.stdout, lines), (0, "end\n", []))

    def test_dropped(self):
        """Check that a producer that is dropped lets go of the ring, and that readers
        that are dropped let go of their place, each with a warning."""
        for open_one in (lambda: self.producer_alone(), lambda: ndring.Consumer("x", dir=self.dir, timeout=5, wake="park"),
                         lambda: ndring.Consumer("x", dir=self.dir, timeout=5), lambda: ndring.Observer("x", dir=self.dir, timeout=5)):
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                thing = open_one()
                del thing
                gc.collect()
            self.assertTrue(any("ring 'x' was not closed" in str(w.message) for w in told), [str(w.message) for w in told])
            if not hasattr(self, "p"):
                self.p = self.producer()
        for _ in range(3000):
            self.p.publish([0.0], timeout=50)
        self.assertEqual(self.p.readers, [])

    def producer_alone(self):
        return ndring.Producer("x", dir=self.dir, capacity=1 << 16)

    def test_stale_claim(self):
        """Check that a claim of a producer that left is neither committed nor written to:
        the ring is another's by then."""
        for end in (lambda p: p.leave(), lambda p: p.close(0)):
            p = self.producer(free_run=True)
            for claim in (p.claim(5), None):
                if claim is None:
                    break
                a = claim.array
                end(p)
                with self.assertRaises(ndring.ClosedError):
                    claim.commit()
                with self.assertRaises(ValueError):
                    a[:] = 1
        q = self.producer(free_run=True)
        self.assertEqual(q.number, 0)
        q.close(0)

    def test_no_growth(self):
        """Check that frames, batches and their arrays leave no memory behind."""
        p, c = self.producer(capacity=1 << 20), self.consumer()

        def cycle(times):
            for n in range(times):
                for _ in range(50):
                    p.publish([n])
                    p.publish(np.zeros((2, 2)))
                got = 0
                while got < 100:
                    batch = c.next_batch(5)
                    got += sum(1 for f in batch if f.array.size and f.shape)
                batch.release()
                del batch

        cycle(5)
        gc.collect()
        before = sys.getallocatedblocks()
        cycle(50)
        gc.collect()
        self.assertLess(sys.getallocatedblocks() - before, 500)


class Arguments(Rings):
    def each(self, cases, call):
        for wrong, error, words in cases:
            with self.assertRaisesRegex(error, words, msg=wrong):
                call(**wrong)

    def test_readers(self):
        """Check that each wrong argument of a reader is named with its value."""
        self.producer()
        shared = [
            (dict(timeout="5"), TypeError, "timeout '5'"), (dict(timeout=float("nan")), ValueError, "timeout nan"),
            (dict(restart_wait="x"), TypeError, "restart_wait 'x'"), (dict(restart_wait=-1), ValueError, "restart_wait -1"),
            (dict(restart_wait=None), TypeError, "restart_wait None"), (dict(start=1.5), TypeError, "start 1.5"),
            (dict(start="first"), ValueError, "start 'first'"), (dict(start=None), TypeError, "start None"),
            (dict(on_wait=5), TypeError, "on_wait 5"), (dict(dir=5), TypeError, "dir 5"),
        ]
        self.each(shared, lambda **wrong: ndring.Observer("x", **{"dir": self.dir, **wrong}))
        self.each(shared + [
            (dict(keep="1"), TypeError, "keep '1'"), (dict(keep=float("nan")), ValueError, "keep nan"),
            (dict(evict_after="x"), TypeError, "evict_after 'x'"), (dict(wake=[]), ValueError, r"wake \[\]"),
            (dict(name=5), ndring.InvalidNameError, "name 5"),
        ], lambda **wrong: ndring.Consumer("x", **{"dir": self.dir, **wrong}))

    def test_waits(self):
        """Check wrong times and counts of a wait, and that the consumer goes on."""
        p, c = self.producer(), self.consumer()
        p.publish([1.0])
        for way in (c.next, c.next_batch):
            self.each([(dict(timeout="5"), TypeError, "timeout '5'"), (dict(timeout=[]), TypeError, r"timeout \[\]"),
                       (dict(timeout=float("nan")), ValueError, "timeout nan")], way)
        for way in (c.next_batch, c.batches):
            self.each([(dict(most=0), ValueError, "most 0"), (dict(most=-1), ValueError, "most -1"),
                       (dict(most=1.5), TypeError, "most 1.5"), (dict(most=None), TypeError, "most None")], way)
        self.assertEqual(c.next(np.float32(5)).number, 0)
        with self.assertRaises(TimeoutError):
            c.next(-1)

    def test_producer(self):
        """Check that each wrong argument of a producer is named with its value, and
        leaves no file."""
        self.each([
            (dict(capacity="1M"), TypeError, "capacity '1M'"), (dict(capacity=0), ndring.GeometryError, "capacity 0"),
            (dict(capacity=-5), ndring.GeometryError, "capacity -5"), (dict(capacity=1 << 50), ndring.GeometryError, "capacity 1125899906842624"),
            (dict(frame_limit=1.5), TypeError, "frame_limit 1.5"), (dict(frame_limit=-1), ndring.GeometryError, "frame limit -1"),
            (dict(slots=1.5), TypeError, "slots 1.5"), (dict(slots=0), ndring.GeometryError, "0 reader slots"),
            (dict(shape=5), TypeError, "shape 5"), (dict(shape="ab"), TypeError, "shape 'ab'"), (dict(dtype="f8", shape=(1.5,)), TypeError, "shape 1.5"),
            (dict(policy=[]), ValueError, r"policy \[\]"), (dict(grace="x"), TypeError, "grace 'x'"), (dict(grace=-1), ValueError, "grace -1"),
            (dict(start=1.5), TypeError, "start 1.5"), (dict(dtype="nonsense"), ndring.DTypeError, "'nonsense'"), (dict(dir=5), TypeError, "dir 5"),
        ], lambda **wrong: ndring.Producer("x", **{"dir": self.dir, "capacity": SMALL, **wrong}))
        self.assertEqual(os.listdir(self.dir), [])

    def test_claims(self):
        """Check that each wrong argument of a claim is named with its value, whatever
        was claimed before, and leaves no claim open."""
        p = self.producer(free_run=True)
        for before in (5, (5,), np.array([5]), [5]):
            p.claim(before).abort()
            self.each([
                (dict(shape=None), TypeError, "shape None"), (dict(shape=5.0), TypeError, "shape 5.0"), (dict(shape="ab"), TypeError, "shape 'ab'"),
                (dict(shape={3, 4}), TypeError, "shape {3, 4}"), (dict(shape=5, strides=5), TypeError, "strides 5"),
                (dict(shape=5, time_ns=1.5), TypeError, "time_ns 1.5"), (dict(shape=5, bogus=1), TypeError, "bogus"),
                (dict(shape=5, timeout="x"), TypeError, "timeout 'x'"), (dict(shape=1 << 80), ndring.ShapeError, "overflows"),
                (dict(shape=(1 << 63,), strides=(0,)), ndring.ShapeError, "9223372036854775808"),
                (dict(shape=5, dtype="nonsense"), ndring.DTypeError, "'nonsense'"), (dict(shape=5, dtype={"names": ["a"]}), ndring.DTypeError, "names"),
                (dict(shape=5, dtype=[("a", "f8")]), ndring.DTypeError, "each field"), (dict(shape=5, dtype="M8[ns]"), ndring.DTypeError, "view it"),
                (dict(shape=5, dtype=">f8"), ndring.DTypeError, "swap"), (dict(shape=5, dtype="V2"), ndring.DTypeError, "'u2'"),
                (dict(shape=5, dtype=np.longdouble), ndring.DTypeError, "'f8'"), (dict(shape=5, dtype=("f8", (2,))), ndring.DTypeError, "shape"),
            ], p.claim)
            p.claim((2, 3)).abort()
        for wrong in ([[5]], [{}], [dict(shape=5, dtype="O")], [], [dict(shape=(1 << 63,), strides=(0,))]):
            with self.assertRaises((TypeError, ndring.ShapeError), msg=wrong):
                p.claim_group(wrong)
        p.claim(5, "f64").abort()
        p.claim(5, np.dtype("f8")).abort()
        p.claim(5, "f64").abort()

    def test_changed_shape(self):
        """Check that a list that a shape was given in may be changed and given again."""
        p, shape = self.producer(free_run=True), [5]
        p.claim(shape).abort()
        shape[0] = 7
        claim = p.claim(shape)
        self.assertEqual(claim.array.shape, (7,))
        claim.abort()

    def test_foreign_shape(self):
        """Check that a frame that a ring can hold and NumPy cannot show says so."""
        p, c = self.producer(), self.consumer()
        claim = p.claim((2,), strides=(0,))
        s, at = p._writer.segment, p._writer.pos
        claim.commit()
        s.words[s.commit_index(at) + (L.FR_SHAPE >> 3)] = 1 << 63
        f = c.next(5)
        with self.assertRaisesRegex(ndring.ShapeError, "9223372036854775808"):
            f.array
        f.release()


class Arrays(Rings):
    def test_publish(self):
        """Check that whatever array is published comes out equal, and in the layout
        asked for."""
        p, c = self.producer(), self.consumer()
        cube = np.arange(24.0).reshape(2, 3, 4)
        for a in (np.arange(3, dtype=">f8"), np.arange(3, dtype=">c16"), np.arange(5.0)[::-1], np.broadcast_to(np.float64(3), (4, 5)),
                  np.zeros((0, 3)), np.zeros((3, 0, 2)), np.float64(3.5), 7, True, np.array([True, False]), np.arange(3, dtype="c8"),
                  np.arange(3, dtype="f2"), cube.T, np.asfortranarray(cube), cube[::2, ::-1, 1:3], cube[:, :1], [[1, 2], [3, 4]],
                  np.ma.array([1.0, 2.0], mask=False), np.frombuffer(b"ab", "u1")):
            want = np.asarray(a)
            for keep in (False, True):
                p.publish(a, keep_strides=keep)
                f = c.next(5)
                np.testing.assert_array_equal(f.array, want)
                self.assertEqual((f.shape, f.dtype), (want.shape, want.dtype.newbyteorder("=")))
        p.publish(cube.T, keep_strides=True)
        self.assertEqual(c.next(5).array.strides, cube.T.strides)

    def test_converted(self):
        """Check that publish converts as NumPy's same-kind rule allows, and refuses what
        would lose a part, a mask, or what no ring holds."""
        p, c = self.producer(), self.consumer()
        p.publish([1.5, 2.5], dtype="f4")
        self.assertEqual(c.next(5).array.tolist(), [1.5, 2.5])
        for wrong, dtype, error in (([1.5], "i4", TypeError), ([1j], "f8", TypeError), (["a"], None, ndring.DTypeError),
                                    ([None], None, ndring.DTypeError), (np.zeros(2, [("a", "f8")]), None, ndring.DTypeError),
                                    (np.ma.array([1.0, 2.0], mask=[0, 1]), None, ndring.DTypeError)):
            with self.assertRaises(error, msg=wrong):
                p.publish(wrong, dtype=dtype)
        p.publish([1.0])
        self.assertEqual(c.next(5).number, 1)

    def test_dlpack(self):
        """Check what DLPack is asked for: devices, copies, versions, streams."""
        p, c = self.producer(), self.consumer()
        p.publish(np.arange(6.0).reshape(2, 3))
        f = c.next(5)
        for options in (dict(), dict(max_version=(1, 0)), dict(copy=True), dict(dl_device=(1, 0)), dict(stream=None), dict(max_version=(0, 8), copy=True)):
            self.assertIn("dltensor", repr(f.__dlpack__(**options)), options)
        with self.assertRaisesRegex(BufferError, r"device \(2, 0\)"):
            f.__dlpack__(dl_device=(2, 0))
        if not ndring.frame._DLPACK_1:
            with self.assertRaises(BufferError):
                f.__dlpack__(copy=False)
        f.release()
        with self.assertRaises(ndring.ReleasedError):
            f.__dlpack__()


SMALL = 1 << 16
del Rings  # so that its tests are not run again here

if __name__ == "__main__":
    unittest.main()
