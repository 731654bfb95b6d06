"""What the Dockerfiles and the pods must agree on."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.support.resources import DEFAULTS, resource
from whisper_operator.children.pod import build_pod_spec

OPERATOR: Final = Path("operator/Dockerfile")
SERVER: Final = Path("inference/Dockerfile")


@pytest.mark.parametrize("dockerfile", [OPERATOR, SERVER], ids=str)
def test_images_run_as_the_user_that_the_pods_name(dockerfile: Path) -> None:
    owner = resource()
    user = build_pod_spec(owner, owner.spec.pools[0], DEFAULTS)["securityContext"]["runAsUser"]
    stages = re.split(r"^FROM ", dockerfile.read_text(), flags=re.MULTILINE)[1:]
    final = [stage for stage in stages if "COPY --from=build" in stage]
    assert final
    assert all(f"USER {user}:{user}" in stage for stage in final)


@pytest.mark.parametrize("dockerfile", [OPERATOR, SERVER], ids=str)
def test_what_is_copied_is_there_and_not_ignored(dockerfile: Path) -> None:
    kept = [line[1:] for line in Path(".dockerignore").read_text().splitlines() if line.startswith("!")]
    for copied in re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile.read_text(), re.MULTILINE):
        for source in copied.split():
            assert Path(source).exists()
            assert any(source == folder or source.startswith(f"{folder}/") for folder in kept)


def test_the_quickstart_s_model_is_in_the_image() -> None:
    path = yaml.safe_load(Path("examples/quickstart.yaml").read_text())["spec"]["model"]["source"]["path"]
    assert f"COPY examples/models/demo {path}\n" in SERVER.read_text()


@pytest.mark.parametrize("dockerfile", [OPERATOR, SERVER], ids=str)
def test_images_are_labelled_with_the_version_of_the_project(dockerfile: Path) -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', dockerfile.read_text()))
    assert labels.keys() == {"title", "description", "version", "licenses"}
    assert (labels["version"], labels["licenses"]) == (project["version"], project["license"])


@pytest.mark.parametrize("dockerfile", [OPERATOR, SERVER], ids=str)
def test_pip_is_no_part_of_what_is_run(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert "venv --without-pip /opt/whisper" in text
    assert not re.search(r"COPY --from=\S+ /opt/pip", text)
