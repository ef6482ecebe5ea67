"""Opening and reading in asyncio: what holds the loop, what is cancelled, who is awaited."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import numpy as np

import ndring
from test_ring import Rings


class Loop(Rings):
    def silent(self, name="x"):
        """A control socket whose owner never answers, like that of a stopped writer."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(s.close)
        s.bind(os.path.join(self.dir, name + ".sock"))
        s.listen(8)
        return s

    def descriptors(self):
        gc.collect()
        return len(os.listdir("/proc/self/fd"))


class Opening(Loop):
    def test_both_ways(self):
        """Check that open can be awaited, made a task of, and used in async with, which
        closes the reader, for consumers and observers."""
        p = self.producer(free_run=True)
        p.publish([1.0])

        async def read():
            for sort in (ndring.Consumer, ndring.Observer):
                for opened in (sort.open("x", dir=self.dir), asyncio.create_task(sort.open("x", dir=self.dir)),
                               asyncio.wait_for(sort.open("x", dir=self.dir), 5)):
                    c = await opened
                    self.assertIsInstance(c, sort)
                    self.assertEqual((await c.next_async(5)).number, 0)
                    c.close()
                async with sort.open("x", dir=self.dir) as c:
                    self.assertEqual((await c.next_async(5)).number, 0)
                with self.assertRaises(ndring.ClosedError):
                    await c.next_async()

        asyncio.run(read())

    def test_loop_is_free(self):
        """Check that the loop runs on while a writer does not answer, and that a
        cancelled attempt leaves no descriptor."""
        self.silent()

        async def read():
            before = self.descriptors()
            for sort in (ndring.Consumer, ndring.Observer):
                opening = asyncio.create_task(sort.open("x", dir=self.dir))
                turns = 0
                while turns < 50:
                    await asyncio.sleep(0.001)
                    turns += 1
                self.assertFalse(opening.done())
                opening.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await opening
            del opening
            self.assertEqual(self.descriptors(), before)

        began = time.monotonic()
        asyncio.run(read())
        self.assertLess(time.monotonic() - began, 4.5)  # of the 5 s that an answer may take

    def test_cancelled_reader_leaves(self):
        """Check that an attempt that is cancelled when the writer has heard of it holds
        the writer up no longer than it takes to hear of that."""
        p = self.producer()

        async def attempts():
            for wake in ("stream", "park"):
                for turns in range(4):
                    opening = asyncio.ensure_future(ndring.Consumer.open("x", dir=self.dir, wake=wake))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    opening.cancel()
                    try:
                        (await opening).close()
                    except asyncio.CancelledError:
                        pass

        asyncio.run(attempts())
        with ndring.Consumer("x", dir=self.dir, timeout=5):
            pass
        for _ in range(3000):
            p.publish([0.0], timeout=50)
        self.assertEqual(p.readers, [])

    def test_timeout(self):
        """Check that the time given bounds the answer, too, in words, and that no time
        at all means a ring that is not there."""
        self.silent()
        for sort in (ndring.Consumer, ndring.Observer):
            with self.assertRaisesRegex(TimeoutError, "'x'.*did not answer within 0.05 s"):
                sort("x", dir=self.dir, timeout=0.05)
            with self.assertRaises(ndring.NoRingError):
                asyncio.run(sort.open("nobody", dir=self.dir, timeout=0))

    def test_reconnect_does_not_wait(self):
        """Check that a reader whose writer died keeps the time of its own waits while
        another one does not answer."""
        p = self.producer(free_run=True)
        c = self.consumer(restart_wait=60)
        o = ndring.Observer("x", dir=self.dir, timeout=5, start="latest", restart_wait=60)
        p.leave()
        os.unlink(os.path.join(self.dir, "x.sock"))
        self.silent()
        began = time.monotonic()
        for r in (c, o):
            for _ in range(3):
                with self.assertRaises(TimeoutError):
                    r.next(0.02)
        self.assertLess(time.monotonic() - began, 4.5)
        o.close()


class Reading(Loop):
    def test_observer(self):
        """Check async for over an observer, with a writer that comes and goes."""
        p = self.producer(free_run=True, capacity=1 << 20)

        async def read():
            async with ndring.Observer.open("x", dir=self.dir) as o:
                with self.assertRaises(TimeoutError):
                    await o.next_async(timeout=0.01)
                wrote = asyncio.get_running_loop().run_in_executor(None, write)
                numbers = [f.number async for f in o]
                await wrote
                return numbers

        def write():
            nonlocal p
            for n in range(1000):
                p.publish([n])
                if n == 500:
                    p.leave()
                    p = self.producer(free_run=True, capacity=1 << 20)
            p.close(20)

        self.assertEqual(asyncio.run(read()), list(range(1000)))

    def test_fair(self):
        """Check that a task that reads what is there lets others run. Without its turns
        they would wait until the ring is empty."""
        p, c = self.producer(), self.consumer()
        o = ndring.Observer("x", dir=self.dir, timeout=5)
        for n in range(200):
            p.publish([n])

        async def read(r):
            ran = []
            asyncio.get_running_loop().call_soon(ran.append, 1)
            async for f in r:
                until = time.monotonic() + 0.001
                while time.monotonic() < until:
                    pass
                if f.number == 199 or ran:
                    return f.number

        for r in (c, o):
            self.assertLess(asyncio.run(read(r)), 199)
        o.close()

    def test_cancelled(self):
        """Check that a wait that is cancelled takes no frame, and that its descriptors
        are watched no longer."""
        for wake in ("stream", "park"):
            p = self.producer()
            c = self.consumer(wake=wake)

            async def read():
                for _ in range(3):
                    waiting = asyncio.create_task(c.next_async())
                    await asyncio.sleep(0.01)
                    waiting.cancel()
                    with self.assertRaises(asyncio.CancelledError):
                        await waiting
                    self.assertEqual(list(asyncio.get_running_loop()._selector.get_map()), [asyncio.get_running_loop()._ssock.fileno()])
                p.publish([1.0])
                return (await c.next_async(5)).number

            self.assertEqual(asyncio.run(read()), 0)
            c.close()
            p.close(5)

    def test_one_at_a_time(self):
        """Check that a second task that asks is told so, and that close ends the wait
        of the first."""
        p, c = self.producer(), self.consumer()

        async def read():
            waiting = asyncio.create_task(c.next_async())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            with self.assertRaisesRegex(RuntimeError, "in use"):
                await c.next_async()
            with self.assertRaisesRegex(RuntimeError, "in use"):
                c.next_batch(timeout=0)
            c.close()
            with self.assertRaises(ndring.ClosedError):
                await asyncio.wait_for(waiting, 5)

        asyncio.run(read())
        with self.assertRaises(ndring.ClosedError):
            c.next()
        p.leave()


class Interrupted(Loop):
    def interrupted(self, text):
        """Runs a process that is interrupted when it says ready; what it says then."""
        child = subprocess.Popen(
            [sys.executable, "-B", "-W", "error::ResourceWarning", "-c",
             "import asyncio, os, signal, sys, ndring\ndir = %r\n"
             "def once(*_): signal.signal(signal.SIGINT, signal.SIG_IGN); raise KeyboardInterrupt\n%s" % (self.dir, text)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with child:
            self.assertEqual(child.stdout.readline(), "ready\n", None if child.poll() is None else child.stderr.read())
            while child.poll() is None:  # it may not sleep yet
                child.send_signal(signal.SIGINT)
                try:
                    child.wait(0.2)
                except subprocess.TimeoutExpired:
                    pass
            return child.stdout.read(), child.stderr.read()

    def test_next(self):
        """Check that an interrupted wait for a frame can be repeated, and loses none."""
        for wake in ("stream", "park"):
            self.assertEqual(self.interrupted(
                "p = ndring.Producer('x', dir=dir, capacity=65536); c = ndring.Consumer('x', dir=dir, wake=%r)\n"
                "signal.signal(signal.SIGINT, once)\n"
                "try: print('ready', flush=True); c.next()\n"
                "except KeyboardInterrupt: pass\n"
                "p.publish([1.0]); print(c.next(60).number); c.close(); p.close()\n" % wake), ("0\n", ""))

    def test_claim(self):
        """Check that an interrupted wait for room leaves no claim open."""
        self.assertEqual(self.interrupted(
            "p = ndring.Producer('x', dir=dir, capacity=65536); c = ndring.Consumer('x', dir=dir)\n"
            "n = 0\n"
            "try:\n"
            "  while True: p.publish([n] * 100, timeout=0.001); n += 1\n"
            "except TimeoutError: pass\n"
            "signal.signal(signal.SIGINT, once)\n"
            "try: print('ready', flush=True); p.claim(100)\n"
            "except KeyboardInterrupt: pass\n"
            "for _ in range(n): c.next(60)\n"
            "c.release(); p.publish([1.0] * 100, timeout=60); print(c.next(60).number == n)\n"
            "c.close(); p.close()\n"), ("True\n", ""))

    def test_open(self):
        """Check that an interrupted constructor leaves nothing open."""
        self.silent()
        self.assertEqual(self.interrupted(
            "n = len(os.listdir('/proc/self/fd')); signal.signal(signal.SIGINT, once)\n"
            "try: print('ready', flush=True); ndring.Consumer('x', dir=dir)\n"
            "except KeyboardInterrupt: pass\n"
            "print(len(os.listdir('/proc/self/fd')) - n)\n"), ("0\n", ""))

    def test_asyncio(self):
        """Check that an interrupted loop ends the wait and closes the consumer."""
        p = self.producer()
        out, _ = self.interrupted(
            "async def read():\n"
            "  async with ndring.Consumer.open('x', dir=dir) as c:\n"
            "    print('ready', flush=True)\n"
            "    async for f in c: pass\n"
            "try: asyncio.run(read())\n"
            "except KeyboardInterrupt: signal.signal(signal.SIGINT, signal.SIG_IGN); print('interrupted')\n")
        self.assertEqual(out, "interrupted\n")
        for _ in range(3000):
            p.publish([0.0], timeout=50)


class Threads(Loop):
    def test_reader(self):
        """Check that a thread that asks while another waits is told so, and that close
        from a third one ends the wait."""
        p = self.producer(free_run=True)
        for c in (self.consumer(), self.consumer(wake="park"), ndring.Observer("x", dir=self.dir, timeout=5)):
            told = []

            def wait():
                try:
                    c.next()
                except BaseException as e:
                    told.append(e)

            waiting = threading.Thread(target=wait)
            waiting.start()
            while not c._busy.locked():
                pass
            with self.assertRaisesRegex(RuntimeError, "in use by another thread"):
                c.next(timeout=0)
            c.close()
            waiting.join()
            self.assertIsInstance(told[0], ndring.ClosedError)
            with self.assertRaises(ndring.ClosedError):
                c.next()
        p.publish([1.0])

    def test_close_in_handler(self):
        """Check that close in a signal handler ends the wait that it interrupts."""
        p, c = self.producer(), self.consumer()
        had = signal.signal(signal.SIGALRM, lambda *_: c.close())
        self.addCleanup(signal.signal, signal.SIGALRM, had)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        try:
            with self.assertRaises(ndring.ClosedError):
                c.next(60)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        p.publish([1.0])

    def test_writer(self):
        """Check that of two threads that claim at once, one is told that a claim is
        open, and that no frame is torn."""
        p = self.producer(capacity=1 << 20)
        c = self.consumer()
        refused = []

        def write(mark):
            for _ in range(3000):
                try:
                    with p.claim(64, "u1", timeout=50) as a:
                        a[:] = mark
                except ndring.ClaimOpenError as e:
                    refused.append(e)

        had = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            both = [threading.Thread(target=write, args=(mark,)) for mark in (1, 2)]
            for t in both:
                t.start()
            torn = numbers = 0
            while any(t.is_alive() for t in both) or numbers < p.number:
                try:
                    f = c.next(0.05)
                except TimeoutError:
                    continue
                self.assertEqual(f.number, numbers)
                torn += f.array.min() != f.array.max()
                numbers += 1
        finally:
            sys.setswitchinterval(had)
        self.assertEqual((torn, numbers + len(refused)), (0, 6000))


del Rings, Loop  # so that no test of theirs is run again here

if __name__ == "__main__":
    unittest.main()
