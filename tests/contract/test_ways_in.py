"""What leads into a cluster fits what is behind it: names, ports, and how long a connection may be silent."""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.examples import others_of, resources_of
from tests.support.resources import DEFAULTS, START, children_of, resource
from whisper_inference.connections import ConnectionLimits
from whisper_operator.api.resource import parse
from whisper_operator.children.names import Manifest
from whisper_operator.render import render_children

CANARY: Final = Path("examples/canary.yaml")
RESOURCES: Final = [parse(each) for each in resources_of(CANARY)]
GATEWAY: Final = {"kind": "httpRoute", "gateway": {"name": "public"}}


@pytest.fixture
def canary() -> Manifest:
    """The route by weight."""
    (route,) = others_of(CANARY)
    return route


def the_route(**route: Any) -> Manifest:  # noqa: ANN401 - fields of `route`
    """The operator's own Ingress or HTTPRoute."""
    children = children_of(resource(route={"host": "a.example"} | route))
    (found,) = (each for each in children if each["kind"] in {"Ingress", "HTTPRoute"})
    return found


def test_both_sides_of_a_canary_are_services_that_the_resources_have(canary: Manifest) -> None:
    services = {
        (child["metadata"]["name"], port["port"])
        for owner in RESOURCES
        for child in render_children(owner, DEFAULTS, START)
        if child["kind"] == "Service"
        for port in child["spec"]["ports"]
    }
    (rule,) = canary["spec"]["rules"]
    assert [each["name"] for each in rule["backendRefs"]] == [owner.metadata.name for owner in RESOURCES]
    assert {(each["name"], each["port"]) for each in rule["backendRefs"]} <= services
    assert [each["weight"] for each in rule["backendRefs"]] == [90, 10]


def test_clients_of_a_canary_are_known_on_both_sides() -> None:
    one, other = (owner.spec for owner in RESOURCES)
    assert one.credentials == other.credentials
    assert not one.credentials.generate
    assert one.redis == other.redis
    assert one.redis is not None
    assert one.route is None is other.route


def test_a_canary_s_route_gives_answers_the_time_that_the_operator_s_does(canary: Manifest) -> None:
    assert canary["spec"]["rules"][0]["timeouts"] == the_route(**GATEWAY)["spec"]["rules"][0]["timeouts"]


def test_a_silent_stream_is_heard_of_before_a_proxy_gives_it_up() -> None:
    heartbeat = ConnectionLimits(most=1).heartbeat_seconds
    told = the_route()["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"]
    assert int(told) > 2 * heartbeat
    assert int(the_route(**GATEWAY)["spec"]["rules"][0]["timeouts"]["request"].removesuffix("s")) == int(told)


def test_cert_manager_is_told_which_certificate_to_make() -> None:
    issuer = {"cert-manager.io/cluster-issuer": "letsencrypt"}
    route = the_route(tlsSecretName="speech-tls", annotations=issuer)
    assert issuer.items() <= route["metadata"]["annotations"].items()
    assert route["spec"]["tls"] == [{"hosts": ["a.example"], "secretName": "speech-tls"}]
