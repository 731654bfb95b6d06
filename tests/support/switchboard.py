"""`Switchboard`: one address in front of servers, as a Service is in front of pods; connections can be cut."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

_BUFFER = 1 << 16


class Switchboard:
    """Passes bytes between clients and the server of the moment; a context manager."""

    def __init__(self, url: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.connections = 0
        """Made so far."""
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        """Where clients connect."""
        self.switch(url)

    def switch(self, url: str) -> None:
        """Lead new connections to another server."""
        target = urlsplit(url)
        self._target = (str(target.hostname), int(target.port or 80))

    def cut(self) -> None:
        """Break all connections off, as a server that dies does."""
        for each in self._sockets:
            _shut(each)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        _shut(self._listener)
        self.cut()
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                server = socket.create_connection(self._target)
                self._sockets.append(server)
                self.connections += 1
                self._start(pass_bytes, client, server)
                self._start(pass_bytes, server, client)

    def _start(self, run: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments)
        self._threads.append(thread)
        thread.start()


def pass_bytes(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until it ends, and its end."""
    with suppress(OSError):
        while data := source.recv(_BUFFER):
            target.sendall(data)
    _shut(target)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
