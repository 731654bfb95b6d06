"""What every pod gets where nothing leads outside: images from a mirror, logins, a proxy, certificates."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import trustme
import yaml

from tests.support.certificates import write_authorities
from tests.support.resources import CPU, DEFAULTS, START, resource
from whisper_operator.api.network import Destination
from whisper_operator.children.names import Manifest, child_name
from whisper_operator.defaults import REDIS_IMAGE, Defaults
from whisper_operator.main import kopf_settings, load_client
from whisper_operator.render import render_children

GOLDEN: Final = Path("tests/golden/closed-network.yaml")
PROXY: Final = Destination(cidr="10.0.0.5/32", ports=(3128,))
CLOSED: Final = replace(
    DEFAULTS,
    openvino_image="registry.example.org/mirror/whisper-inference:1",
    redis_image="registry.example.org/mirror/valkey/valkey:8.1-alpine",
    image_pull_secrets=("mirror",),
    pod_env={"HF_ENDPOINT": "https://hub.example.org", "HTTPS_PROXY": "http://10.0.0.5:3128", "NO_PROXY": ".svc"},
    ca_config_map="our-authorities",
    pod_egress=(PROXY,),
)
SPEC: Final[dict[str, Any]] = {
    "model": {"name": "openai/whisper-base", "source": {"huggingFace": {}}},
    "redis": {"managed": {}},
}


def pods(defaults: Defaults, **spec: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - fields of a spec
    """The specs of all pods, by the kind that makes them."""
    children = render_children(resource(**SPEC | spec), defaults, START)
    return {
        child["kind"]: child["spec"]["template"]["spec"] for child in children if "template" in child.get("spec", {})
    }


def test_a_resource_of_a_closed_network_gives_these_manifests(request: pytest.FixtureRequest) -> None:
    rendered = yaml.safe_dump_all(render_children(resource(**SPEC), CLOSED, START), sort_keys=False)
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(rendered)
    assert rendered == GOLDEN.read_text(), "if this is meant, run pytest --update-golden and read the difference"


def test_every_image_is_the_mirror_s_and_pulled_with_its_login() -> None:
    found = pods(CLOSED)
    assert found.keys() == {"Deployment", "StatefulSet"}
    for spec in found.values():
        assert spec["imagePullSecrets"] == [{"name": "mirror"}]
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            assert container["image"].startswith("registry.example.org/mirror/")


def test_a_pool_s_own_logins_come_first_and_none_twice() -> None:
    pool = CPU | {"imagePullSecrets": [{"name": "own"}, {"name": "mirror"}]}
    assert pods(CLOSED, pools=[pool])["Deployment"]["imagePullSecrets"] == [{"name": "own"}, {"name": "mirror"}]


def test_a_resource_may_have_another_redis_image_and_by_default_it_is_the_operator_s() -> None:
    def image(**managed: str) -> str:
        spec = pods(DEFAULTS, redis={"managed": managed})["StatefulSet"]
        return str(spec["containers"][0]["image"])

    assert image() == REDIS_IMAGE
    assert image(image="redis:8") == "redis:8"


def test_the_chart_takes_the_same_redis_unless_it_is_told() -> None:
    values = yaml.safe_load(Path("helm/whisper-operator/values.yaml").read_text())["redis"]
    assert f"{values['repository']}:{values['tag']}" == REDIS_IMAGE


def test_the_policy_lets_pods_reach_the_proxy_and_what_the_resource_says() -> None:
    egress = policy(network={"egress": [{"cidr": "10.1.0.0/16"}]})["spec"]["egress"]
    assert egress[-2:] == [
        {"to": [{"ipBlock": {"cidr": "10.0.0.5/32"}}], "ports": [{"protocol": "TCP", "port": 3128}]},
        {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]},
    ]


def policy(**spec: Any) -> Manifest:  # noqa: ANN401 - fields of a spec
    """The policy of the server's pods."""
    children = render_children(resource(**SPEC | spec), CLOSED, START)
    found: Manifest = next(
        each
        for each in children
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == child_name("live", "pods")
    )
    return found


def test_in_a_cluster_the_operator_asks_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("not empty")
    write_authorities(tmp_path / "ca.crt", trustme.CA())
    loader = "kubernetes.config.incluster_config.SERVICE_"
    monkeypatch.setattr(f"{loader}TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{loader}CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.5:3128")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with load_client() as client:
        assert client.configuration.host == "https://10.96.0.1:443"
        assert client.configuration.proxy is None


def test_beside_a_cluster_watches_take_the_proxy_that_the_other_requests_take() -> None:
    assert kopf_settings(by_proxy=True).networking.trust_env
    assert not kopf_settings().networking.trust_env
