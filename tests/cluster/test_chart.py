"""The chart: what helm makes of its values, what the API server says to that, and a release's life."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from kubernetes import client

from scripts.readme_commands import find_commands
from tests.support.patience import eventually
from tests.support.person import Person
from whisper_operator.children.names import Manifest
from whisper_operator.rights import RIGHTS
from whisper_operator.settings import ENVIRONMENT_PREFIX, OperatorSettings

pytestmark = pytest.mark.slow

CHART: Final = "helm/whisper-operator"
CRD: Final = "whisperdeployments.whisperoperator.dev"
SWITCHES: Final = (
    ("crds.install=false", "crds.install=true"),
    ("rbac.create=false", "rbac.create=true"),
    ("serviceAccount.create=true", "serviceAccount.create=false,serviceAccount.name=mine"),
    ("metrics.service=true", "metrics.service=true,metrics.serviceMonitor=true,metrics.labels.release=kps"),
    ("metrics.rules=false", "metrics.rules=true,metrics.dashboard=true"),
    ("networkPolicy.create=false", "networkPolicy.create=true,networkPolicy.apiServerCidrs={10.0.0.1/32}"),
    ("resyncSeconds=300", "watchNamespaces={NAMESPACE}"),
)
FULL: Final = {
    "imagePrefix": "registry.example.org/mirror/",
    "image": {"tag": "1.2.3", "pullPolicy": "Always"},
    "inference": {"openvino": {"tag": "1"}, "pytorch": {"tag": "2"}, "renderGroups": [1]},
    "imagePullSecrets": [{"name": "login"}],
    "podImagePullSecrets": ["login"],
    "podEgress": [{"cidr": "10.0.0.5/32", "ports": [3128]}],
    "podEnv": {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".svc"},
    "caConfigMap": "trust",
    "serviceAccount": {"annotations": {"who": "me"}},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "system-cluster-critical",
    "podAnnotations": {"a": "b"},
    "podLabels": {"c": "d"},
    "fullnameOverride": "speech",
}


def template(helm: Callable[..., str], namespace: str, *arguments: str) -> list[Manifest]:
    """What a release would be made of."""
    text = helm("template", "release", CHART, "--namespace", namespace, "--skip-tests", *arguments)
    return [document for document in yaml.safe_load_all(text) if document]


def find(documents: list[Manifest], kind: str) -> Manifest:
    """The only document of a kind."""
    (found,) = (document for document in documents if document["kind"] == kind)
    return found


def test_the_linter_has_nothing_to_say(helm: Callable[..., str]) -> None:
    helm("lint", "--strict", CHART)


@pytest.mark.usefixtures("foreign_kinds")
def test_the_api_server_takes_every_combination_of_values(
    helm: Callable[..., str], namespace: str, server_side_apply: Callable[[Manifest], None], tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(FULL))
    seen: set[str] = set()
    combinations: Iterator[tuple[str, ...]] = itertools.product(*SWITCHES)
    for chosen in combinations:
        sets = [f"--set={switch.replace('NAMESPACE', namespace)}" for switch in chosen]
        for more in ([], ["--values", str(values)]) if chosen[0].endswith("true") else ([],):
            for document in template(helm, namespace, *sets, *more):
                text = json.dumps(document, sort_keys=True)
                if text not in seen:
                    server_side_apply(document)
                seen.add(text)
    kinds = {json.loads(text)["kind"] for text in seen}
    assert kinds >= {"ClusterRole", "Role", "Deployment", "ServiceMonitor", "PrometheusRule", "NetworkPolicy"}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("replicas=2", "replicas"),
        ("log.level=loud", "level"),
        ("passesAtOnce=many", "passesAtOnce"),
        ("serviceAccount.create=false", "serviceAccount.name is needed"),
        ("watchNamespaces={}", "empty name"),
        ("metrics.service=false,metrics.serviceMonitor=true", "leave it true"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(helm: Callable[..., str], value: str, sentence: str) -> None:
    with pytest.raises(RuntimeError, match=sentence):
        template(helm, "default", "--set", value)


def test_the_operator_reads_back_what_the_values_say(
    helm: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(FULL | {"watchNamespaces": ["a", "b"], "resyncSeconds": 60, "passesAtOnce": 3}))
    deployment = find(template(helm, "default", "--values", str(values)), "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example.org/mirror/whisper-operator:1.2.3"
    told = {each["name"]: each["value"] for each in container["env"]}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = OperatorSettings()
    assert settings.namespaces == ("a", "b")
    assert settings.openvino_image == "registry.example.org/mirror/whisper-inference:1"
    assert settings.pod_env == FULL["podEnv"]
    assert settings.redis_image == "registry.example.org/mirror/valkey/valkey:8.1-alpine"
    assert settings.image_pull_secrets == ("login",)
    assert [each.model_dump(mode="json") for each in settings.pod_egress] == [{"cidr": "10.0.0.5/32", "ports": [3128]}]
    assert (settings.ca_config_map, settings.resync_seconds, settings.passes_at_once) == ("trust", 60, 3)
    ports = {f"{ENVIRONMENT_PREFIX}{name}".upper() for name in ("metrics_port", "health_port")}
    assert {f"{ENVIRONMENT_PREFIX}{name}".upper() for name in OperatorSettings.model_fields} - ports == told.keys()
    assert [port["containerPort"] for port in container["ports"]] == [settings.metrics_port, settings.health_port]


def test_the_roles_are_the_rights_of_the_code(helm: Callable[..., str]) -> None:
    role = find(template(helm, "default"), "ClusterRole")
    rules = {(rule["apiGroups"][0], rule["resources"][0], tuple(rule["verbs"])) for rule in role["rules"]}
    assert rules == set(RIGHTS)


def test_a_release_is_installed_upgraded_and_taken_away_and_the_resources_stay(
    helm: Callable[..., str], namespace: str, person: Person, api: client.ApiClient
) -> None:
    place = ["--namespace", namespace]
    said = helm("install", "release", CHART, *place, "--take-ownership")
    assert "kubectl get wd -A" in said
    person.create()
    deployment = "release-whisper-operator"
    extensions: Any = client.ApiextensionsV1Api(api)
    # As an older version of the chart left it: a field is not there yet.
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/monitoring"
    extensions.patch_custom_resource_definition(CRD, [{"op": "remove", "path": path}])
    eventually(lambda: "monitoring" not in person.patch(monitoring={"dashboard": True})["spec"])
    helm("upgrade", "release", CHART, *place, "--set", "passesAtOnce=2,watchNamespaces={" + namespace + "}")
    container = person.apps.read_namespaced_deployment(deployment, namespace).spec.template.spec.containers[0]
    assert ("WHISPER_OPERATOR_PASSES_AT_ONCE", "2") in {(each.name, each.value) for each in container.env}
    eventually(lambda: person.patch(monitoring={"dashboard": True})["spec"].get("monitoring"))
    helm("uninstall", "release", *place, "--wait")
    assert not [each for each in person.deployments() if each.metadata.name == deployment]
    assert person.read()["spec"]["monitoring"]["dashboard"] is True


def test_the_readme_s_commands_install_it_and_the_quickstart_is_listed(
    shell: Callable[[str], str], person: Person, api: client.ApiClient
) -> None:
    # The definition is there already, for all tests: as if an earlier install of the same release had left it.
    release = {"meta.helm.sh/release-name": "whisper-operator", "meta.helm.sh/release-namespace": "whisper-operator"}
    metadata = {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": release}
    extensions: Any = client.ApiextensionsV1Api(api)
    extensions.patch_custom_resource_definition(CRD, {"metadata": metadata})
    shell(f"kubectl config set-context --current --namespace {person.namespace}")
    try:
        said = shell(find_commands(Path("README.md").read_text())["kubernetes"])
        assert "STATUS: deployed" in said
        header, row = said.splitlines()[-2:]
        assert header.split() == ["NAME", "MODEL", "READY", "POOLS", "CAPACITY", "USAGE", "AGE"]
        assert row.split()[:2] == ["demo", "demo"]
        explained = shell("kubectl explain wd.spec.pools.standby")
        assert "Run only while an earlier pool cannot meet its replicas" in explained
    finally:
        shell("kubectl delete wd demo --ignore-not-found; helm uninstall -n whisper-operator whisper-operator")
        shell("kubectl config set-context --current --namespace default")
