"""A receiver of webhooks on loopback, and what it was sent."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override


@dataclass
class Receiver:
    """Answers with the given statuses, one after the other, then with the last again and again."""

    statuses: list[int]
    port: int = 0
    names: list[str | None] = field(default_factory=list)
    """That the client asked for in its TLS greeting."""
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers in lower case, and body."""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Keep a request; return how to answer."""
        self.received.append((path, headers, body))
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def receiver(*statuses: int, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Receive until the context is left."""
    kept = Receiver(list(statuses or (204,)))

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_POST(self) -> None:
            """Take it in."""
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = kept.take(self.path, headers, body)
            self.send_response(status)
            if status in range(300, 400):
                self.send_header("location", f"http://127.0.0.1:{kept.port}/elsewhere")
            self.end_headers()

        @override
        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        context.sni_callback = lambda _socket, name, _context: kept.names.append(name)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    kept.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, name="receiver")
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
