"""`whisper-operator render` and `crd`, as a person types them."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from whisper_operator.api.crd import build_crd
from whisper_operator.cli import build_program

QUICKSTART = Path("examples/quickstart.yaml")


def test_render_prints_manifests_that_a_client_can_apply() -> None:
    result = CliRunner().invoke(build_program(), ["render", "-f", str(QUICKSTART)])
    assert result.exit_code == 0
    kinds = [document["kind"] for document in yaml.safe_load_all(result.stdout)]
    assert kinds == ["ServiceAccount", "Service", "Service", "Service", "NetworkPolicy", "Deployment"]
    assert "ownerReferences" not in result.stdout


def test_render_reads_standard_input_and_passes_over_empty_documents() -> None:
    text = f"---\n---\n{QUICKSTART.read_text()}"
    result = CliRunner().invoke(build_program(), ["render", "-f", "-"], input=text)
    assert result.exit_code == 0
    assert "kind: Deployment" in result.stdout


def test_a_field_that_is_wrong_is_named() -> None:
    text = QUICKSTART.read_text().replace("model:", "modle: {}\n  model:")
    result = CliRunner().invoke(build_program(), ["render", "-f", "-"], input=text)
    assert result.exit_code == 1
    assert "spec.modle" in result.stderr


@pytest.mark.parametrize("text", ["kind: Pod", "[]", "just words"])
def test_another_kind_is_refused(text: str) -> None:
    result = CliRunner().invoke(build_program(), ["render", "-f", "-"], input=text)
    assert result.exit_code == 2
    assert "WhisperDeployment" in result.stderr


def test_crd_prints_the_definition() -> None:
    result = CliRunner().invoke(build_program(), ["crd"])
    assert yaml.safe_load(result.stdout) == build_crd()
