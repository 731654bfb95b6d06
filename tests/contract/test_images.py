"""What the Dockerfiles, the pods and skaffold must agree on."""

import re
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


def test_skaffold_builds_targets_that_there_are_and_installs_the_chart() -> None:
    skaffold = yaml.safe_load(Path("skaffold.yaml").read_text())
    for artifact in skaffold["build"]["artifacts"]:
        docker = artifact["docker"]
        assert f"AS {docker.get('target', 'build')}\n" in Path(docker["dockerfile"]).read_text()
    (release,) = skaffold["deploy"]["helm"]["releases"]
    values = yaml.safe_load(Path(release["chartPath"], "values.yaml").read_text())
    for name in release["setValueTemplates"]:
        found = values
        for key in name.split("."):
            found = found[key]
