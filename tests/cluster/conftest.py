"""A real API server for the tests of this folder, one for the session, and a namespace for each test."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from tests.support.control_plane import ControlPlane
from tests.support.kubernetes_programs import NoControlPlane, find_programs
from whisper_operator.api.crd import build_crd


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd, the API server, its controllers and the scheduler."""
    try:
        programs = find_programs()
    except NoControlPlane as problem:
        pytest.skip(f"no control plane: {problem}")
    plane = ControlPlane(programs, tmp_path_factory.mktemp("control-plane"))
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
    """The definition of our resource, established."""
    definition = yaml.safe_load(yaml.safe_dump(build_crd()))
    extensions: Any = client.ApiextensionsV1Api(api)
    extensions.create_custom_resource_definition(definition)
    for _ in range(200):
        status = extensions.read_custom_resource_definition(definition["metadata"]["name"]).status
        if any(condition.type == "Established" and condition.status == "True" for condition in status.conditions or ()):
            return
    pytest.fail("the definition was not established")


@pytest.fixture
def namespace(api: client.ApiClient, crd: None) -> str:
    """A namespace of the test's own, with the strictest admission; it goes with the control plane."""
    del crd
    name = f"test-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    core: Any = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": name, "labels": labels}})
    return name
