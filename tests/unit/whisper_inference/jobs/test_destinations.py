"""Where webhooks may go: whatever a URL looks like, nothing inside is reached that nobody allowed."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from whisper_inference.errors import InvalidRequest, InvalidSettings, UnsupportedField
from whisper_inference.jobs.destinations import Destination, DestinationRules

RULES = DestinationRules.of(["hooks.example.org", "*.example.com", "odd.example.org:8443"], [], plain_http=False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hooks.example.org", Destination("https", "hooks.example.org", 443, "/")),
        ("https://HOOKS.example.org:443/a?b=c", Destination("https", "hooks.example.org", 443, "/a?b=c")),
        ("https://a.b.example.com/x", Destination("https", "a.b.example.com", 443, "/x")),
        ("https://odd.example.org:8443/", Destination("https", "odd.example.org", 8443, "/")),
    ],
)
def test_what_is_allowed_is_taken_apart(url: str, expected: Destination) -> None:
    assert RULES.check(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "//hooks.example.org/",
        "http://hooks.example.org/",
        "ftp://hooks.example.org/",
        "https://example.com/",
        "https://notexample.com/",
        "https://hooks.example.org.evil.net/",
        "https://hooks.example.org@evil.net/",
        "https://user:secret@hooks.example.org/",
        "https://hooks.example.org:8443/",
        "https://odd.example.org/",
        "https://evil.net#hooks.example.org",
        "https://evil.net\\@hooks.example.org/",
        "https://evil.net/\thttps://hooks.example.org",
        "https://hooks.example.org/\r\nX-Injected: 1",
        "https://hooks.example.org:99999/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://hooks.example.org./",
        "https://hooks.exampl\N{CYRILLIC SMALL LETTER IE}.org/",
        "https://hooks.example.org/" + "a" * 3000,
    ],
)
def test_what_is_not_allowed_is_refused_with_the_field_s_name(url: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        RULES.check(url)
    assert refusal.value.param == "webhook_url"


def test_nothing_is_allowed_by_default_and_http_only_where_it_is_asked_for() -> None:
    with pytest.raises(UnsupportedField, match="calls no webhooks"):
        DestinationRules().check("https://hooks.example.org/")
    plain = DestinationRules.of(["hooks.example.org"], [], plain_http=True)
    assert plain.check("http://hooks.example.org/").port == 80


@given(st.text(max_size=80) | st.text(alphabet="htps:/@#?\\.[]%0127exampl.orgcm-", max_size=80))
@example("https://a@hooks.example.org")
def test_whatever_is_sent_only_allowed_names_come_through(url: str) -> None:
    for text in (url, f"https://{url}", f"https://hooks.example.org{url}"):
        try:
            found = RULES.check(text)
        except InvalidRequest:
            continue
        assert found.scheme == "https"
        assert found.host == "hooks.example.org" or found.host.endswith((".example.com", "odd.example.org"))
        assert found.target.isascii()
        assert not set(found.target) & set(" \r\n\t\\")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address that means this machine
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
    ],
)
def test_no_address_inside_is_called(address: str) -> None:
    assert RULES.allowed([address]) == ()
    assert RULES.allowed(["93.184.216.34", address]) == ()


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses_are_called(address: str) -> None:
    assert RULES.allowed([address, "1.1.1.1"]) == [address, "1.1.1.1"]


def test_a_network_that_is_named_is_allowed_and_no_other() -> None:
    rules = DestinationRules.of(["a.example"], ["10.1.0.0/16", "fd00:1::/32"], plain_http=False)
    assert rules.allowed(["10.1.2.3"]) == ["10.1.2.3"]
    assert rules.allowed(["fd00:1::5"]) == ["fd00:1::5"]
    assert rules.allowed(["10.2.0.1"]) == ()
    assert rules.allowed(["10.1.2.3", "10.2.0.1"]) == ()


@given(st.ip_addresses())
def test_every_address_that_is_called_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if RULES.allowed([str(address)]):
        assert address.is_global
        assert not address.is_private
        assert not address.is_loopback
        assert not address.is_link_local
        assert not address.is_multicast


@pytest.mark.parametrize(
    ("patterns", "networks"),
    [
        (["https://hooks.example.org"], []),
        (["*"], []),
        (["*.*.org"], []),
        (["a.example:0"], []),
        (["A.example"], []),
        ([""], []),
        (["a.example"], ["10.0.0.1/8"]),
        (["a.example"], ["lan"]),
    ],
)
def test_rules_that_mean_nothing_are_refused(patterns: list[str], networks: list[str]) -> None:
    with pytest.raises(InvalidSettings):
        DestinationRules.of(patterns, networks, plain_http=False)
