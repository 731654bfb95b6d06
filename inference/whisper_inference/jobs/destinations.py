"""Where webhooks may go. Pure: names are held against a list, and the addresses they have against networks.

Whoever sends a job names the URL, and the server calls it from inside the cluster: what is not allowed would let them
reach what they must not (server-side request forgery).
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import SplitResult, urlsplit

from whisper_inference.errors import InvalidRequest, InvalidSettings, UnsupportedField

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_PARAM: Final = "webhook_url"
_URL: Final = re.compile(r"[\x21-\x5b\x5d-\x7e]{1,2048}")
"""Printable ASCII, without the backslash that some take for a slash."""
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_PATTERN: Final = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[1-9][0-9]{0,4})?")
_PORTS: Final = {"https": 443, "http": 80}
_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class Destination(NamedTuple):
    """A URL, taken apart."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """What the `Host` header says."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class DestinationRules:
    """What is allowed: nothing, by default."""

    patterns: tuple[str, ...] = ()
    """`host`, `*.domain`, and either with `:port` where it is not the scheme's own."""
    networks: tuple[Network, ...] = ()
    """Beside all public addresses."""
    plain_http: bool = False

    @classmethod
    def of(cls, patterns: Sequence[str], networks: Sequence[str], *, plain_http: bool) -> "DestinationRules":
        """Read what the settings say.

        Raises:
            InvalidSettings: It means nothing.
        """
        for pattern in patterns:
            if _PATTERN.fullmatch(pattern) is None:
                raise InvalidSettings(
                    f"The webhook destination {pattern!r} means nothing: write hooks.example.org, *.example.org or "
                    "hooks.example.org:8443."
                )
        try:
            parsed = tuple(ipaddress.ip_network(network) for network in networks)
        except ValueError as problem:
            raise InvalidSettings(f"A webhook network means nothing: {problem}.") from None
        return cls(tuple(patterns), parsed, plain_http)

    def check(self, url: str) -> Destination:
        """Let a URL pass that may be called.

        Raises:
            UnsupportedField: This server calls nobody.
            InvalidRequest: It is no URL, or not one that is allowed.
        """
        if not self.patterns:
            raise UnsupportedField(
                "This server calls no webhooks: leave the field out, or ask its operator to allow the destination "
                "(WHISPER_WEBHOOK_DESTINATIONS).",
                param=_PARAM,
            )
        destination = self._parsed(url)
        if not any(_matches(destination, pattern) for pattern in self.patterns):
            raise InvalidRequest(
                f"Webhooks may not go to {destination.authority[:128]}: ask this server's operator to allow it.",
                param=_PARAM,
            )
        return destination

    def allowed(self, addresses: Sequence[str]) -> Sequence[str]:
        """Return the addresses of a name; none if one of them is not allowed, for then the name is not trusted."""
        return addresses if all(self._allows(ipaddress.ip_address(each)) for each in addresses) else ()

    def _parsed(self, url: str) -> Destination:
        destination = _take_apart(url)
        if destination is None:
            raise InvalidRequest(
                "webhook_url is no URL that can be called: write https://host/path, without a user or a fragment.",
                param=_PARAM,
            )
        if destination.scheme == "http" and not self.plain_http:
            raise InvalidRequest("Webhooks go to https alone: write https://.", param=_PARAM)
        return destination

    def _allows(self, address: Address) -> bool:
        return any(address in network for network in self.networks) or all(map(_is_public, _meant(address)))


def _matches(destination: Destination, pattern: str) -> bool:
    name, _, port = pattern.partition(":")
    if destination.port != (int(port) if port else _PORTS[destination.scheme]):
        return False
    return destination.host.endswith(name[1:]) if name.startswith("*.") else destination.host == name


def _meant(address: Address) -> Iterator[Address]:
    """Yield an address and the one of IPv4 that it stands for, for a gateway would go there."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        if (mapped := address.ipv4_mapped or address.sixtofour) is not None:
            yield mapped
        if any(address in network for network in _NAT64):
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast


def _take_apart(url: str) -> Destination | None:
    try:
        parts = urlsplit(url if _URL.fullmatch(url) else "")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or "@" in parts.netloc or parts.fragment or _HOST.fullmatch(host) is None:
        return None
    return Destination(parts.scheme, host, port or _PORTS[parts.scheme], _target(parts))


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
