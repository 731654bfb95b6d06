"""A proxy as closed networks have it: asked to connect to a name, it does, and says which names it was asked for."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

from tests.support.switchboard import pass_bytes


@dataclass(slots=True)
class ForwardProxy:
    """A running one."""

    url: str
    asked: list[str] = field(default_factory=list)
    """Names with their ports, in the order in which clients asked for them."""


@contextmanager
def forward_proxy(port: int) -> Iterator[ForwardProxy]:
    """Lead every name to a port of the loopback: no name of a test is known to anybody else."""

    class Handler(BaseHTTPRequestHandler):
        """One client."""

        def do_CONNECT(self) -> None:
            """Connect, and pass on what both sides say."""
            proxy.asked.append(self.path)
            with socket.create_connection(("127.0.0.1", port)) as server:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=pass_bytes, args=(server, self.connection))
                back.start()
                pass_bytes(self.connection, server)
                back.join()

        @override
        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = ForwardProxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="proxy")
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
