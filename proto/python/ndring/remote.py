"""A client of the TCP bridge.

Client to bridge, again and again: a length (u32, big-endian) and that many bytes of
little-endian float64. Back come one or two results for each chunk: a header of 13
bytes, big-endian (time, sequence, type), and as many values as the chunk had. PRIMARY
is the result; DELTA, from the second chunk on if it is as long as the one before, is
this result minus the one before, so that previous PRIMARY + DELTA = PRIMARY.
"""

import socket
import struct
import threading
from collections import deque
from types import TracebackType
from typing import Any, Deque, Iterable, Iterator, NamedTuple, Optional, Tuple, Type

import numpy as np

from . import _layout as L
from .dtype import Array
from .errors import ChunkError, ClosedError, MessageError, TruncatedError
from .frame import Single

_HEAD = struct.Struct(">QIB")


class Result(NamedTuple):
    """What the bridge made of one chunk. rebuilt is the PRIMARY before plus delta;
    both are None where the protocol has no DELTA."""

    sequence: int
    time_ns: int
    primary: Array
    delta: Optional[Array]
    rebuilt: Optional[Array]


def decode_result_head(b: bytes) -> Tuple[int, int, int]:
    """Time, sequence and type of a result."""
    if len(b) < L.SEED_RESULT_HEAD_BYTES:
        raise TruncatedError("result header cut after %d of %d bytes" % (len(b), L.SEED_RESULT_HEAD_BYTES))
    time_ns, sequence, role = _HEAD.unpack_from(b)
    if role > L.ROLE_DELTA:
        raise MessageError("result type %d is neither PRIMARY nor DELTA" % role)
    return time_ns, sequence, role


class Chunks:
    """The bookkeeping of one connection: how long each result is, and which PRIMARY a
    DELTA refers to. It does no input or output."""

    def __init__(self) -> None:
        self._lengths: Deque[int] = deque()  # of chunks whose result is due, the first one first
        self._first = 1  # sequence of the first of them
        self._before: Optional[Array] = None  # PRIMARY of the chunk before
        self._primary: Optional[Tuple[int, int, Array]] = None  # waits for its DELTA

    def encode(self, values: Any) -> bytes:
        """A chunk as it is sent. Raises ChunkError."""
        values = np.asarray(values)
        if values.dtype.kind not in "biufO":
            raise ChunkError("chunk of %s; it holds real numbers" % values.dtype)
        payload = np.ascontiguousarray(values, "<f8").tobytes()
        if not payload or len(payload) > 0xffffffff:
            raise ChunkError("chunk of %d bytes; it holds at least one float64 and at most %d bytes" % (len(payload), 0xffffffff))
        self._lengths.append(len(payload))
        return struct.pack(">I", len(payload)) + payload

    def result_bytes(self, sequence: int) -> int:
        """Length of the payload of a result. Raises MessageError for a sequence that
        is not due."""
        i = (sequence - self._first) & 0xffffffff
        if i >= min(2, len(self._lengths)):
            raise MessageError("result of chunk %d, due is chunk %d" % (sequence, self._first))
        return self._lengths[i]

    def take(self, time_ns: int, sequence: int, role: int, payload: bytes) -> Optional[Result]:
        """Takes in a result and returns the chunk's, once it is complete."""
        values = np.frombuffer(payload, "<f8")
        if role == L.ROLE_PRIMARY:
            if self._primary is not None:
                raise MessageError("chunk %d has PRIMARY but no DELTA" % self._primary[0])
            if self._before is not None and len(self._before) == len(values):
                self._primary = (sequence, time_ns, values)
                return None
            return self._complete(sequence, time_ns, values, None, None)
        if self._primary is None or self._primary[0] != sequence or len(values) != len(self._primary[2]):
            raise MessageError("DELTA of chunk %d without its PRIMARY" % sequence)
        assert self._before is not None
        _, time_ns, primary = self._primary
        self._primary = None
        return self._complete(sequence, time_ns, primary, values, self._before + values)

    def _complete(self, sequence: int, time_ns: int, primary: Array, delta: Optional[Array],
                  rebuilt: Optional[Array]) -> Result:
        self._before = primary
        self._lengths.popleft()
        self._first = (self._first + 1) & 0xffffffff
        return Result(sequence, time_ns, primary, delta, rebuilt)

    @property
    def due(self) -> int:
        """How many chunks have no result yet."""
        return len(self._lengths)


class Remote(Single):
    """One connection to a bridge. send and recv may be used by two threads."""

    def __init__(self, host: str = "127.0.0.1", port: int = 5000, *, timeout: Optional[float] = None) -> None:
        self._sock = socket.create_connection((host, port), timeout)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._chunks = Chunks()
        self._closed = self._cut = False
        self._head: Optional[Tuple[int, int, int]] = None  # of the result whose payload is on its way
        self._part, self._filled = bytearray(), 0  # of what is received

    def send(self, values: Any) -> None:
        """Sends one chunk: an array, or whatever NumPy makes one of float64 of. After an
        error in the middle of a chunk, such as TimeoutError, no other can be sent."""
        if self._closed or self._cut:
            raise ClosedError("remote client is closed" if self._closed else "a chunk before was cut short")
        chunk = self._chunks.encode(values)
        try:
            self._cut = True
            self._sock.sendall(chunk)
            self._cut = False
        except socket.timeout:
            raise TimeoutError("chunk was not taken in time") from None

    def finish(self) -> None:
        """Says that no chunk will follow. Results still arrive."""
        if self._closed:
            raise ClosedError("remote client is closed")
        self._sock.shutdown(socket.SHUT_WR)

    def recv(self) -> Result:
        """The result of the next chunk. Raises EOFError when the bridge ended the
        connection, TimeoutError, after which recv may be called again, or MessageError
        when it broke the protocol."""
        if self._closed:
            raise ClosedError("remote client is closed")
        while True:
            if self._head is None:
                self._head = decode_result_head(self._exactly(L.SEED_RESULT_HEAD_BYTES))
            time_ns, sequence, role = self._head
            payload = self._exactly(self._chunks.result_bytes(sequence))
            self._head = None
            result = self._chunks.take(time_ns, sequence, role, payload)
            if result is not None:
                return result

    def _exactly(self, n: int) -> bytes:
        """The next n bytes. What has come before a timeout is kept for the next call."""
        if len(self._part) != n:
            self._part, self._filled = bytearray(n), 0
        view = memoryview(self._part)
        while self._filled < n:
            try:
                k = self._sock.recv_into(view[self._filled:])
            except socket.timeout:
                raise TimeoutError("no result in time") from None
            if k == 0:
                raise EOFError("the bridge ended the connection; %d chunks have no result" % self._chunks.due)
            self._filled += k
        self._filled = 0
        return bytes(self._part)

    def call(self, values: Any) -> Result:
        """Sends one chunk and waits for its result. Raises ChunkError while results of
        chunks before are due."""
        if self._chunks.due and not self._closed:
            raise ChunkError("%d chunks before have no result yet: take them by recv first" % self._chunks.due)
        self.send(values)
        return self.recv()

    def stream(self, chunks: Iterable[Any]) -> Iterator[Result]:
        """Sends chunks from a thread of its own and yields their results in order.
        What the iteration over chunks raises is raised here. One that is left half way
        asks for no further chunk; the results of what was sent are still due."""
        failure = []
        counted = threading.Semaphore(0)  # one for each chunk sent, one for the end
        ended = threading.Event()
        left = threading.Event()

        def feed() -> None:
            try:
                for chunk in chunks:
                    if left.is_set():
                        break
                    self.send(chunk)
                    counted.release()
            except BaseException as e:  # told by the thread that reads
                failure.append(e)
            ended.set()
            counted.release()

        sender = threading.Thread(target=feed, name="ndring remote", daemon=True)
        sender.start()
        try:
            while True:
                counted.acquire()
                if ended.is_set() and self._chunks.due == 0:
                    break
                if self._chunks.due:
                    yield self.recv()
        finally:
            left.set()
        sender.join()
        if failure:
            raise failure[0]

    def close(self) -> None:
        """Ends the connection. Closing again does nothing."""
        if not self._closed:
            self._closed = True
            try:
                self._sock.shutdown(socket.SHUT_RDWR)  # ends what another thread waits for
            except OSError:
                pass  # it is over already
        self._sock.close()

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()
