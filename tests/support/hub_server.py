"""A model hub on this machine: the endpoints that huggingface_hub really calls, and the ways in which a hub fails.

Serves `/api/models/OWNER/NAME/revision/REV` and `/OWNER/NAME/resolve/COMMIT/FILE`. Large files answer with a redirect
to another path, as the public hub sends them to its storage, and ranges are obeyed.
"""

import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from typing_extensions import override

LARGE = 1024
"""Bytes from which on a file is treated as a large one, with a SHA-256 and a redirect."""


@dataclass(slots=True)
class HubRepository:
    """One model at the hub."""

    files: dict[str, bytes]
    commit: str = "1" * 40
    revisions: tuple[str, ...] = ("main",)
    token: str | None = None
    """Who may read it; `None` is everybody."""
    gated: bool = False
    failing: int | None = None
    """Answer every question about it with this status code."""
    cut_after: dict[str, int] = field(default_factory=dict)
    """Break the connection once, after so many bytes of the file."""
    corrupted: set[str] = field(default_factory=set)
    """Send these files with a wrong byte, once."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that the hub was sent."""

    method: str
    path: str
    range: str | None
    authorization: str | None


@dataclass(slots=True)
class HubServer:
    """A running hub: what it has, and what it was asked for."""

    endpoint: str
    repositories: dict[str, HubRepository]
    asked: list[Asked] = field(default_factory=list)

    def downloads(self, file: str) -> list[Asked]:
        """Return the requests for a file's content."""
        return [asked for asked in self.asked if asked.path.startswith("/storage/") and asked.path.endswith(file)]


@contextmanager
def running_hub(repositories: dict[str, HubRepository], tls: ssl.SSLContext | None = None) -> Iterator[HubServer]:
    """Serve repositories on a free port of the loopback until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    hub = HubServer(f"http://127.0.0.1:{server.server_port}", repositories)
    server.hub = hub  # type: ignore[attr-defined] # how a handler finds it
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> HubServer:
        hub: HubServer = self.server.hub  # type: ignore[attr-defined] # set by `running_hub`
        return hub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = self.headers
        self.hub.asked.append(Asked(self.command, path, headers["Range"], headers["Authorization"]))
        match path.split("/")[1:]:
            case ["api", "models", owner, name, "revision", *revision]:
                self._describe(f"{owner}/{name}", "/".join(revision))
            case [owner, name, "resolve", revision, *file]:
                self._resolve(f"{owner}/{name}", revision, "/".join(file))
            case ["storage", owner, name, *file]:
                self._content(self.hub.repositories[f"{owner}/{name}"], "/".join(file))
            case _:
                self._answer(404, {})

    def _repository(self, name: str, revision: str) -> HubRepository | None:
        """Return a repository, or answer as the public hub does when it will not show it."""
        repository = self.hub.repositories.get(name)
        allowed = repository is not None and (
            repository.token is None or self.headers["Authorization"] == f"Bearer {repository.token}"
        )
        if repository is None or not allowed:
            gated = repository is not None and repository.gated
            self._answer(401, {"X-Error-Code": "GatedRepo"} if gated else {"X-Error-Message": "Invalid username"})
            return None
        if repository.failing is not None:
            self._answer(repository.failing, {})
            return None
        if revision not in {*repository.revisions, repository.commit}:
            self._answer(404, {"X-Error-Code": "RevisionNotFound"})
            return None
        return repository

    def _describe(self, name: str, revision: str) -> None:
        repository = self._repository(name, revision)
        if repository is not None:
            siblings = [_sibling(file, content) for file, content in repository.files.items()]
            document = {"id": name, "sha": repository.commit, "siblings": siblings, "private": False, "tags": []}
            self._answer(200, {"Content-Type": "application/json"}, json.dumps(document).encode())

    def _resolve(self, name: str, revision: str, file: str) -> None:
        repository = self._repository(name, revision)
        if repository is not None and file not in repository.files:
            self._answer(404, {"X-Error-Code": "EntryNotFound"})
        elif repository is not None:
            content = repository.files[file]
            linked = {"X-Linked-Etag": f'"{_etag(content)}"', "X-Linked-Size": str(len(content))}
            self._answer(302, {"Location": f"/storage/{name}/{file}", "X-Repo-Commit": repository.commit, **linked})

    def _content(self, repository: HubRepository, file: str) -> None:
        content = repository.files[file]
        if file in repository.corrupted:
            repository.corrupted.discard(file)
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        cut = repository.cut_after.pop(file, None)
        self.send_response(206 if start else 200)
        for key, value in {"ETag": f'"{_etag(content)}"', "Content-Length": str(len(content) - start), **span}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content[start:cut])
        self.close_connection = cut is not None

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


def _etag(content: bytes) -> str:
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def _sibling(file: str, content: bytes) -> dict[str, object]:
    described: dict[str, object] = {"rfilename": file, "size": len(content), "blobId": _etag(content)}
    if len(content) >= LARGE:
        described["lfs"] = {"sha256": _etag(content), "size": len(content), "pointerSize": 134}
    return described
