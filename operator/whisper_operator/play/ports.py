"""Ports for programs that are started on this machine."""

import secrets
import socket
from contextlib import suppress

_LOWEST, _BELOW_EPHEMERAL = 10_000, 32_000
"""Linux gives connections ports from 32768 on: until our program listens, none of these can be taken by one."""


def free_port() -> int:
    """Return a port of loopback that nobody listens on, and that no connection is given in the meantime."""
    while True:
        port = secrets.randbelow(_BELOW_EPHEMERAL - _LOWEST) + _LOWEST
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
