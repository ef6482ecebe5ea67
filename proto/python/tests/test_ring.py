"""Leases, views, batches, asyncio, restarts, and bad input, over real rings."""

import asyncio
import gc
import mmap
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np

import ndring
from ndring import _layout as L
from ndring import _order
from ndring._packet import receive

SMALL = 1 << 16


class Rings(unittest.TestCase):
    """A ring directory of its own for each test, left empty."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(dir="/dev/shm", prefix="ndring-python-")
        self.addCleanup(shutil.rmtree, self.dir)

    def tearDown(self):
        gc.collect()

    def producer(self, **more):
        more.setdefault("capacity", SMALL)
        p = ndring.Producer("x", dir=self.dir, **more)
        self.addCleanup(p.leave)
        return p

    def consumer(self, **more):
        c = ndring.Consumer("x", dir=self.dir, timeout=5, **more)
        self.addCleanup(c.close)
        return c

    def process(self, text):
        """A Python process with the module at hand; dir is the ring directory."""
        return subprocess.Popen(
            [sys.executable, "-B", "-c", "import os, signal, ndring\ndir = %r\n%s" % (self.dir, text)],
            stdout=subprocess.PIPE, text=True)


class Leases(Rings):
    def test_view_is_the_ring(self):
        """Check that a frame's array is memory of the mapping, read-only."""
        p, c = self.producer(), self.consumer()
        p.publish(np.arange(5.0))
        f = c.next(5)
        np.testing.assert_array_equal(f.array, np.arange(5.0))
        whole = np.frombuffer(c._segment.buffer, "u1")
        self.assertTrue(np.shares_memory(f.array, whole))
        with self.assertRaises(ValueError):
            f.array[0] = 1
        with self.assertRaises(ValueError):
            f.array.flags.writeable = True

    def test_release(self):
        """Check that a frame's array cannot be had after release, and that one taken
        before is still readable memory, even after close."""
        p, c = self.producer(), self.consumer()
        p.publish(np.full(5, 7.0))
        f = c.next(5)
        view, kept = f.array, f.copy()
        f.release()
        f.release()
        self.assertFalse(f.held)
        for use in (lambda: f.array, lambda: f.payload, f.copy, lambda: np.asarray(f)):
            with self.assertRaises(ndring.ReleasedError):
                use()
        p.leave()
        c.close()
        del p, c
        gc.collect()
        self.assertEqual(view.sum(), 35)
        self.assertTrue(kept.flags.writeable and kept.sum() == 35)

    def test_next_releases(self):
        """Check that asking for the next frame releases the one before, in with
        blocks and loops too."""
        p, c = self.producer(), self.consumer()
        for n in range(3):
            p.publish([n])
        first = c.next(5)
        second = c.next(5)
        self.assertFalse(first.held)
        with second as f:
            self.assertTrue(f.held)
        self.assertFalse(second.held)
        self.assertEqual(c.position, second.end)
        self.assertEqual(next(c).number, 2)

    def test_exports(self):
        """Check __array__, __array_interface__, the buffer protocol and DLPack."""
        p, c = self.producer(), self.consumer()
        p.publish(np.arange(6, dtype="<f4").reshape(2, 3).T, keep_strides=True)
        f = c.next(5)
        self.assertTrue(np.shares_memory(np.asarray(f), f.array))
        self.assertEqual(f.array.__array_interface__["strides"], (4, 12))
        self.assertEqual(memoryview(f.array).shape, (3, 2))
        self.assertTrue(memoryview(f.array).readonly)
        if hasattr(np, "from_dlpack"):
            np.testing.assert_array_equal(np.from_dlpack(f), f.array)

    def test_evicted_view(self):
        """Check that a reader that was overtaken while it held a frame is told before
        it can act on it. Without the intact check in release this fails."""
        p, c = self.producer(), self.consumer(evict_after=0.001)
        other = threading.Thread(target=lambda: [None for _ in self.consumer()])
        p.publish(np.zeros(5))
        f = c.next(5)
        self.assertTrue(f.valid())
        other.start()
        for _ in range(3000):
            p.publish(np.ones(5), timeout=20)
        self.assertFalse(f.valid())
        with self.assertRaises(ndring.EvictedError):
            f.copy()
        with self.assertRaises(ndring.EvictedError):
            f.release()
        with self.assertRaises(ndring.EvictedError):
            c.next(5)
        p.close(20)
        other.join()


class Batches(Rings):
    def test_mixed(self):
        """Check that a batch holds runs of small frames and others, in order, across
        wraps, and that its arrays cannot be had after release."""
        p, c = self.producer(), self.consumer()
        shapes = [(5,), (5,), (5,), (2, 3), (0,), (5,), (300,), (5,), ()]
        sent, got = 0, 0
        for _ in range(60):
            for shape in shapes:
                p.publish(np.full(shape, sent, "f8"))
                sent += 1
            while got < sent:
                batch = c.next_batch(5)
                arrays = list(batch.arrays())
                self.assertEqual(len(arrays), len(batch))
                for frame, a in zip(batch, arrays):
                    self.assertEqual((frame.number, a.shape), (got, shapes[got % len(shapes)]))
                    np.testing.assert_array_equal(frame.array, got)
                    np.testing.assert_array_equal(a, got)
                    got += 1
        part = batch.parts[0]
        batch.release()
        with self.assertRaises(ndring.ReleasedError):
            part.array
        with self.assertRaises(ndring.ReleasedError):
            frame.array

    def test_run(self):
        """Check that equal small frames come as one strided view of the ring."""
        p, c = self.producer(), self.consumer()
        for n in range(100):
            p.publish(np.full(5, n, "f8"))
        batch = c.next_batch(5)
        while len(batch) < 100 and batch.parts[-1].numbers[-1] < 99:
            batch = c.next_batch(5)
        run = batch.parts[0]
        self.assertEqual(run.array.strides, (64, 8))
        np.testing.assert_array_equal(run.array[:, 0], run.numbers)

    def test_most(self):
        """Check that a batch holds no more frames than asked for."""
        p, c = self.producer(), self.consumer()
        for n in range(10):
            p.publish([n])
        self.assertEqual(len(c.next_batch(5, most=1)), 1)
        numbers = [1]
        while numbers[-1] < 9:
            batch = c.next_batch(5, most=4)
            self.assertLessEqual(len(batch), 4)
            numbers += [f.number for f in batch]
        self.assertEqual(numbers[1:], list(range(1, 10)))


class Waiting(Rings):
    def test_timeout(self):
        """Check that a wait that runs out can be repeated."""
        p, c = self.producer(), self.consumer()
        for _ in range(2):
            with self.assertRaises(TimeoutError):
                c.next(timeout=0.01)
        for n, patience in enumerate((5, 1e10, float("inf"))):
            later = threading.Timer(0.02, p.publish, ([1.0],))
            later.start()
            self.assertEqual(c.next(patience).number, n)
            later.join()

    def test_fileno(self):
        """Check that the descriptor tells when there is more."""
        p, c = self.producer(), self.consumer()
        poll = select.poll()
        poll.register(c.fileno(), select.POLLIN)
        with self.assertRaises(TimeoutError):
            c.next(timeout=0)
        p.publish([1.0])
        self.assertTrue(poll.poll(5000))
        self.assertEqual(c.next(timeout=0).number, 0)

    def test_asyncio(self):
        """Check async for over frames and batches, together with other tasks."""
        p = self.producer()

        async def read():
            async with await ndring.Consumer.open("x", dir=self.dir) as c:
                with self.assertRaises(TimeoutError):
                    await c.next_async(timeout=0.01)
                wrote = asyncio.get_running_loop().run_in_executor(None, write)
                numbers = []
                async for f in c:
                    numbers.append(f.number)
                    if f.number == 500:
                        break
                async for batch in c.batches():
                    numbers += [f.number for f in batch]
                await wrote
                return numbers

        def write():
            for n in range(1000):
                p.publish([n], timeout=20)
            p.close(20)

        self.assertEqual(asyncio.run(read()), list(range(1000)))

    def test_end(self):
        """Check that the end of the ring ends loops, and comes as EndOfRing after."""
        p, c = self.producer(), self.consumer()
        p.publish([1.0])
        ending = threading.Thread(target=p.close)
        ending.start()
        self.assertEqual([f.number for f in c], [0])
        ending.join()
        with self.assertRaises(ndring.EndOfRing):
            c.next()
        self.assertEqual(os.listdir(self.dir), [])

    def test_full(self):
        """Check that a full ring blocks until a reader releases, or drops by policy
        and counts."""
        p, c = self.producer(), self.consumer()
        with self.assertRaises(TimeoutError):
            while True:
                p.publish(np.zeros(1000), timeout=0.01)
        sent = p.number
        self.assertEqual([c.next(5).number for _ in range(sent)], list(range(sent)))
        c.release()
        p.publish(np.zeros(1000), timeout=5)
        p.leave()
        os.unlink(os.path.join(self.dir, "x.ring"))
        d = self.producer(policy="drop")
        with self.assertRaises(ndring.DroppedError):
            while True:
                d.publish(np.zeros(1000))
        self.assertEqual(d.dropped, 1)


    def test_out_of_descriptors(self):
        """Check that a producer without a descriptor for a client tries again after a
        pause each time, and serves who comes once there are some."""
        with self.process(
                "import resource, socket, threading, time\n"
                "p = ndring.Producer('x', dir=dir, capacity=65536)\n"
                "client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
                "tries, enough, accept = [], threading.Event(), socket.socket.accept\n"
                "def counted(listener):\n"
                "    tries.append(time.monotonic())\n"
                "    if len(tries) == 3: enough.set()\n"
                "    return accept(listener)\n"
                "socket.socket.accept = counted\n"
                "highest = max(map(int, os.listdir('/proc/self/fd')))\n"
                "while os.dup(0) < highest: pass\n"
                "most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
                "resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0) + 1, hard))\n"
                "client.connect(os.path.join(dir, 'x.sock'))\n"
                "print(enough.wait(60), tries[2] - tries[0] > 0.19, flush=True)\n"
                "resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))\n"
                "client.close()\n"
                "c = ndring.Consumer('x', dir=dir, timeout=60)\n"
                "p.publish([1.0]); print(c.next(60).number, flush=True); c.close(); p.close()\n") as scarce:
            out, _ = scarce.communicate(timeout=100)
        self.assertEqual(out, "True True\n0\n")


class Ends(unittest.TestCase):
    """The end of a control connection. What comes between two looks of the kernel's comes
    by chance only, so a stand-in for the socket says what each look finds."""

    def took(self, *looks):
        class Stand:
            def recv(self, size, flags):
                found = looks_left.pop(0)
                if isinstance(found, bytes):
                    return found
                raise found
        looks_left = list(looks)
        return receive(Stand())

    def test_last_words(self):
        """Check that a packet behind an end or a reset is taken, and that the end comes
        after it."""
        self.assertEqual(self.took(b"", b"x"), b"x")
        self.assertEqual(self.took(ConnectionResetError(), b"x"), b"x")
        self.assertEqual(self.took(ConnectionResetError(), b"", b"x"), b"x")
        for looks in ((b"", b""), (b"", BlockingIOError()), (ConnectionResetError(), ConnectionResetError()),
                      (ConnectionResetError(), b"", b""), (BrokenPipeError(),)):
            self.assertEqual(self.took(*looks), b"")
        with self.assertRaises(BlockingIOError):
            self.took(BlockingIOError())


class Restarts(Rings):
    def test_continued(self):
        """Check that a producer goes on where one that was killed in the middle of a
        frame stopped, and that its reader loses nothing, in order."""
        first = self.process(
            "p = ndring.Producer('x', dir=dir, capacity=65536)\n"
            "for n in range(300): p.publish([n])\n"
            "c = p.claim(5); c.array[:2] = -1; print('ready', flush=True); os.kill(os.getpid(), signal.SIGKILL)")
        self.assertEqual(first.stdout.readline(), "ready\n")
        first.wait()
        first.stdout.close()
        p = self.producer()
        self.assertEqual((p.number, p.epoch), (300, 2))
        c = self.consumer()
        read = [c.next(5).number for _ in range(100)]
        p.leave()
        p = self.producer()
        for n in range(300, 400):
            p.publish([n])
        threading.Thread(target=p.close).start()
        for f in c:
            self.assertEqual(f.array[0], f.number)
            read.append(f.number)
        self.assertEqual(read, list(range(400)))
        self.assertEqual(c.epoch, 3)

    def test_lost(self):
        """Check that a reader whose writer is gone for good gets everything, then
        WriterLostError."""
        p, c = self.producer(), self.consumer(restart_wait=0.05)
        for n in range(10):
            p.publish([n])
        p.leave()
        self.assertEqual([c.next(5).number for _ in range(10)], list(range(10)))
        for _ in range(2):
            with self.assertRaises(ndring.WriterLostError):
                c.next(5)
        with ndring.open_dead("x", dir=self.dir) as dead:
            self.assertEqual([f.array[0] for f in dead], list(range(10)))
            self.assertFalse(dead.ended)

    def test_ended_unseen(self):
        """Check that a reader that looks for a writer finds the end in the ring, if one
        took it up, owed nothing and left between two attempts."""
        for wake in "stream", "park":
            with self.subTest(wake=wake):
                p, c = self.producer(), self.consumer(restart_wait=1, wake=wake)
                for n in range(3):
                    p.publish([n])
                p.leave()
                self.assertEqual([c.next(5).number for _ in range(3)], list(range(3)))
                with self.assertRaises(TimeoutError):
                    c.next(0)
                self.producer(grace=0).close()
                for _ in range(2):
                    with self.assertRaises(ndring.EndOfRing):
                        c.next(5)
                c.close()

    def test_forked(self):
        """Check that a child that a producer forked keeps neither lock nor socket of one
        that is killed, and has no part in the ring."""
        first = subprocess.Popen(
            [sys.executable, "-B", "-c", "import os, ndring\n"
             "p = ndring.Producer('x', dir=%r, capacity=65536)\n"
             "p.publish([1.0])\n"
             "child = os.fork() == 0\n"
             "if child:\n"
             "  try: p.publish([2.0]); print('open', flush=True)\n"
             "  except ndring.ClosedError: p.close(); print('closed', flush=True)\n"
             "os.read(0, 1)\n"
             "os._exit(0)\n" % self.dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with first:  # closes the pipe, which ends the child
            c = self.consumer(restart_wait=60)
            self.assertEqual(first.stdout.readline(), "closed\n")
            self.assertEqual(c.next(5).number, 0)
            first.kill()
            first.wait()
            p = self.producer()
            p.publish([2.0])
            self.assertEqual(c.next(30).number, 1)

    def test_recreate(self):
        """Check that a left-over ring of another geometry is refused unless it is to
        be replaced, and that a reader of the old one is told."""
        p, c = self.producer(), self.consumer(restart_wait=5)
        p.publish([1.0])
        p.leave()
        with self.assertRaises(ndring.MismatchError):
            self.producer(capacity=1 << 17)
        self.producer(capacity=1 << 17, recreate=True)
        self.assertEqual(c.next(5).number, 0)
        with self.assertRaises(ndring.WriterLostError):
            c.next(5)

    def test_consumer_killed(self):
        """Check that a killed consumer frees the gate, and that a named one keeps it
        until it returns where it was."""
        for name, keep in (("", 0), ("n", 30)):
            p = self.producer(recreate=True)
            victim = self.process(
                "c = ndring.Consumer('x', dir=dir, name=%r, keep=%r)\n"
                "for f in c:\n"
                "  if f.number == 10: print('ready', flush=True); os.kill(os.getpid(), signal.SIGKILL)" % (name, keep))
            for n in range(100):
                p.publish([n])
            self.assertEqual(victim.stdout.readline(), "ready\n")
            victim.wait()
            victim.stdout.close()
            if name:
                with self.assertRaises(TimeoutError):
                    while True:
                        p.publish([0.0], timeout=0.05)
                c = self.consumer(name=name)
                self.assertLessEqual(c.next(5).number, 10)
                c.close()
            for _ in range(2000):
                p.publish([0.0], timeout=20)
            p.leave()
            os.unlink(os.path.join(self.dir, "x.ring"))


class Farewells(Rings):
    """The end of a ring waits for the goodbye of readers with a name that asked to be
    kept."""

    def kept(self, **more):
        """A reader that has read to the end of what there is and released it."""
        c = self.consumer(**{"name": "n", "keep": 3600, **more})
        self.assertEqual(c.next(5).number, 0)
        c.release()
        c._tell()
        return c

    def closing(self, p):
        """Closes a producer meanwhile; the result is known once ended is set."""
        said = []

        def close():
            try:
                p.close(60)
                said.append(None)
            except BaseException as e:
                said.append(e)
        t = threading.Thread(target=close)
        t.start()
        self.addCleanup(t.join)
        return t, said

    def wakes(self):
        return ("stream", "park") if _order.HAS_EXCHANGE else ("stream",)

    def test_killed_at_the_end(self):
        """Check that a reader that is killed after its last release and before it said
        goodbye comes back to a ring that tells it of its end, in both wake modes."""
        for wake in self.wakes():
            p = self.producer()
            p.publish([1.0])
            victim = self.process(
                "c = ndring.Consumer('x', dir=dir, name='n', keep=3600, wake=%r)\n"
                "c.next(60); c.release(); c._tell(); print('released', flush=True); signal.alarm(60); signal.pause()" % wake)
            with victim:
                self.assertEqual(victim.stdout.readline(), "released\n")
                closing, said = self.closing(p)
                while p._server.parting is None and closing.is_alive():
                    pass
                victim.kill()
                victim.wait(60)
            c = ndring.Consumer("x", dir=self.dir, name="n", keep=3600, wake=wake, timeout=0)
            self.assertEqual(said, [])
            with self.assertRaises(ndring.EndOfRing):
                c.next(60)
            c.close()
            closing.join()
            self.assertEqual(said, [None])
            self.assertEqual(os.listdir(self.dir), [])

    def test_killed_before_the_end(self):
        """Check that a reader that was dead before the ring ended is waited for, by a
        producer after the one it knew, too."""
        p = self.producer()
        p.publish([1.0])
        victim = self.process(
            "c = ndring.Consumer('x', dir=dir, name='n', keep=3600)\n"
            "c.next(60); c.release(); c._tell(); os.kill(os.getpid(), signal.SIGKILL)")
        with victim:
            victim.wait(60)
        p.leave()
        p = self.producer()
        with self.assertRaises(TimeoutError) as late:
            p.close(0)
        self.assertIn("'n'", str(late.exception))

    def test_silent(self):
        """Check that a reader that stays and says nothing is waited for no longer than it
        asked for, nor beyond the time given; and that one without a name, one that did
        not ask, and one that was evicted are not waited for."""
        for settings, error in ((dict(keep=0.05), None), (dict(), TimeoutError), (dict(name=""), None), (dict(keep=0), None),
                                (dict(evict_after=0.001), None)):
            p = self.producer(free_run=not settings)
            p.publish([1.0])
            c = self.kept(**settings)
            if "evict_after" in settings:
                for _ in range(2000):
                    p.publish(np.ones(5), timeout=60)
            if error is None:
                p.close(60)
            else:
                with self.assertRaises(error):
                    p.close(0.05)
            self.assertEqual(os.listdir(self.dir), [])
            c.close()

    def test_dead(self):
        """Check that a reader that is dead is waited for no longer than it asked for."""
        p = self.producer()
        p.publish([1.0])
        victim = self.process(
            "c = ndring.Consumer('x', dir=dir, name='n', keep=0.1)\n"
            "c.next(60); c.release(); c._tell(); os.kill(os.getpid(), signal.SIGKILL)")
        with victim:
            victim.wait(60)
        p.close(60)

    def test_at_once(self):
        """Check that an end that may not wait is none too early for whoever has said
        goodbye, and for a ring that nobody reads."""
        self.producer(free_run=True).close(0)
        self.producer().close(0)
        for _ in range(20):
            p = self.producer()
            p.publish([1.0])
            self.kept().close()
            p.close(0)
        p = self.producer()
        p.publish([1.0])
        with self.assertRaises(TimeoutError):
            p.close(0)


class BadInput(Rings):
    def test_claims(self):
        """Check that wrong dtypes and shapes, too large frames, open claims and ended
        rings each have their error."""
        p = self.producer(dtype="f8", shape=(None, 3))
        for shape, dtype, error in (((2, 3), "f4", ndring.DTypeError), ((2, 4), "f8", ndring.ShapeError), (5, "f8", ndring.ShapeError),
                                    ((1, 3), ">f8", ndring.DTypeError), ((1, 3), "O", ndring.DTypeError),
                                    ((1,) * 9, "f8", ndring.ShapeError), ((-1, 3), "f8", ndring.ShapeError),
                                    ((1 << 20, 3), "f8", ndring.FrameTooLargeError)):
            with self.assertRaises(error, msg=(shape, dtype)):
                p.claim(shape, dtype)
        for wrong in (dict(kind=64), dict(kind=L.KIND_PADDING), dict(time_ns=-1), dict(sequence=1 << 32), dict(role=256)):
            with self.assertRaises(ndring.HeaderError, msg=wrong):
                p.claim((1, 3), "f8", **wrong)
        with self.assertRaisesRegex(ndring.DTypeError, "'f2' for half"):
            p.claim((1, 3), "f16")
        with self.assertRaises(TypeError):
            p.claim((1.5, 3), "f8")
        claim = p.claim((1, 3), "f8")
        with self.assertRaises(ndring.ClaimOpenError):
            p.claim((1, 3), "f8")
        claim.abort()
        with self.assertRaises(RuntimeError):
            with p.claim((1, 3), "f8"):
                raise RuntimeError
        self.assertEqual(p.number, 0)
        p.leave()
        with self.assertRaises(ndring.ClosedError):
            p.claim((1, 3))

    def test_claim_after_claim(self):
        """Check that a claim like the one before it is told from one that only looks so: a
        list that was changed, an array of extents, another kind of frame."""
        p, c = self.producer(), self.consumer()
        shape = [5]
        p.claim(shape).commit()
        shape[0] = 6
        p.claim(shape).commit()
        p.claim(6, kind=L.KIND_SKIPPABLE).commit()
        p.claim(np.array([2, 3])).commit()
        self.assertEqual([(f.number, f.shape) for f in c.next_batch(5)], [(0, (5,)), (1, (6,)), (3, (2, 3))])

    def test_group(self):
        """Check that a group appears whole, with its flags and roles."""
        p, c = self.producer(), self.consumer()
        with p.claim_group([dict(shape=3, sequence=9, stream=4), dict(shape=3, role=L.ROLE_DELTA, sequence=9, stream=4)]) as (a, b):
            a[:], b[:] = 1, 2
        frames = [(f.more, f.header.role, f.header.sequence, f.array[0]) for f in c.next_batch(5)]
        self.assertEqual(frames, [(True, 0, 9, 1), (False, 1, 9, 2)])

    def test_no_ring(self):
        """Check the errors of a ring that is not there, a second writer, a name in
        use, a full table, a position that is none, and a directory of others."""
        with self.assertRaises(ndring.NoRingError):
            ndring.Consumer("nobody", dir=self.dir, timeout=0)
        with self.assertRaises(ndring.NoRingError):
            ndring.open_dead("nobody", dir=self.dir)
        p = self.producer(slots=1)
        with self.assertRaises(ndring.WriterAliveError) as alive:
            self.producer(slots=1)
        self.assertEqual(alive.exception.pid, os.getpid())
        with self.assertRaises(ndring.NoPositionError):
            self.consumer(start=64)
        self.consumer(name="n")
        with self.assertRaises(ndring.NameInUseError) as refused:
            self.consumer(name="n")
        self.assertEqual(refused.exception.code, L.CODE_NAME_IN_USE)
        with self.assertRaises(ndring.TableFullError):
            self.consumer()
        p.leave()
        os.chmod(self.dir, 0o777)
        for use in (lambda: ndring.Consumer("x", dir=self.dir, timeout=0), lambda: self.producer()):
            with self.assertRaises(ndring.DirError):
                use()
        os.chmod(self.dir, 0o700)
        for name in ("", ".x", "a/b", "n" * 65, "\u00e4", "\ud800", None, b"x"):
            with self.assertRaises(ndring.InvalidNameError):
                ndring.Consumer(name, dir=self.dir)

    def test_numbers(self):
        """Check that numbers that no message or file can carry are refused in words or
        cut to what it can, and leave nothing behind."""
        for wrong, error in ((dict(start=-64), ndring.GeometryError), (dict(start=1 << 64), ndring.GeometryError),
                             (dict(dtype="f8", shape=(-3,)), ndring.ShapeError), (dict(capacity=1e6), TypeError)):
            with self.assertRaises(error, msg=wrong):
                self.producer(**wrong)
        p = self.producer()
        for wrong in (dict(start=-1), dict(start=1 << 64), dict(keep=-1.0), dict(evict_after=-1.0)):
            with self.assertRaises(ValueError, msg=wrong):
                self.consumer(**wrong)
        with self.assertRaises(ndring.NoPositionError):
            ndring.Observer("x", dir=self.dir, start=-1)
        c = self.consumer(name="n", keep=1e9, evict_after=1e9)
        p.leave()
        os.unlink(os.path.join(self.dir, "x.ring"))
        c.close()

    def test_failed_open(self):
        """Check that a producer that cannot be served leaves no file of a new ring, and
        every frame of one that it wanted to continue."""
        def fail(*_):
            raise OSError("no descriptor is left")

        had, ndring.producer.Server = ndring.producer.Server, fail
        try:
            with self.assertRaises(OSError):
                self.producer()
            self.assertEqual(os.listdir(self.dir), [])
            ndring.producer.Server = had
            p = self.producer()
            p.publish([1.0])
            p.leave()
            ndring.producer.Server = fail
            with self.assertRaises(OSError):
                self.producer()
        finally:
            ndring.producer.Server = had
        self.assertEqual(self.producer().number, 1)

    def test_failed_open_leaks_nothing(self):
        """Check that a producer that cannot be made leaves no descriptor open: without one
        for each of its descriptors in turn, of a new ring and of a left-over one; of a
        ring that has a writer, and of one that is corrupt."""
        with self.process(
                "import gc, resource\n"
                "_, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
                "def fds():\n"
                "    gc.collect()\n"
                "    return len(os.listdir('/proc/self/fd'))\n"
                "def fails(most):\n"
                "    before = fds()\n"
                "    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))\n"
                "    try: p = ndring.Producer('x', dir=dir, capacity=65536)\n"
                "    except (OSError, ndring.NdringError): p = None\n"
                "    finally: resource.setrlimit(resource.RLIMIT_NOFILE, limits)\n"
                "    if p is None: assert fds() == before, (most, fds(), before)\n"
                "    return p\n"
                "def scarce():\n"
                "    most = least = fds() - 1\n"
                "    while most < least + 50:\n"
                "        p = fails(most)\n"
                "        if p is not None: return most - least, p\n"
                "        most += 1\n"
                "new, p = scarce(); p.leave(); p = None\n"
                "old, p = scarce()\n"
                "assert fails(limits[0]) is None\n"
                "p._writer.segment.set_word(ndring._layout.WR_TAIL, 1); p.leave()\n"
                "assert fails(limits[0]) is None\n"
                "print(new > 9, old > 9)\n") as scarce:
            out, _ = scarce.communicate(timeout=100)
        self.assertEqual(out, "True True\n")

    def test_no_numpy(self):
        """Check that a Python without NumPy is told what to install."""
        got = subprocess.run([sys.executable, "-B", "-c", "import sys; sys.modules['numpy'] = None; import ndring"],
                             stderr=subprocess.PIPE, text=True)
        self.assertIn("python3-numpy", got.stderr.splitlines()[-1])

    def test_files(self):
        """Check that files of another version or byte order, cut or damaged ones, each
        have their error."""
        p = self.producer()
        p.leave()
        path = os.path.join(self.dir, "x.ring")
        with open(path, "rb") as f:
            whole = f.read()
        for at, raw, error in ((0, b"\x0a\x1agnirdn", ndring.EndianError), (L.ID_MAJOR, b"\2\0", ndring.VersionError),
                               (L.ID_READY, bytes(8), ndring.NotReadyError), (L.ID_NAME, b"y", ndring.ChecksumError),
                               (0, b"x", ndring.MagicError)):
            with open(path, "r+b") as f:
                f.write(whole)
                f.seek(at)
                f.write(raw)
            with self.assertRaises(error):
                ndring.open_dead("x", dir=self.dir)
        with open(path, "wb") as f:
            f.write(whole[:20000])
        with self.assertRaises(ndring.TruncatedError):
            ndring.open_dead("x", dir=self.dir)

    def test_corrupt(self):
        """Check that an announced frame with a malformed header is CorruptError, and
        stays so."""
        p, c = self.producer(), self.consumer()
        claim = p.claim(5)
        s = p._writer.segment
        claim.commit()
        s.words[s.commit_index(0) + 2] = 0xff << L.DESC_DTYPE_SHIFT
        for _ in range(2):
            with self.assertRaises(ndring.CorruptError):
                c.next(5)


class Words(unittest.TestCase):
    def test_no_tear(self):
        """Check that a word stored through the aligned view is never seen half, or
        zero in between, by another process."""
        with tempfile.TemporaryFile(dir="/dev/shm") as file:
            file.truncate(4096)
            writer = subprocess.Popen(
                [sys.executable, "-B", "-c", "import mmap, sys, time\n"
                 "w = memoryview(mmap.mmap(%d, 4096)).cast('Q')\n"
                 "end = time.monotonic() + 0.5\n"
                 "while time.monotonic() < end:\n"
                 "  for _ in range(1000): w[8] = 0x1111111111111111; w[8] = 0xeeeeeeeeeeeeeeee\n" % file.fileno()],
                pass_fds=[file.fileno()])
            words = memoryview(mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)).cast("Q")
            seen = set()
            while words[8] == 0 and writer.poll() is None:
                pass  # nothing is stored yet
            while writer.poll() is None:
                seen.update(words[8] for _ in range(1000))
        self.assertLessEqual(seen, {0x1111111111111111, 0xeeeeeeeeeeeeeeee})

    def test_sources(self):
        """Check that no source of the module stores into shared memory by
        struct.pack_into: only the identity's private copy is packed so."""
        folder = os.path.dirname(ndring.__file__)
        for name in sorted(os.listdir(folder)):
            if name.endswith(".py") and name != "identity.py":
                with open(os.path.join(folder, name)) as f:
                    self.assertNotIn("pack_into(", f.read(), name)


if __name__ == "__main__":
    unittest.main()
