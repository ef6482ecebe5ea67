"""The client of the TCP bridge, against a bridge that answers in pieces, or not at all."""

import socket
import struct
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


if __name__ == "__main__":
    unittest.main()
