"""Ports for programs that must be told one."""

import random
import socket

# Below the range that outgoing connections take theirs from: a port that is given up for a moment stays free.
FIRST, LAST = 15000, 32000


def free_port():
    """A port of the loopback interface that nobody listens on."""
    for port in random.sample(range(FIRST, LAST), 100):
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
