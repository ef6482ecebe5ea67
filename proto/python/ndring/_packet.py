"""One packet from a control socket, for both of its ends."""

import socket

from . import _layout as L

PACKET_BYTES = L.MESSAGE_MAX + 1  # so that a longer one shows


def receive(sock: socket.socket) -> bytes:
    """Takes a packet in, without waiting: BlockingIOError if there is none; empty after
    a hang-up or any other end.

    The kernel looks for a packet, then whether the peer has hung up, and both may come
    between the two; and it tells a reset before what the peer sent last. So either is
    looked behind once more."""
    ended = reset = False
    while True:
        try:
            packet = sock.recv(PACKET_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            if ended:
                return b""
            raise
        except ConnectionResetError:
            if reset:
                return b""
            reset = True
            continue
        except OSError:
            return b""
        if packet or ended:
            return packet
        ended = True
