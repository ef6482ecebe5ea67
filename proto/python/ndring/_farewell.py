"""The end of a ring whose frames are all released: waiting for the goodbye of readers
that asked to be kept. docs/protocol.md, "End of the ring".
"""

import time
from typing import Optional

from ._connection import ATTACHED
from ._server import Server
from ._writer import SAFETY_SECONDS


def farewell(server: Server, deadline: Optional[float]) -> None:
    """Waits, once every frame is released, until each reader with a name that asked to be
    kept has said goodbye, or is dead or silent for as long as it asked for. One that dies
    between its last release and its note that the ring has ended comes back to a ring
    that tells it so, and not to none. deadline is one of time.monotonic. Raises
    TimeoutError."""
    with server.turned:
        server.parting = time.monotonic()
        while (who := awaited(server)) is not None:
            left = SAFETY_SECONDS if deadline is None else min(SAFETY_SECONDS, deadline - time.monotonic())
            if left <= 0:
                raise TimeoutError("ring %r: %s has not said goodbye" % (server.writer.segment.identity.name, who))
            server.turned.wait(left)


def awaited(server: Server) -> Optional[str]:
    """A reader that is waited for: one that is dead, or whose connection was cut, until
    its grace ends; one that is attached for as long as it asked for, from when it came or
    from when the wait began, whichever was later."""
    now = time.monotonic()
    for lost in server.lost.values():
        if lost.keep and lost.until > now:
            return "reader %r (pid %d), which is gone," % (lost.name, lost.pid)
    for c in server.by_slot.values():
        since = max(c.since, server.parting or 0.0)
        if c.stage == ATTACHED and not c.evicted and now - since < c.keep():
            return "reader %r (pid %d)" % (c.hello.name, c.pid)
    return None
