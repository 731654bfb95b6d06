"""skaffold builds and installs what the README's commands do, which the end to end tests run."""

import argparse
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from scripts.readme_commands import find_commands
from tests.support.site import CLIENT_IMAGE, REDIS_IMAGE
from tests.support.sites import README_PREFIX, build_images

README: Final = find_commands(Path("README.md").read_text())
SKAFFOLD: Final[dict[str, Any]] = yaml.safe_load(Path("skaffold.yaml").read_text())
CHART: Final = Path("helm/whisper-operator")
VALUES: Final[dict[str, Any]] = yaml.safe_load((CHART / "values.yaml").read_text())
VERSION: Final = str(yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"])
IMAGES: Final = {"image": "", "inference.openvino": "-openvino", "inference.pytorch": "-pytorch"}
"""Values that name an image, and what their tag ends with by default."""


class Build(NamedTuple):
    """What an image is built from."""

    dockerfile: str
    target: str | None
    arguments: tuple[tuple[str, str], ...]
    context: str


class Recorder:
    """Builds nothing, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []

    def build(self, arguments: Sequence[str]) -> None:
        """Keep it."""
        self.asked.append(arguments)

    def archive(self, image: str) -> Path:
        """Nothing was built."""
        raise NotImplementedError(image)


def with_profile(name: str | None) -> dict[str, Any]:
    """skaffold.yaml as a profile changes it."""
    whole: dict[str, Any] = yaml.safe_load(Path("skaffold.yaml").read_text())
    profiles = {each["name"]: each["patches"] for each in whole.pop("profiles")}
    for patch in profiles[name] if name else ():
        assert patch["op"] == "add"
        *parents, last = patch["path"].strip("/").split("/")
        place: Any = whole
        for key in parents:
            place = place[int(key) if isinstance(place, list) else key]
        if isinstance(place, list):
            assert last == "-"
            place.append(patch["value"])
        else:
            place[last] = patch["value"]
    return whole


def release_of(skaffold: dict[str, Any]) -> dict[str, Any]:
    """The only release."""
    (release,) = skaffold["deploy"]["helm"]["releases"]
    found: dict[str, Any] = release
    return found


def built_by_skaffold(skaffold: dict[str, Any]) -> dict[str, Build]:
    """What each image of the chart's values is built from, by the value that is set to it."""
    builds = {each["image"]: as_build(each) for each in skaffold["build"]["artifacts"]}
    set_to = dict(release_of(skaffold)["setValueTemplates"])
    found: dict[str, Build] = {}
    for value in IMAGES:
        repository, tag = (set_to.pop(f"{value}.{part}", None) for part in ("repository", "tag"))
        if repository is None and tag is None:
            continue
        name = next(name for name in builds if repository == f"{{{{.IMAGE_REPO_{name.replace('-', '_')}}}}}")
        assert tag == repository.replace("REPO", "TAG")
        found[value] = builds.pop(name)
    assert not builds, "nothing is built that is not installed"
    assert not set_to, "no other value is set: the chart is installed as the README does"
    return found


def as_build(artifact: dict[str, Any]) -> Build:
    """What skaffold builds an image from; a key that this does not know would go unseen."""
    docker = artifact["docker"]
    assert artifact.keys() <= {"image", "context", "docker"}
    assert docker.keys() <= {"dockerfile", "target", "buildArgs"}
    arguments = tuple(sorted(docker.get("buildArgs", {}).items()))
    return Build(docker["dockerfile"], docker.get("target"), arguments, artifact.get("context", "."))


def built_by(commands: Sequence[Sequence[str]], prefix: str) -> dict[str, Build]:
    """What commands like `docker build` build, by the value of the chart whose default is the image's name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", dest="dockerfile")
    parser.add_argument("-t", dest="name")
    parser.add_argument("--target")
    parser.add_argument("--build-arg", action="append", default=[])
    parser.add_argument("context")
    names = {default_image(value): value for value in IMAGES}
    found: dict[str, Build] = {}
    for command in commands:
        options = parser.parse_args(command)
        arguments = tuple(sorted(tuple(each.split("=", 1)) for each in options.build_arg))
        build = Build(options.dockerfile, options.target, arguments, options.context)
        found[names[options.name.removeprefix(prefix)]] = build
    return found


def default_image(value: str) -> str:
    """The image that the chart takes unless its values say otherwise."""
    image = look_up(value)
    return f"{image['repository']}:{image['tag'] or VERSION + IMAGES[value]}"


def look_up(path: str) -> dict[str, Any]:
    """A value of the chart."""
    found: Any = VALUES
    for key in path.split("."):
        found = found[key]
    value: dict[str, Any] = found
    return value


def built_by_the_e2e() -> dict[str, Build]:
    """What the end to end tests build of the product, from the README's commands."""
    recorder = Recorder()
    build_images(recorder, README["images"], README_PREFIX)
    own = {README_PREFIX + CLIENT_IMAGE, README_PREFIX + REDIS_IMAGE}
    return built_by([command for command in recorder.asked if not own & set(command)], README_PREFIX)


def documented_in(dockerfile: str) -> Iterator[list[str]]:
    """The commands that a Dockerfile's own comment gives."""
    for line in re.findall(r"docker build ([^\n]+ \.)$", Path(dockerfile).read_text(), re.MULTILINE):
        yield shlex.split(line)


def test_skaffold_builds_what_the_end_to_end_tests_build() -> None:
    assert built_by_skaffold(with_profile(None)) == built_by_the_e2e()


def test_the_nvidia_profile_builds_the_server_for_it_too() -> None:
    commands = [command for command in documented_in("inference/Dockerfile") if "pytorch" in command]
    assert built_by_skaffold(with_profile("nvidia")) == built_by_the_e2e() | built_by(commands, "")
    assert [each["name"] for each in SKAFFOLD["profiles"]] == ["nvidia"]


def test_dockerfiles_say_how_they_are_built_as_the_readme_does() -> None:
    said = [command for name in ("operator", "inference") for command in documented_in(f"{name}/Dockerfile")]
    built = built_by_the_e2e()
    assert built.items() <= built_by([command for command in said if "openvino-drivers" not in command], "").items()


@pytest.mark.parametrize("profile", [None, "nvidia"])
def test_skaffold_installs_as_the_readme_does(profile: str | None) -> None:
    release = release_of(with_profile(profile))
    (helm,) = (line for line in README["kubernetes"].replace("\\\n", "").splitlines() if line.startswith("helm "))
    _, _, name, chart, *options = shlex.split(helm)
    assert (release["name"], release["chartPath"], release["namespace"]) == (name, chart, options[1])
    # The prefix is the reader's registry; skaffold's repositories have theirs.
    assert options == [
        "--namespace",
        release["namespace"],
        *(["--create-namespace"] if release["createNamespace"] else []),
        "--set",
        f"imagePrefix={README_PREFIX}",
    ]
    assert release.keys() == {"name", "chartPath", "namespace", "createNamespace", "setValueTemplates"}
    assert VALUES["imagePrefix"] == ""


def test_targets_of_skaffold_are_in_its_dockerfiles() -> None:
    for build in built_by_skaffold(with_profile("nvidia")).values():
        assert build.target is None or f" AS {build.target}\n" in Path(build.dockerfile).read_text()


def test_skaffold_keeps_its_images_on_this_machine() -> None:
    assert SKAFFOLD["build"]["local"] == {"push": False}
