"""Audit events to a collector over HTTP: a JSON list of ECS objects by POST, with a bearer token if it wants one."""

import ipaddress
import json
import ssl
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from whisper_inference.audit.ecs import to_ecs
from whisper_inference.audit.events import AuditEvent
from whisper_inference.audit.sinks import SinkRefused, SinkUnavailable
from whisper_inference.errors import InvalidSettings
from whisper_inference.given import read_if_there

_TIMEOUT_SECONDS: Final = 10.0
_HOPELESS: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
    | {HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Of one batch; anything else may be mended at the other side, a token included."""


class HttpSink:
    """Posts batches. The token's file is read for each, for a mounted Secret may change.

    Args:
        url: Where to.
        token_file: Holds the bearer token.
        host: Where this server runs.

    Raises:
        InvalidSettings: The address means nothing, or would show the token to whoever listens.
    """

    name = "http"

    def __init__(self, url: str, token_file: Path | None, host: str) -> None:
        check_url(url, has_token=token_file is not None)
        self._url, self._token_file, self._host = url, token_file, host
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, verify=ssl.create_default_context())

    async def send(self, events: Sequence[AuditEvent]) -> None:
        """Send events."""
        content = json.dumps([to_ecs(event, self._host) for event in events], separators=(",", ":"))
        try:
            answer = await self._client.post(self._url, content=content, headers=self._headers())
        except (httpx.HTTPError, InvalidSettings) as problem:
            raise SinkUnavailable(str(problem)) from problem
        if answer.status_code in _HOPELESS:
            raise SinkRefused(f"it answered {answer.status_code}")
        if not answer.is_success:
            raise SinkUnavailable(f"it answered {answer.status_code}")

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    def _headers(self) -> dict[str, str]:
        token = read_if_there(self._token_file)
        return {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token.strip()}"} if token else {})


def check_url(url: str, *, has_token: bool) -> None:
    """Let an address pass that a batch, and a token, may be sent to.

    Raises:
        InvalidSettings: They may not.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or parts.username or parts.password:
        raise InvalidSettings("The address of the audit's collector means nothing: write https://host[:port]/path.")
    if has_token and parts.scheme != "https" and not _is_loopback(host):
        raise InvalidSettings("The audit's collector has a token, which only https keeps: write https://host/path.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
