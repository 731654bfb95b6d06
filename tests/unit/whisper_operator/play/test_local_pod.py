"""A pod's template on this machine: the same words, other places."""

from pathlib import Path

from tests.support.resources import CPU, DEFAULTS, START, resource
from whisper_operator.children.names import Manifest
from whisper_operator.play.local_pod import LocalPod, Machine, local_pod
from whisper_operator.render import render_children

MACHINE = Machine(Path("/here/cache"), Path("/here/keys"), {"/models/demo": Path("/here/demo")})


def translated(**model: object) -> LocalPod:
    """The pod of a resource with some model."""
    owner = resource(pools=[CPU], model=model)
    children = render_children(owner, DEFAULTS, START)
    deployment: Manifest = next(child for child in children if child["kind"] == "Deployment")
    return local_pod(deployment, MACHINE, (1234, 5678))


def test_paths_of_the_pod_become_this_machine_s_and_it_listens_on_loopback() -> None:
    pod = translated(name="demo", source={"path": "/models/demo"})
    assert pod.arguments == ("serve",)
    assert pod.preparations == ()
    wanted = {
        "WHISPER_MODEL": "/here/demo",
        "WHISPER_CACHE_DIR": "/here/cache",
        "WHISPER_API_KEY_FILE": "/here/keys/API_KEY",
        "WHISPER_HOST": "127.0.0.1",
        "WHISPER_MANAGEMENT_HOST": "127.0.0.1",
        "WHISPER_PORT": "1234",
        "WHISPER_MANAGEMENT_PORT": "5678",
        "WHISPER_DEVICE": "cpu",
    }
    assert wanted.items() <= pod.environment.items()


def test_there_is_no_redis_and_no_other_pod() -> None:
    owner = resource(pools=[CPU], redis={"secretName": "theirs"})
    deployment = next(child for child in render_children(owner, DEFAULTS, START) if child["kind"] == "Deployment")
    environment = local_pod(deployment, MACHINE, (1234, 5678)).environment
    assert not environment.keys() & {"WHISPER_REDIS_URL_FILE", "WHISPER_ADVERTISED_HOST"}


def test_a_model_of_a_hub_is_fetched_first() -> None:
    pod = translated(name="openai/whisper-base", source={"huggingFace": {"revision": "abc"}})
    assert pod.preparations == (("fetch-model", "openai/whisper-base", "--revision", "abc"),)
    assert pod.environment["WHISPER_REVISION"] == "abc"


def test_only_whole_folders_are_translated() -> None:
    pod = translated(name="demo", source={"path": "/models/demonstration"})
    assert pod.environment["WHISPER_MODEL"] == "/models/demonstration"
