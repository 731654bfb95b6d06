"""Calling a webhook: to the address that was checked and no other, without redirects, proxies or an answer's body."""

import asyncio
import socket
import ssl
from typing import Final

import httpx

from whisper_inference.jobs.destinations import Destination, DestinationRules

_CONNECT_SECONDS: Final = 5.0
_WHOLE_SECONDS: Final = 15.0
_NO_CONNECTION: Final = "no connection"


class Caller:
    """Calls webhooks.

    Args:
        rules: Where they may go.
        context: Whose certificates are believed; by default what httpx believes, and `SSL_CERT_FILE`.
    """

    def __init__(self, rules: DestinationRules, context: ssl.SSLContext | None = None) -> None:
        self._rules = rules
        self._client = httpx.AsyncClient(
            verify=context or httpx.create_ssl_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(_WHOLE_SECONDS, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_keepalive_connections=0),  # the next call checks the address anew
        )

    async def call(self, destination: Destination, message: bytes, headers: dict[str, str]) -> str | None:
        """Send a message; return why it did not arrive, in words for the job's owner, or `None` if it did."""
        try:
            async with asyncio.timeout(_WHOLE_SECONDS):
                return await self._call(destination, message, headers)
        except TimeoutError:
            return "no answer in time"
        except socket.gaierror:
            return "the name has no address"
        except (httpx.HTTPError, OSError):
            return _NO_CONNECTION

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def _call(self, destination: Destination, message: bytes, headers: dict[str, str]) -> str | None:
        problem = "the address is not allowed"
        for address in self._rules.allowed(await _resolve(destination)):
            try:
                return await self._send(destination, address, message, headers)
            except httpx.ConnectError:
                problem = _NO_CONNECTION  # another address of the name may answer
        return problem

    async def _send(
        self, destination: Destination, address: str, message: bytes, headers: dict[str, str]
    ) -> str | None:
        host = f"[{address}]" if ":" in address else address
        answer = self._client.stream(
            "POST",
            f"{destination.scheme}://{host}:{destination.port}{destination.target}",
            content=message,
            headers=headers | {"host": destination.authority, "content-type": "application/json"},
            extensions={"sni_hostname": destination.host},
        )
        async with answer as response:  # its body is never read
            return None if response.is_success else f"status {response.status_code}"


async def _resolve(destination: Destination) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))
