"""Addresses of Redis."""

from typing import Any

import pytest

from whisper_inference.errors import InvalidSettings
from whisper_inference.sessions.redis_address import connect


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "redis://",
        "redis+tape://host",
        "redis://host:port",
        "redis+sentinel://host/service/zero",
        "redis+cluster://host:99999999",
        "redis://:hunter2@[::1",
    ],
)
def test_an_address_that_means_nothing_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InvalidSettings, match="write redis://") as refused:
        connect(address)
    assert "hunter2" not in str(refused.value)


def arguments(address: str) -> dict[str, Any]:
    """What a connection is made with."""
    client: Any = connect(address).client
    return dict(client.connection_pool.connection_kwargs)


def test_one_server_is_connected_as_its_address_says() -> None:
    found = arguments("rediss://anna:p%40ss@example.org:7000/3?ssl_ca_certs=/ca.crt")
    assert (found["host"], found["port"], found["db"]) == ("example.org", 7000, 3)
    assert (found["username"], found["password"], found["ssl_ca_certs"]) == ("anna", "p@ss", "/ca.crt")
    assert found["socket_timeout"] == found["socket_connect_timeout"] == 2


def test_a_cluster_is_connected_through_any_of_its_servers() -> None:
    cluster: Any = connect("rediss+cluster://:secret@[::1]:7001,two?ssl_ca_certs=/ca.crt").client
    nodes = cluster.nodes_manager.startup_nodes
    assert set(nodes) == {"::1:7001", "two:6379"}
    assert cluster.connection_kwargs["password"] == "secret"
    assert cluster.connection_kwargs["ssl_ca_certs"] == "/ca.crt"


def test_sentinel_is_asked_for_its_service_and_with_the_same_login() -> None:
    client: Any = connect("redis+sentinel://anna:secret@one,two:7002/speech/2").client
    pool = client.connection_pool
    assert (pool.service_name, pool.connection_kwargs["db"]) == ("speech", 2)
    sentinels = [each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels]
    assert [(each["host"], each["port"], each["password"]) for each in sentinels] == [
        ("one", 26379, "secret"),
        ("two", 7002, "secret"),
    ]
    plain: Any = connect("redis+sentinel://one").client
    assert plain.connection_pool.service_name == "mymaster"
