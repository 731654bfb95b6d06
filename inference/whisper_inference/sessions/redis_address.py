"""From an address to a client of Redis: one server, TLS, Sentinel, or a cluster."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from whisper_inference.errors import InvalidSettings
from whisper_inference.sessions.redis_link import CALLS_AT_ONCE, Connection

_TIMEOUT_SECONDS: Final = 2.0
_RETRIES: Final = 2
_MOST_CONNECTIONS: Final = 2 * CALLS_AT_ONCE
"""To one server; a store needs fewer, and one more would be an error."""
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_SERVICE: Final = "mymaster"
"""The name that Sentinel's own documentation gives to what it watches."""
_EXPECTED: Final = (
    "write redis://[user:password@]host[:port][/database], redis+sentinel://host[:port][,host]/service[/database] or "
    "redis+cluster://host[:port][,host], each with rediss in place of redis for TLS"
)


def connect(address: str) -> Connection:
    """Make a client; it connects when it is used.

    Raises:
        InvalidSettings: The address means nothing; the sentence does not repeat it, for it may hold a password.
    """
    try:
        parts = urlsplit(address)
        make = _MAKERS.get(parts.scheme.replace("rediss", "redis"))
        if make is not None and parts.netloc:
            return make(parts)
    except ValueError:
        pass  # the sentence below says what to write
    raise InvalidSettings(f"The address of Redis means nothing: {_EXPECTED}.")


def _single(parts: SplitResult) -> Connection:
    return Connection(Redis.from_url(parts.geturl(), max_connections=_MOST_CONNECTIONS, **_patience()))


def _watched_by_sentinel(parts: SplitResult) -> Connection:
    service, _, database = parts.path.strip("/").partition("/")
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
        _hosts(parts, _SENTINEL_PORT),
        sentinel_kwargs=_login(parts) | _tls(parts) | {"socket_timeout": _TIMEOUT_SECONDS},
        max_connections=_MOST_CONNECTIONS,
        **_login(parts),
        **_tls(parts),
        **_patience(),
    )
    return Connection(sentinel.master_for(service or _SERVICE, db=int(database or 0)), sentinel.sentinels)


def _cluster(parts: SplitResult) -> Connection:
    nodes = [ClusterNode(host, port) for host, port in _hosts(parts, _PORT)]
    cluster = RedisCluster(
        startup_nodes=nodes, max_connections=_MOST_CONNECTIONS, **_login(parts), **_tls(parts), **_patience()
    )
    return Connection(cluster)


_MAKERS: Final[Mapping[str, Callable[[SplitResult], Connection]]] = {
    "redis": _single,
    "redis+sentinel": _watched_by_sentinel,
    "redis+cluster": _cluster,
}


def _patience() -> dict[str, Any]:
    retry = Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), _RETRIES)
    return {"socket_timeout": _TIMEOUT_SECONDS, "socket_connect_timeout": _TIMEOUT_SECONDS, "retry": retry}


def _hosts(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    each = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
    return [(host.hostname or "", host.port or default_port) for host in each]


def _login(parts: SplitResult) -> dict[str, Any]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user) or None, "password": unquote(password) or None}
    return {name: value for name, value in given.items() if value is not None}


def _tls(parts: SplitResult) -> dict[str, Any]:
    if not parts.scheme.startswith("rediss"):
        return {}
    authority = parse_qs(parts.query).get("ssl_ca_certs")
    return {"ssl": True} | ({"ssl_ca_certs": authority[0]} if authority else {})
