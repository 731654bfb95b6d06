"""What the operator tells a Redis of the resource's own, told to a real one."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
import redis

from tests.support.patience import eventually
from tests.support.redis_server import find_redis
from tests.support.resources import children_of, resource
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.redis import RedisStore
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink
from whisper_inference.sessions.store import SessionId
from whisper_operator.children.redis import build_redis_secret
from whisper_operator.play.ports import free_port

OWNER: Final = resource(redis={"managed": {"memory": "64Mi"}})
SECRET: Final = build_redis_secret(OWNER, lambda: "the-password-of-the-tests")["stringData"]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where it listens: started as its container says, with this machine's folders and port."""
    settings, data = tmp_path / "settings", tmp_path / "data"
    for folder in (settings, data):
        folder.mkdir()
    for name, content in SECRET.items():
        (settings / name).write_text(content)
    (stateful_set,) = [each for each in children_of(OWNER) if each["kind"] == "StatefulSet"]
    container = stateful_set["spec"]["template"]["spec"]["containers"][0]
    folders = {"/etc/redis": str(settings), "/data": str(data)}
    words = [find_redis(), *container["command"][1:], *container["args"]]
    for inside, here in folders.items():
        words = [word.replace(inside, here) for word in words]
    port = free_port()
    process = subprocess.Popen([*words, "--port", str(port), "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL)
    yield port
    process.kill()
    process.wait()


def test_it_starts_as_it_is_told(port: int) -> None:
    with redis.Redis(port=port, password=SECRET["password"]) as client:
        eventually(client.ping)
        told = client.config_get("maxmemory*", "append*")
        assert (told["maxmemory-policy"], told["appendonly"]) == ("noeviction", "yes")
        assert int(told["maxmemory"]) == 48 * 2**20
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_servers_reach_it_by_the_address_in_the_secret(port: int) -> None:
    host, _, rest = SECRET["url"].partition("@")[2].partition("/")
    address = SECRET["url"].replace(host, f"127.0.0.1:{port}")
    assert rest == "0"

    async def keep() -> bytes | None:
        store = RedisStore(RedisLink(connect(address), Availability(time.monotonic, lambda _: None)))
        key = SessionId("0123", "4567")
        await store.create(key, b"session", timedelta(minutes=1), timedelta(minutes=1))
        found = await store.read(key, timedelta(minutes=1))
        await store.close()
        return found

    with redis.Redis(port=port, password=SECRET["password"]) as client:
        eventually(client.ping)
    assert asyncio.run(keep()) == b"session"
