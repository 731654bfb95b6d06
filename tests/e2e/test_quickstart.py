"""The README's way onto a cluster: images, chart, `kubectl apply`, and the right text through the Service."""

import json
from typing import Final

import pytest

from tests.support.checkpoints import Clip
from tests.support.site import Site
from tests.support.stages import Stages

pytestmark = pytest.mark.e2e

CLIP: Final = "unseen_0.wav"


def test_openai_s_client_hears_the_right_text_through_the_service(
    quickstart: Site, stages: Stages, clips: dict[str, Clip]
) -> None:
    url = f"http://demo.{quickstart.namespace}.svc"
    with stages.stage("openai in a pod, through the Service") as seen:
        said = quickstart.ask("/client/ask_with_openai.py", url, f"/audio/{CLIP}", secret=quickstart.key_of("demo"))
        assert json.loads(said) == {CLIP: clips[CLIP].text}
        seen.append(said.strip())


def test_the_readme_s_commands_hear_it_from_outside(
    quickstart: Site, stages: Stages, readme: dict[str, str], clips: dict[str, Clip]
) -> None:
    with stages.stage("kubectl port-forward and curl") as seen:
        said = quickstart.shell(readme["ask"])
        assert clips[CLIP].text in said
        seen.append(said.strip().splitlines()[-1])


def test_helm_s_own_test_passes(quickstart: Site, stages: Stages) -> None:
    with stages.stage("helm test"):
        assert "Phase:          Succeeded" in quickstart.shell("helm test -n whisper-operator whisper-operator")
