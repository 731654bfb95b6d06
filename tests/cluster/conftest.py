"""A real API server for the tests of this folder, one for the session, and a namespace for each test."""

import json
import os
import shlex
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config, dynamic

from tests.support.control_plane import ControlPlane, Setting
from tests.support.definitions import define, upgrade
from tests.support.kubernetes_programs import (
    CONTROL_PLANE,
    FOREIGN,
    HELM,
    NoControlPlane,
    find_programs,
    foreign_definitions,
)
from tests.support.patience import eventually
from tests.support.person import Person
from whisper_operator.api.crd import build_crd
from whisper_operator.children.names import Manifest


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd, the API server, its controllers and the scheduler."""
    if request.config.getoption("--cluster") == "existing":
        pytest.skip("needs a control plane of its own, to stop it or to read its audit log")
    try:
        programs = find_programs(CONTROL_PLANE)
    except NoControlPlane as problem:
        pytest.skip(f"no control plane: {problem}")
    patience = {"node-monitor-grace-period": "1h"}  # the nodes of tests have no kubelet
    plane = ControlPlane(programs, tmp_path_factory.mktemp("control-plane"), Setting(controllers=patience))
    yield plane
    plane.close()


@pytest.fixture(scope="session")
def kubeconfig(request: pytest.FixtureRequest) -> Path:
    """An administrator's, of our own control plane, or with `--cluster=existing` that in KUBECONFIG."""
    if request.config.getoption("--cluster") == "existing":
        return Path(os.environ["KUBECONFIG"])
    plane: ControlPlane = request.getfixturevalue("control_plane")
    return plane.kubeconfig


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Iterator[client.ApiClient]:
    """A client with it."""
    configuration = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=configuration)
    with client.ApiClient(configuration) as api_client:
        yield api_client


@pytest.fixture(scope="session")
def crd(api: client.ApiClient) -> None:
    """The definition of our resource; where there is another version of it, it is upgraded."""
    definition = yaml.safe_load(yaml.safe_dump(build_crd()))
    if not define(api, definition):
        upgrade(api, definition)


@pytest.fixture(scope="module")
def foreign_kinds(api: client.ApiClient) -> Iterator[None]:
    """The kinds of others that a resource may have children of: in the cluster while the module's tests run."""
    try:
        definitions = foreign_definitions(*FOREIGN)
    except NoControlPlane as problem:
        pytest.skip(f"no definitions: {problem}")
    names = {definition["metadata"]["name"] for definition in definitions if define(api, definition)}
    yield
    extensions: Any = client.ApiextensionsV1Api(api)
    for name in names:
        extensions.delete_custom_resource_definition(name)
    left = extensions.list_custom_resource_definition
    eventually(lambda: {each.metadata.name for each in left().items}, lambda found: not found & names)


@pytest.fixture(scope="session")
def shell(kubeconfig: Path) -> Callable[[str], str]:
    """Runs what a person types who has helm and kubectl; returns what is printed."""
    try:
        programs = {**find_programs(HELM), **find_programs(CONTROL_PLANE)}
    except NoControlPlane as problem:
        pytest.skip(f"no helm or kubectl: {problem}")
    folders = {str(programs[name].parent) for name in ("helm", "kubectl")}
    path = os.pathsep.join([*folders, os.environ["PATH"]])

    def run(line: str) -> str:
        environment = os.environ | {"KUBECONFIG": str(kubeconfig), "PATH": path}
        command = ["bash", "-euo", "pipefail", "-c", line]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    return run


@pytest.fixture(scope="session")
def helm(shell: Callable[[str], str]) -> Callable[..., str]:
    """Runs helm; returns what it prints."""
    return lambda *arguments: shell(shlex.join(["helm", *arguments]))


@pytest.fixture
def server_side_apply(api: client.ApiClient) -> Callable[[Manifest], None]:
    """Applies a manifest as strictly as the API server can, and leaves nothing."""

    def apply(manifest: Manifest) -> None:
        metadata = manifest["metadata"]
        found = dynamic.DynamicClient(api).resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        path = found.path(metadata["name"], metadata.get("namespace"))
        query = [("fieldManager", "test"), ("dryRun", "All"), ("fieldValidation", "Strict")]
        headers = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}
        request = api.param_serialize(
            "PATCH",
            path,
            query_params=query,
            header_params=headers,
            body=json.dumps(manifest),
            auth_settings=["BearerToken"],
        )
        answer = api.call_api(*request)
        said = answer.read()
        assert answer.status < 300, f"{manifest['kind']} {metadata['name']}: {json.loads(said)['message']}"

    return apply


@pytest.fixture
def namespace(request: pytest.FixtureRequest, api: client.ApiClient, crd: None) -> Iterator[str]:
    """A namespace of the test's own, with the strictest admission; our own control plane takes it along at its end."""
    del crd
    name = f"test-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    core: Any = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": name, "labels": labels}})
    yield name
    if request.config.getoption("--cluster") == "existing":
        core.delete_namespace(name)


@pytest.fixture
def person(api: client.ApiClient, namespace: str) -> Person:
    """Someone at the keyboard."""
    return Person(api, namespace)
