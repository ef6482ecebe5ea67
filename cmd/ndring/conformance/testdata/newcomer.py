"""newcomer.py PATH RING: a consumer of conformance level 1, from docs/layout.md and
docs/protocol.md alone: no NumPy, no module of ndring, nothing but the standard library.

It connects to RING in the directory PATH, reads to the end, and prints on one line the
frames, their bytes, and the checksum of the conformance tests.
"""

import array
import mmap
import os
import socket
import struct
import sys
import time
import zlib

path, ring = sys.argv[1:]
M = (1 << 64) - 1


def signed(n):
    return (n & M) - (1 << 64) if n & 1 << 63 else n & M


def connect():
    while True:  # until there is a writer
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            s.connect(os.path.join(path, ring + ".sock"))
            return s
        except (FileNotFoundError, ConnectionRefusedError):
            s.close()
            time.sleep(0.01)


def note(kind, position):
    try:
        s.send(struct.pack("<HHIQ", kind, 16, 0, position & M))
    except OSError:
        pass  # the writer may have left already: reading shows it


def finish():
    note(10, pos)  # goodbye
    print("frames=%d bytes=%d checksum=%016x" % (frames, total, checksum))
    sys.exit()


s = connect()
# hello: type 1, 128 bytes, version 1.0, role reader, wake stream, start oldest
s.send(struct.pack("<HHHHQ16sBBBB28x64s", 1, 128, 1, 0, 0, bytes(16), 1, 2, 1, 0, b""))
packet, control, flags, _ = s.recvmsg(256, socket.CMSG_SPACE(16 * 4), socket.MSG_CMSG_CLOEXEC)
fds = array.array("i", b"".join(data for level, kind, data in control if kind == socket.SCM_RIGHTS))
kind, _, major = struct.unpack_from("<HHH", packet)
if kind == 3:
    sys.exit("refused: code %d: %s" % (struct.unpack_from("<I", packet, 4)[0], packet[16:].split(b"\0")[0].decode()))
assert kind == 2 and major == 1 and len(fds) == 2 and not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
pos, known = struct.unpack_from("<Q", packet, 8)[0], struct.unpack_from("<Q", packet, 64)[0]

identity = os.pread(fds[0], 16384, 0)
assert identity[:8] == b"ndring\x1a\n" and struct.unpack_from("<IH", identity, 8) == (0x01020304, 1)
assert zlib.crc32(identity[:16368]) == struct.unpack_from("<Q", identity, 16368)[0] and identity[64:80] == packet[16:32]
writer, _, data, capacity = struct.unpack_from("<QQQQ", identity, 32)
frame_limit = struct.unpack_from("<Q", identity, 80)[0]
memory = memoryview(mmap.mmap(fds[0], data + capacity, mmap.MAP_SHARED, mmap.PROT_READ))
words = memory[:data + capacity].cast("Q")  # aligned, eight bytes at once
for fd in fds:
    os.close(fd)

frames = total = checksum = 0
while True:
    while pos == known:
        if words[(writer + 8) >> 3] == pos | 1:
            finish()
        m = s.recv(257)
        if not m:
            if words[(writer + 8) >> 3] == pos | 1:
                finish()
            sys.exit("the writer is lost at position %d" % pos)
        kind, size, code, position = struct.unpack("<HHIQ", m)
        if kind in (4, 7) and signed(position - known) > 0:  # published, closed
            known = position
        if kind == 8:
            note(9, position)
        if kind == 6:
            sys.exit("evicted, code %d" % code)
    at = data + (pos & capacity - 1)
    left = capacity - (pos & capacity - 1)
    word, description = words[at >> 3], words[(at >> 3) + 2]
    kind, length, extended = word & 63, description & (1 << 48) - 1, description >> 60 & 1
    assert word - kind == pos and kind and left >= 64
    head = (24 + struct.unpack_from("<H", memory, at + 24)[0] + 63) & ~63 if extended else 24
    step = (head + length + 63) & ~63
    assert step <= left and (kind == 2 or length <= frame_limit)
    payload = bytes(memory[at + head:at + head + length]) if kind != 2 else b""
    if signed(words[(writer + 128) >> 3] - pos) > capacity:
        sys.exit("evicted: position %d was overwritten" % pos)
    if kind in (1, 3):
        frames, total = frames + 1, total + length
        checksum = (checksum * 31 + zlib.crc32(payload)) & M
    pos = (pos + step) & M
    note(5, pos)
