"""The children of the examples, against golden manifests, and what holds for the children of any resource."""

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.support.examples import EXAMPLES, resources_of
from tests.support.resources import CPU, DEFAULTS, NPU, NVIDIA, STANDBY, START, children_of, resource
from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_operator.api.crd import LONGEST_NAME
from whisper_operator.api.resource import WhisperDeployment, parse
from whisper_operator.children.names import child_name, pool_name
from whisper_operator.children.network_policy import build_network_policies
from whisper_operator.children.pod import build_pod_spec
from whisper_operator.render import render_children

GOLDEN: Final = Path("tests/golden")

HUB: Final = {"name": "openai/whisper-base", "source": {"huggingFace": {}}}
INTEL: Final[dict[str, Any]] = {"name": "gpu", "device": "gpu", "vendor": "intel"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_give_these_manifests(example: Path, request: pytest.FixtureRequest) -> None:
    owners = map(parse, resources_of(example))
    children = itertools.chain.from_iterable(render_children(owner, DEFAULTS, START) for owner in owners)
    rendered = yaml.safe_dump_all(children, sort_keys=False)
    golden = GOLDEN / example.name
    if request.config.getoption("--update-golden"):
        golden.write_text(rendered)
    assert rendered == golden.read_text(), "if this is meant, run pytest --update-golden and read the difference"


def pod_spec(owner: WhisperDeployment, pool: str) -> dict[str, Any]:
    """The spec of a pool's pods."""
    name = pool_name(owner.metadata.name, pool)
    found = next(
        child for child in children_of(owner) if child["metadata"]["name"] == name and "replicas" in child["spec"]
    )
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


def variables(owner: WhisperDeployment, pool: str) -> dict[str, str]:
    """The server's environment in a pool."""
    return {each["name"]: each["value"] for each in pod_spec(owner, pool)["containers"][0]["env"]}


POOLS: Final = st.lists(
    st.sampled_from([NPU, NVIDIA, INTEL, STANDBY]), max_size=3, unique_by=lambda pool: pool["name"]
).map(lambda rest: [{"name": "first", "device": "cpu"}, *rest])
NAMES: Final = st.from_regex(rf"\A[a-z]([-a-z0-9]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?\Z")


@given(NAMES, POOLS, st.integers(1, 5), st.sampled_from([None, {"size": "1Gi"}]))
def test_every_child_is_owned_labelled_and_named_within_its_limits(
    name: str, pools: list[dict[str, Any]], replicas: int, cache: dict[str, str] | None
) -> None:
    model = HUB | ({"cache": cache} if cache else {})
    owner = resource(name, pools=pools, replicas=replicas, model=model)
    children = children_of(owner)
    assert json.dumps(children) == json.dumps(children_of(owner))
    identities = [(child["kind"], child["metadata"]["name"]) for child in children]
    assert len(set(identities)) == len(identities)
    for child in children:
        metadata = child["metadata"]
        assert len(metadata["name"]) <= 63
        assert metadata["ownerReferences"][0]["uid"] == "uid-of-owner"
        assert metadata["ownerReferences"][0]["controller"]
        assert metadata["labels"]["app.kubernetes.io/instance"] == name


@given(NAMES, NAMES, st.text("ab-", max_size=20), st.text("ab-", max_size=20))
def test_no_two_children_share_a_name(owner: str, other: str, part: str, another: str) -> None:
    if (owner, part) != (other, another):
        assert child_name(owner, part) != child_name(other, another)
    assert child_name(owner, part) != pool_name(owner, part)


@pytest.mark.parametrize("pool", [NPU, NVIDIA, INTEL, CPU], ids=lambda pool: f"{pool['device']}-{pool.get('vendor')}")
def test_every_pod_is_restricted_and_told_its_device(pool: dict[str, Any]) -> None:
    owner = resource(pools=[pool], model=HUB)
    spec = pod_spec(owner, pool["name"])
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
    assert variables(owner, pool["name"])["WHISPER_DEVICE"] == pool["device"]
    engine = "pytorch" if pool.get("vendor") == "nvidia" else "openvino"
    assert variables(owner, pool["name"])["WHISPER_ENGINE"] == engine
    assert spec["containers"][0]["image"] == f"whisper:{engine}"


@pytest.mark.parametrize(
    ("pool", "resource_name"),
    [
        (NPU, "npu.intel.com/accel"),
        (INTEL, "gpu.intel.com/xe"),
        (INTEL | {"resourceName": "gpu.intel.com/i915"}, "gpu.intel.com/i915"),
        (NVIDIA, "nvidia.com/gpu"),
        (NVIDIA | {"resourceName": "nvidia.com/mig-1g.10gb"}, "nvidia.com/mig-1g.10gb"),
    ],
)
def test_a_device_is_asked_for_once_and_its_taint_is_stood(pool: dict[str, Any], resource_name: str) -> None:
    spec = pod_spec(resource(pools=[pool]), pool["name"])
    resources = spec["containers"][0]["resources"]
    assert resources["limits"][resource_name] == resources["requests"][resource_name] == "1"
    assert spec["tolerations"][0]["operator"] == "Exists"


def test_only_intel_s_device_files_need_their_groups() -> None:
    assert pod_spec(resource(pools=[NPU]), "npu")["securityContext"]["supplementalGroups"] == [109]
    assert "supplementalGroups" not in pod_spec(resource(pools=[CPU]), "cpu")["securityContext"]


def test_a_start_may_take_as_long_as_its_device_needs_and_the_rollout_waits_longer() -> None:
    owner = resource(pools=[NPU])
    deployment = next(child for child in children_of(owner) if child["kind"] == "Deployment")
    probe = deployment["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    budget = timedelta(seconds=probe["failureThreshold"] * probe["periodSeconds"])
    assert budget >= timedelta(minutes=15)
    assert timedelta(seconds=deployment["spec"]["progressDeadlineSeconds"]) > budget


def test_a_device_pool_rolls_without_a_free_device() -> None:
    strategies = {
        child["metadata"]["labels"]["whisperoperator.dev/pool"]: child["spec"]["strategy"]["rollingUpdate"]
        for child in children_of(resource(pools=[NPU, CPU]))
        if child["kind"] == "Deployment"
    }
    assert strategies == {
        "npu": {"maxSurge": 0, "maxUnavailable": 1},
        "cpu": {"maxSurge": 1, "maxUnavailable": 0},
    }


def test_the_server_reads_back_what_it_was_told() -> None:
    owner = resource(
        model=HUB | {"precision": "int8"},
        pools=[CPU | {"resources": {"limits": {"cpu": "2500m"}}}],
        api={"maxUploadSize": "1Gi", "maxAudioDuration": "1h"},
    )
    told = {name.removeprefix(ENVIRONMENT_PREFIX).lower(): value for name, value in variables(owner, "cpu").items()}
    config: BaseModel = RuntimeConfig.model_validate(told)
    assert config.model_dump(include={"model", "model_name", "precision", "threads", "max_upload_bytes"}) == {
        "model": "openai/whisper-base",
        "model_name": "openai/whisper-base",
        "precision": "int8",
        "threads": 3,
        "max_upload_bytes": 2**30,
    }
    assert RuntimeConfig.model_validate(told).max_audio_seconds == 3600


def test_termination_waits_for_the_drain() -> None:
    spec = pod_spec(resource(), "cpu")
    told = variables(resource(), "cpu")
    leaving, drain = (float(told[f"WHISPER_{name}_SECONDS"]) for name in ("LEAVING", "DRAIN"))
    assert leaving > 0
    assert spec["terminationGracePeriodSeconds"] > leaving + drain


def test_a_person_s_resources_come_before_what_is_computed() -> None:
    pool = CPU | {"resources": {"limits": {"memory": "9Gi"}, "requests": {"cpu": "250m"}}}
    found = pod_spec(resource(pools=[pool]), "cpu")["containers"][0]["resources"]
    assert found == {"limits": {"memory": "9Gi"}, "requests": {"cpu": "250m", "memory": "9Gi"}}


def test_a_pool_s_own_variables_come_before_computed_ones_and_no_name_comes_twice() -> None:
    env = [{"name": "WHISPER_LOG_FORMAT", "value": "text"}, {"name": "WHISPER_MAX_ROWS", "value": "16"}]
    container = pod_spec(resource(pools=[CPU | {"env": env}]), "cpu")["containers"][0]
    names = [each["name"] for each in container["env"]]
    assert len(set(names)) == len(names)
    assert {each["name"]: each["value"] for each in env}.items() <= variables(
        resource(pools=[CPU | {"env": env}]), "cpu"
    ).items()


def policy_of(**spec: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a spec
    """The spec of the NetworkPolicy."""
    found = next(child for child in children_of(resource(**spec)) if child["kind"] == "NetworkPolicy")
    policy: dict[str, Any] = found["spec"]
    return policy


def test_pods_are_reached_by_clients_and_inside_the_cluster_and_reach_dns_alone() -> None:
    policy = policy_of()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    clients, management = policy["ingress"]
    assert clients == {"ports": [{"protocol": "TCP", "port": 8000}]}
    assert management["from"] == [{"namespaceSelector": {}}]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [53, 53]


def test_a_model_from_a_hub_may_be_fetched() -> None:
    assert {"ports": [{"protocol": "TCP", "port": 443}]} in policy_of(model=HUB)["egress"]


def test_peers_and_destinations_are_as_they_are_written() -> None:
    policy = policy_of(
        network={
            "clients": [{"namespaceLabels": {"team": "speech"}, "podLabels": {"app": "web"}}, {"podLabels": {}}],
            "management": [{"namespaceLabels": {"name": "monitoring"}}],
            "egress": [{"cidr": "10.0.0.0/8", "ports": [8443]}, {"cidr": "fd00::/8"}],
        }
    )
    clients, management = policy["ingress"]
    assert clients["from"] == [
        {"namespaceSelector": {"matchLabels": {"team": "speech"}}, "podSelector": {"matchLabels": {"app": "web"}}},
        {"podSelector": {}},
    ]
    assert management["from"] == [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    assert policy["egress"][1:] == [
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"protocol": "TCP", "port": 8443}]},
        {"to": [{"ipBlock": {"cidr": "fd00::/8"}}]},
    ]


def test_webhooks_reach_public_addresses_and_the_networks_that_are_named() -> None:
    hooks = {"destinations": ["hooks.example.org", "*.example.com:8443"], "networks": ["10.1.0.0/16"]}
    before = build_network_policies(resource(), DEFAULTS)[0]["spec"]["egress"]
    (policy,) = build_network_policies(resource(jobs={"webhooks": hooks}), DEFAULTS)
    (added,) = [rule for rule in policy["spec"]["egress"] if rule not in before]
    assert [each["port"] for each in added["ports"]] == [443, 8443]
    blocks = [each["ipBlock"] for each in added["to"]]
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "::/0", "10.1.0.0/16"]
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(blocks[0]["except"])


def test_the_operator_may_always_ask_pods_how_busy_they_are() -> None:
    owner = resource(network={"management": [{"namespaceLabels": {"name": "monitoring"}}]})
    (policy,) = build_network_policies(owner, replace(DEFAULTS, own_namespace="operators"))
    peers = policy["spec"]["ingress"][1]["from"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "operators"}}} in peers


def test_policies_can_be_left_out() -> None:
    children = children_of(resource(network={"policies": False}))
    assert not [child for child in children if child["kind"] == "NetworkPolicy"]


def test_every_container_has_the_operator_s_variables_and_trusts_its_certificates() -> None:
    defaults = replace(DEFAULTS, pod_env={"HTTPS_PROXY": "http://proxy", "WHISPER_DEVICE": "gpu"}, ca_config_map="ca")
    pool = CPU | {"env": [{"name": "HF_ENDPOINT", "value": "http://mirror"}]}
    device = {"name": "WHISPER_DEVICE", "value": "cpu"}
    owner = resource(pools=[pool], model=HUB)
    spec = build_pod_spec(owner, owner.spec.pools[0], defaults)
    assert {"name": "ca", "configMap": {"name": "ca"}} in spec["volumes"]
    assert device in spec["containers"][0]["env"]
    for container in (*spec["initContainers"], *spec["containers"]):
        env = {each["name"]: each["value"] for each in container["env"]}
        assert env["HTTPS_PROXY"] == "http://proxy"
        assert env["HF_ENDPOINT"] == "http://mirror"
        assert env["SSL_CERT_FILE"] == "/etc/whisper/ca/ca.crt"
        assert {"name": "ca", "mountPath": "/etc/whisper/ca", "readOnly": True} in container["volumeMounts"]


def test_an_affinity_is_handed_on_as_it_is_written() -> None:
    terms = [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["fast"]}]}]
    node = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    near = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}
    pods = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5, "podAffinityTerm": near}]}
    wish = {"nodeAffinity": node, "podAntiAffinity": pods}
    assert pod_spec(resource(pools=[CPU | {"affinity": wish}]), "cpu")["affinity"] == wish
