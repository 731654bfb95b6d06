"""`KubernetesCluster`: the seam over the official client, which is synchronous and therefore called on threads."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Literal

import urllib3
from kubernetes.client import ApiClient, ApiException

from whisper_operator.children.names import MANAGER, Manifest, label_selector
from whisper_operator.errors import AlreadyExists, NotFound, Refused, Superseded, Unavailable
from whisper_operator.kinds import EVENT, Kind, kind_of

logger = logging.getLogger(__name__)

_JSON: Final = "application/json"
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_METADATA: Final = "application/json;as={};g=meta.k8s.io;v=v1"
"""https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches"""

_FINAL: Final = frozenset({400, 403, 405, 415, 422})
"""Statuses of requests that would be answered the same way again."""

_CONNECT_SECONDS: Final = 5
_TIMEOUT_SECONDS: Final = (_CONNECT_SECONDS, 30)
"""To connect, and to wait for an answer."""
_WATCH_SECONDS: Final = 240
"""How long a watch lasts."""
_PAGE: Final = 500
"""Objects in one answer to a list."""
_EVENT_MESSAGE: Final = 1024
"""Characters that the API server takes in an event."""

Query = Sequence[tuple[str, str]]


class KubernetesCluster:
    """A real cluster."""

    def __init__(self, api: ApiClient, clock: Callable[[], datetime], *, calls_at_once: int = 8) -> None:
        self._api = api
        self._clock = clock
        self._pool = ThreadPoolExecutor(calls_at_once, thread_name_prefix="kubernetes")

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(cancel_futures=True)

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Read one object; `None` if it is not there."""
        try:
            return await self._call("GET", kind.path(namespace, name))
        except NotFound:
            return None

    async def list_labelled(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Manifest]:
        """Read the objects that have all these labels."""
        try:
            return await self._list(kind, kind.path(namespace), [("labelSelector", label_selector(labels))])
        except NotFound:
            return []  # a kind that this cluster does not have

    async def list_all(self, kind: Kind, namespace: str | None) -> list[Manifest]:
        """Read every object of a kind, in one namespace or in all."""
        return await self._list(kind, kind.path(namespace), [])

    async def watch_metadata(self, kind: Kind, namespace: str | None) -> AsyncIterator[Manifest]:
        """Yield the metadata of each object that changes from now on."""
        path = kind.path(namespace)
        begin = await self._call("GET", path, [("limit", "1")], accept=_METADATA.format("PartialObjectMetadataList"))
        query = [("watch", "true"), ("timeoutSeconds", str(_WATCH_SECONDS))]
        query.append(("resourceVersion", begin["metadata"]["resourceVersion"]))
        events: asyncio.Queue[Manifest | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(event: Manifest | None) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(events.put_nowait, event)

        # A daemon: nobody waits for a watch when the program ends.
        threading.Thread(target=self._watch, args=(path, query, put), name="watch", daemon=True).start()
        while (event := await events.get()) is not None:
            if event.get("type") in {"ADDED", "MODIFIED", "DELETED"}:
                yield event["object"]["metadata"]

    def _watch(self, path: str, query: Query, put: Callable[[Manifest | None], None]) -> None:
        try:
            accept = _METADATA.format("PartialObjectMetadata")
            response = self._send("GET", path, query, None, {"Accept": accept}, (_CONNECT_SECONDS, 2 * _WATCH_SECONDS))
            for line in response.response:
                if line.strip():
                    put(_decoded(line))
        except (urllib3.exceptions.HTTPError, ApiException) as problem:
            logger.info("A watch of %s ended: %s", path, problem)
        finally:
            put(None)

    async def apply(self, manifest: Manifest) -> Manifest:
        """Make the object so."""
        query = [("fieldManager", MANAGER), ("force", "true")]
        return await self._call("PATCH", _path_of(manifest), query, manifest, _APPLY)

    async def create(self, manifest: Manifest) -> Manifest:
        """Make an object that is not there."""
        folder = kind_of(manifest).path(manifest["metadata"]["namespace"])
        return await self._call("POST", folder, [("fieldManager", MANAGER)], manifest, _JSON)

    async def delete(self, kind: Kind, manifest: Manifest) -> None:
        """Delete this very object."""
        metadata = manifest["metadata"]
        options = {"preconditions": {"uid": metadata["uid"]}, "propagationPolicy": "Background"}
        try:
            await self._call("DELETE", kind.path(metadata["namespace"], metadata["name"]), [], options, _JSON)
        except (NotFound, Superseded):
            return

    async def write_status(self, kind: Kind, namespace: str, name: str, status: Manifest) -> None:
        """Change the status: what is `None` goes, what is not named stays."""
        path = f"{kind.path(namespace, name)}/status"
        try:
            await self._call("PATCH", path, [("fieldManager", MANAGER)], {"status": status}, _MERGE)
        except NotFound:
            return

    async def record_event(
        self, owner: Manifest, event: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """Tell people, as `kubectl describe` shows it."""
        metadata, now = owner["metadata"], self._clock().isoformat().replace("+00:00", "Z")
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": event,
            "reason": reason,
            "message": message[:_EVENT_MESSAGE],
            "source": {"component": MANAGER},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._call("POST", EVENT.path(metadata["namespace"]), [], body, _JSON)
        except (NotFound, Refused):
            return

    async def _list(self, kind: Kind, path: str, query: Query) -> list[Manifest]:
        items: list[Manifest] = []
        token = ""
        while True:
            more = [("continue", token)] if token else []
            answer = await self._call("GET", path, [*query, ("limit", str(_PAGE)), *more])
            # Items of a list come without what they are.
            items += [{"apiVersion": kind.api_version, "kind": kind.name} | item for item in answer["items"]]
            token = answer["metadata"].get("continue", "")
            if not token:
                return items

    async def _call(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: Manifest | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Manifest:
        headers = {"Accept": accept, "Content-Type": content_type}
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._request, method, path, query, body, headers)

    def _request(
        self, method: str, path: str, query: Query, body: Manifest | None, headers: dict[str, str]
    ) -> Manifest:
        try:
            response = self._send(method, path, query, body, headers, _TIMEOUT_SECONDS)
            content = response.read()
        except (urllib3.exceptions.HTTPError, ApiException) as problem:
            raise Unavailable(f"The API server cannot be reached: {problem}") from problem
        answer: Manifest = _decoded(content)
        _raise_for(response.status, answer, response.headers.get("Retry-After"))
        return answer

    def _send(
        self,
        method: str,
        path: str,
        query: Query,
        body: Manifest | None,
        headers: dict[str, str],
        timeout_seconds: tuple[int, int],
    ) -> Any:  # noqa: ANN401 - the client's response has no types
        # The client writes JSON bodies itself, and sends text of other types as it is; JSON is YAML.
        payload = json.dumps(body) if headers.get("Content-Type") == _APPLY else body
        request = self._api.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=payload, auth_settings=["BearerToken"]
        )
        return self._api.call_api(*request, _request_timeout=timeout_seconds)


def _path_of(manifest: Manifest) -> str:
    return kind_of(manifest).path(manifest["metadata"]["namespace"], manifest["metadata"]["name"])


def _decoded(content: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(content)
    except ValueError:
        return {"message": content[:200].decode(errors="replace")}


def _raise_for(status: int, answer: Manifest, retry_after: str | None) -> None:
    """Raise what a status means (Kubernetes API conventions, HTTP status codes)."""
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return
    message = str(answer.get("message", ""))
    if status == HTTPStatus.NOT_FOUND:
        raise NotFound(message)
    if status == HTTPStatus.CONFLICT:
        raise AlreadyExists(message) if answer.get("reason") == "AlreadyExists" else Superseded(message)
    if status in _FINAL:
        raise Refused(message)
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    raise Unavailable(f"The API server answered {status}: {message}", retry_after_seconds=seconds)
