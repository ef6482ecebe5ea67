"""Order between processes, as far as Python can give it.

Shared words are loaded and stored through an aligned memoryview of 8-byte items:
CPython copies one item by one 8-byte move, which no reader sees half of.
struct.pack_into is no substitute (it zeroes the field first), nor is an unaligned or
byte-swapped access.

On x86-64 such a store is a release and such a load an acquire. Elsewhere, and for a
full fence or an atomic exchange everywhere, this module calls libatomic through
ctypes, or, for a fence alone, membarrier, which begins with one in the kernel.
"""

import ctypes
import os
import platform
from typing import Any, Callable, Optional

MACHINE = platform.machine()

#: Whether plain aligned stores stay in order here, and loads too.
ORDERED = MACHINE in ("x86_64", "AMD64") and ctypes.sizeof(ctypes.c_void_p) == 8

_SEQ_CST = 5
_EXCHANGE = "__atomic_exchange_8"
_SYS_MEMBARRIER = {"x86_64": 324, "aarch64": 283, "riscv64": 283, "ppc64le": 365, "s390x": 356}.get(MACHINE)
_QUERY, _GLOBAL_EXPEDITED, _REGISTER = 0, 1 << 1, 1 << 2


def _load_libatomic() -> Optional[Any]:
    try:
        lib = ctypes.CDLL("libatomic.so.1")
        lib.atomic_thread_fence.argtypes = [ctypes.c_int]
        lib.atomic_thread_fence.restype = None
        swap = getattr(lib, _EXCHANGE)
        swap.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int]
        swap.restype = ctypes.c_uint64
        return lib
    except (OSError, AttributeError):
        return None


_libatomic = _load_libatomic()
_libc = ctypes.CDLL(None, use_errno=True)


def _membarrier(command: int) -> int:
    if _SYS_MEMBARRIER is None:
        return -1
    return int(_libc.syscall(ctypes.c_long(_SYS_MEMBARRIER), ctypes.c_int(command), ctypes.c_uint(0), ctypes.c_int(0)))


def register() -> bool:
    """Makes this process one whose processors membarrier interrupts. Reports whether
    the kernel agreed."""
    known = _membarrier(_QUERY)
    if known < 0 or not known & _REGISTER or not known & _GLOBAL_EXPEDITED:
        return False
    return _membarrier(_REGISTER) == 0


def barrier() -> None:
    """A full fence on every processor that runs a registered process, and here."""
    _membarrier(_GLOBAL_EXPEDITED)


def _choose_fence() -> Optional[Callable[[], None]]:
    if _libatomic is not None:
        call = _libatomic.atomic_thread_fence
        return lambda: call(_SEQ_CST)
    known = _membarrier(_QUERY)
    if known >= 0 and known & _GLOBAL_EXPEDITED:
        return barrier
    return None


_fence = _choose_fence()

#: Whether this machine has a full fence for Python.
HAS_FENCE = _fence is not None

#: Whether words can be exchanged atomically, which readers in park mode need of
#: their writer.
HAS_EXCHANGE = _libatomic is not None and HAS_FENCE


def fence() -> None:
    """A full fence. Without any, it does nothing: see HAS_FENCE."""
    if _fence is not None:
        _fence()


def load_fence() -> None:
    """Keeps loads behind it from overtaking those in front of it."""
    if not ORDERED:
        fence()


def store_release(words: memoryview, index: int, value: int) -> None:
    """Stores a shared word behind everything stored before."""
    if not ORDERED:
        fence()
    words[index] = value


def exchange(address: int, value: int) -> int:
    """Swaps the aligned word at address and returns what was there."""
    return int(getattr(_libatomic, _EXCHANGE)(address, value, _SEQ_CST))


def eventfd() -> int:
    """A new doorbell: non-blocking, closed on exec."""
    fd = int(_libc.eventfd(ctypes.c_uint(0), ctypes.c_int(os.O_NONBLOCK | os.O_CLOEXEC)))
    if fd < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno), "eventfd")
    return fd


def ring_bell(fd: int) -> None:
    """Rings a doorbell. A full one has been rung, a closed one needs it no more."""
    try:
        os.write(fd, b"\1\0\0\0\0\0\0\0")
    except OSError:
        pass


def hush_bell(fd: int) -> None:
    """Takes the ringing of a doorbell."""
    try:
        os.read(fd, 8)
    except BlockingIOError:
        pass
