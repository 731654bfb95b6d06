"""Who takes part, where, and why not."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.keys import only_keys
from tests.unit.whisper_inference.replicas.test_handover import Told
from whisper_contract.runtime import RuntimeConfig
from whisper_inference.replicas.opening import Replicas, advertised_url, open_replicas
from whisper_inference.security.credentials import Credentials
from whisper_inference.security.tokens import TokenSigner
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink

WITH_LOGINS = Credentials(None, only_keys().accounts, {}, TokenSigner("a-secret-key-of-the-tests-0123456789"))


def opened(credentials: Credentials, *, redis: bool = True, **fields: Any) -> Replicas | None:  # noqa: ANN401 - settings
    """Open with these settings."""
    settings = RuntimeConfig.model_validate({"model": "base", "advertised_host": "10.0.0.1"} | fields)

    async def whole() -> Replicas | None:
        way = RedisLink(connect("redis://127.0.0.1:1"), Availability(time.monotonic, lambda _: None))
        return open_replicas(settings, way if redis else None, lambda: credentials, lambda: None, Told())

    return asyncio.run(whole())


def test_with_a_redis_an_address_and_a_secret_key_a_server_takes_part(caplog: pytest.LogCaptureFixture) -> None:
    assert opened(WITH_LOGINS) is not None
    assert not caplog.records


def test_nobody_is_told_what_he_did_not_ask_for(caplog: pytest.LogCaptureFixture) -> None:
    assert opened(WITH_LOGINS, advertised_host=None) is None
    assert opened(WITH_LOGINS, redis=False) is None
    assert not caplog.records


@pytest.mark.parametrize(
    ("credentials", "fields", "sentence"),
    [
        (WITH_LOGINS, {"port": 0}, "its port"),
        (WITH_LOGINS, {"tls_cert_file": Path("x.pem")}, "certificate"),
        (only_keys("a-key-for-tests-only"), {}, "WHISPER_SECRET_KEY"),
    ],
)
def test_who_asked_and_cannot_is_told_why(
    credentials: Credentials, fields: dict[str, Any], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert opened(credentials, **fields) is None
    assert sentence in caplog.text


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("10.0.0.1", "http://10.0.0.1:8000"),
        ("fd00::1", "http://[fd00::1]:8000"),
        ("speech.local", "http://speech.local:8000"),
    ],
)
def test_an_address_of_either_kind_or_a_name_makes_a_url(host: str, url: str) -> None:
    assert advertised_url(RuntimeConfig(model="base", advertised_host=host)) == url
