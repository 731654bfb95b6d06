"""TLS of a resource: what is made of its Secrets, what waits for them, and what is said."""

import base64
from typing import Any

import pytest

from tests.support.resources import children_of, deployment_name, resource
from tests.support.world import World
from whisper_operator.children.names import Manifest
from whisper_operator.children.secrets import secret_names

PAIR = {"tls.crt": "-----BEGIN CERTIFICATE-----\nM\n", "tls.key": "-----BEGIN EC PRIVATE KEY-----\nM\n"}
AUTHORITY = {"ca.crt": "# ours\n-----BEGIN CERTIFICATE-----\nM\n"}
LOCKED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nM\n"
TLS: dict[str, Any] = {"secretName": "pair", "clientCASecretName": "clients"}


def give(world: World, name: str, data: dict[str, str]) -> None:
    """Give the cluster a Secret."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    world.cluster.put({"kind": "Secret", "metadata": {"name": name}, "data": encoded})


def settled(**spec: Any) -> World:  # noqa: ANN401 - fields of a spec
    """A world at rest that has both Secrets."""
    world = World(**spec)
    give(world, "pair", PAIR)
    give(world, "clients", AUTHORITY)
    world.reconcile()
    world.settle()
    return world


def server_spec(world: World) -> Manifest:
    """The pod that the Deployment asks for."""
    return dict(world.deployment(deployment_name("cpu"))["spec"]["template"]["spec"])


def made(kind: str, **spec: Any) -> list[Manifest]:  # noqa: ANN401 - fields of a spec
    """The children of a kind at the first pass."""
    return [each for each in children_of(resource(**spec)) if each["kind"] == kind]


def test_servers_are_given_the_pair_and_of_the_authority_its_certificate_alone() -> None:
    spec = server_spec(settled(tls=TLS))
    variables = {each["name"]: each["value"] for each in spec["containers"][0]["env"]}
    mounts = {each["name"]: each for each in spec["containers"][0]["volumeMounts"]}
    volumes = {each["name"]: each.get("secret") for each in spec["volumes"]}
    files = {"WHISPER_TLS_CERT_FILE": ("tls", "tls.crt"), "WHISPER_TLS_KEY_FILE": ("tls", "tls.key")}
    files["WHISPER_TLS_CLIENT_CA_FILE"] = ("client-ca", "ca.crt")
    for variable, (volume, key) in files.items():
        assert variables[variable] == f"{mounts[volume]['mountPath']}/{key}"
        assert mounts[volume]["readOnly"]
        assert "subPath" not in mounts[volume]
    assert [each["key"] for each in volumes["client-ca"]["items"]] == ["ca.crt"]
    plain = settled()
    assert "TLS" not in str(server_spec(plain))
    assert plain.condition("TlsReady") == ("True", "NotAsked")


def test_every_way_in_is_named_after_what_is_spoken_there_and_probes_stay_plain() -> None:
    world = settled(tls=TLS, route={"host": "a.example"}, monitoring={"serviceMonitor": True})
    status = world.cluster.find("WhisperDeployment", "live")["status"]
    assert status["url"] == "https://live.default.svc"
    assert world.condition("TlsReady") == ("True", "CertificateFound")
    (shared,) = world.cluster.find("Service", "live")["spec"]["ports"]
    assert (shared["port"], shared["targetPort"], shared["appProtocol"]) == (443, "https", "https")
    server = server_spec(world)["containers"][0]
    assert [each["name"] for each in server["ports"]] == ["https", "management"]
    probes = [server[each]["httpGet"] for each in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert {(each["port"], each["scheme"]) for each in probes} == {("management", "HTTP")}
    (ingress,) = made("Ingress", tls=TLS, route={"host": "a.example"})
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["port"] == {"number": 443}
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"


def test_a_gateway_is_led_to_the_port_that_speaks_tls() -> None:
    route = {"host": "a.example", "kind": "httpRoute", "gateway": {"name": "public"}}
    ports = [made("HTTPRoute", route=route, **more)[0]["spec"]["rules"][0] for more in ({}, {"tls": TLS})]
    assert [rule["backendRefs"][0]["port"] for rule in ports] == [80, 443]


def test_a_renewed_certificate_replaces_no_pod_and_another_secret_does() -> None:
    world = settled(tls=TLS)
    give(world, "pair", PAIR | {"tls.crt": PAIR["tls.crt"] + "renewed"})
    assert world.reconcile() == []
    give(world, "other", PAIR)
    world.change(tls={"secretName": "other"})
    assert "apply Deployment" in world.reconcile()


@pytest.mark.parametrize(
    ("pair", "authority", "reason", "named"),
    [
        (None, AUTHORITY, "TlsSecretMissing", "pair"),
        (PAIR, None, "TlsSecretMissing", "clients"),
        ({"tls.crt": PAIR["tls.crt"]}, AUTHORITY, "TlsKeyMissing", "tls.key"),
        (PAIR, {"tls.crt": PAIR["tls.crt"]}, "TlsKeyMissing", "ca.crt"),
        (PAIR | {"tls.key": LOCKED}, AUTHORITY, "TlsUnreadable", "without a password"),
        (PAIR | {"tls.crt": "nothing"}, AUTHORITY, "TlsUnreadable", "tls.crt"),
        (PAIR, {"ca.crt": PAIR["tls.key"]}, "TlsUnreadable", "ca.crt"),
    ],
)
def test_without_its_secrets_a_server_that_runs_goes_on_as_it_is(
    pair: dict[str, str] | None, authority: dict[str, str] | None, reason: str, named: str
) -> None:
    world = World()
    world.reconcile()
    world.settle()
    before = server_spec(world), world.cluster.find("Service", "live")["spec"]
    for name, data in (("pair", pair), ("clients", authority)):
        if data is not None:
            give(world, name, data)
    world.change(tls=TLS)
    world.reconcile()
    assert world.condition("TlsReady") == ("False", reason)
    assert named in world.message("TlsReady")
    assert world.condition("Available")[0] == "True"
    assert (server_spec(world), world.cluster.find("Service", "live")["spec"]) == before
    give(world, "pair", PAIR)
    give(world, "clients", AUTHORITY)
    world.reconcile()
    assert world.condition("TlsReady") == ("True", "CertificateFound")
    assert world.cluster.find("Service", "live")["spec"]["ports"][0]["port"] == 443


def test_what_is_no_base64_is_unreadable() -> None:
    world = World(tls={"secretName": "pair"})
    world.cluster.put({"kind": "Secret", "metadata": {"name": "pair"}, "data": {"tls.crt": "?", "tls.key": "?"}})
    world.reconcile()
    assert world.condition("TlsReady") == ("False", "TlsUnreadable")
    assert not world.cluster.names("Deployment")


def test_a_change_of_each_secret_is_heard() -> None:
    assert {"pair", "clients"} < set(secret_names(resource(tls=TLS)))
    same = resource(tls={"secretName": "pair", "clientCASecretName": "pair"})
    assert secret_names(same).count("pair") == 1
