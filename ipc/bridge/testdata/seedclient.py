"""A client of the seed protocol, standard library only, written from its
description alone: it knows nothing of rings.

    seedclient.py HOST:PORT CONVERSATION.json [CLIENTS]

Each of CLIENTS connections plays the conversation in two ways: chunk by chunk,
waiting for each answer, and all chunks at once followed by a half-close. Every
second client scales its chunks, so that answers meant for another are noticed.
"""
import json
import math
import socket
import struct
import sys
import threading

HEAD = struct.Struct(">QIB")  # timestamp_ns, sequence id, packet type
PRIMARY, DELTA = 0, 1


def receive(sock, count):
    """Returns exactly count bytes, or fewer at the end of the stream."""
    parts = []
    while count:
        part = sock.recv(count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def ulps(a, b):
    """Returns how many doubles lie between a and b, of the same sign."""
    (i,), (j,) = struct.unpack("<q", struct.pack("<d", a)), struct.unpack("<q", struct.pack("<d", b))
    return abs(i - j)


def arcsec(x):
    """The kernel, to a few ulp: the root form of arccos, whose argument is exact."""
    q = 1.0 / max(x, 1.0001)
    if q < 0.5:
        return math.acos(q) * 15.0
    return 2.0 * math.asin(math.sqrt((1.0 - q) / 2.0)) * 15.0


def doubles(payload):
    return struct.unpack("<%dd" % (len(payload) // 8), payload)


class Conversation:
    def __init__(self, address, chunks, expected):
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=60)
        self.chunks = chunks
        self.expected = expected
        self.last = None
        self.sequence = 0

    def answer(self, values):
        """Reads and checks the answer to one chunk of that many values."""
        self.sequence += 1
        current = self.packet(PRIMARY, values)
        for x, y, want in zip(self.chunks[self.sequence - 1], current, self.expected[self.sequence - 1]):
            if ulps(y, want) > 4 and ulps(y, arcsec(x)) > 8:
                raise AssertionError("f(%r) = %r, expected %r" % (x, y, want))
        if self.last is not None:
            delta = self.packet(DELTA, values)
            for d, y, before in zip(delta, current, self.last):
                if struct.pack("<d", d) != struct.pack("<d", y - before):
                    raise AssertionError("delta %r of %r after %r" % (d, y, before))
        self.last = current

    def packet(self, kind, values):
        raw = receive(self.sock, HEAD.size + 8 * values)
        if len(raw) != HEAD.size + 8 * values:
            raise AssertionError("stream ended after %d bytes of packet %d" % (len(raw), self.sequence))
        stamp, sequence, got = HEAD.unpack_from(raw)
        if sequence != self.sequence or got != kind or stamp < 10**18:
            raise AssertionError("header %r, expected sequence %d and type %d" % ((stamp, sequence, got), self.sequence, kind))
        return doubles(raw[HEAD.size:])

    def send(self, x):
        self.sock.sendall(struct.pack(">I", 8 * len(x)) + struct.pack("<%dd" % len(x), *x))

    def turn_by_turn(self):
        for x in self.chunks:
            self.send(x)
            self.answer(len(x))
        self.finish()

    def all_at_once(self):
        for x in self.chunks:
            self.send(x)
        self.sock.shutdown(socket.SHUT_WR)
        for x in self.chunks:
            self.answer(len(x))
        self.finish(half_closed=True)

    def finish(self, half_closed=False):
        if not half_closed:
            self.sock.shutdown(socket.SHUT_WR)
        rest = receive(self.sock, 1)
        self.sock.close()
        if rest:
            raise AssertionError("more than the answers came")


def main():
    address, path = sys.argv[1], sys.argv[2]
    clients = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    with open(path) as f:
        frames = json.load(f)["frames"]
    sent = [doubles(bytes.fromhex(f["send"])[4:]) for f in frames]
    wanted = [doubles(bytes.fromhex(f["recv"][0]["payload"])) for f in frames]
    failures = []

    def play(number):
        chunks, expected = sent, wanted
        if number % 2:
            chunks = [tuple(v * (1 + number) for v in x) for x in sent]
            expected = [tuple(arcsec(v) for v in x) for x in chunks]
        try:
            Conversation(address, chunks, expected).turn_by_turn()
            Conversation(address, chunks, expected).all_at_once()
        except Exception as e:
            failures.append("client %d: %s: %s" % (number, type(e).__name__, e))

    threads = [threading.Thread(target=play, args=(n,)) for n in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for f in failures:
        print(f, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
