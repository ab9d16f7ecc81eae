"""Ports for servers that are started later."""

import random
import socket

BELOW_EPHEMERAL = range(20_000, 32_000)
"""The system gives none of these to a connection that goes out, so nobody takes one in the meantime."""


def free_port() -> int:
    """A port of the loopback address on which nobody listens."""
    for port in random.sample(BELOW_EPHEMERAL, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("a hundred ports are taken")
