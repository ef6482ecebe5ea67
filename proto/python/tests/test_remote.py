"""The client of the TCP bridge, against a bridge that answers in pieces, or not at all."""

import itertools
import socket
import struct
import threading
import unittest

import numpy as np

import ndring


class Slow(unittest.TestCase):
    def setUp(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.remote = ndring.Remote(*listener.getsockname(), timeout=0.02)
            self.addCleanup(self.remote.close)
            self.bridge, _ = listener.accept()
            self.addCleanup(self.bridge.close)

    def test_pieces(self):
        """Check that a result that comes in pieces, with timeouts between them, is got
        whole by asking again."""
        for sequence in (1, 2):
            values = np.array([sequence, 0.5] * sequence)
            self.remote.send(values)
            answer = struct.pack(">QIB", 77, sequence, 0) + values.tobytes()
            for piece in (answer[:5], answer[5:18], answer[18:-1]):
                self.bridge.sendall(piece)
                with self.assertRaises(TimeoutError):
                    self.remote.recv()
            self.bridge.sendall(answer[-1:])
            self.remote._sock.settimeout(20)
            result = self.remote.recv()
            self.remote._sock.settimeout(0.02)
            self.assertEqual((result.sequence, result.time_ns), (sequence, 77))
            np.testing.assert_array_equal(result.primary, values)

    def test_cut(self):
        """Check that after a chunk that was not taken in time no other is sent behind
        what went out of it."""
        with self.assertRaises(TimeoutError):
            self.remote.send(np.zeros(8 << 20))
        with self.assertRaises(ndring.ClosedError):
            self.remote.send([1.0])

    def test_left(self):
        """Check that nobody gets the result of another chunk: not behind a stream that was
        left, nor from a call while results are due."""
        self.remote._sock.settimeout(20)
        answer = [struct.pack(">QIB", 77, n, 0) + np.full(n, 1.0).tobytes() for n in (1, 2, 3)]
        self.bridge.sendall(b"".join(answer))
        results = self.remote.stream(np.zeros(n) for n in (1, 2))
        self.assertEqual([len(next(results).primary), len(next(results).primary)], [1, 2])
        results.close()  # with nothing due
        self.assertEqual(self.remote.call(np.zeros(3)).sequence, 3)
        self.remote.send([1.0])
        with self.assertRaises(ndring.ChunkError):
            self.remote.call([1.0])
        self.bridge.sendall(struct.pack(">QIB", 77, 4, 0) + np.full(1, 2.0).tobytes())
        self.assertEqual(self.remote.recv().primary, [2])
        results = self.remote.stream(np.zeros(n) for n in (2, 3))
        self.bridge.sendall(struct.pack(">QIB", 77, 5, 0) + np.full(2, 2.0).tobytes())
        self.assertEqual(next(results).sequence, 5)
        while self.remote._chunks.due == 0:
            pass
        results.close()
        with self.assertRaises(ndring.ChunkError):
            self.remote.call([1.0])
        self.remote.close()
        for use in (lambda: self.remote.call([1.0]), self.remote.recv, self.remote.finish):
            with self.assertRaises(ndring.ClosedError):
                use()

    def test_half_way(self):
        """Check that a stream that is left half way asks for no chunks for ever."""
        self.remote._sock.settimeout(None)
        drain = threading.Thread(target=lambda: [None for _ in iter(lambda: self.bridge.recv(1 << 16), b"")])
        drain.start()
        results = self.remote.stream(np.zeros(1) for _ in itertools.count())
        self.bridge.sendall(struct.pack(">QIB", 77, 1, 0) + np.zeros(1).tobytes())
        self.assertEqual(next(results).sequence, 1)
        results.close()
        for t in threading.enumerate():
            if t.name == "ndring remote":
                t.join(20)
                self.assertFalse(t.is_alive())
        self.remote.close()
        drain.join()

    def test_values(self):
        """Check that what is no real number is refused, not cut down to one."""
        for wrong in ([1j], ["1.5"], [b"x"], np.zeros(2, "M8[s]")):
            with self.assertRaises(ndring.ChunkError, msg=wrong):
                self.remote.send(wrong)


if __name__ == "__main__":
    unittest.main()
