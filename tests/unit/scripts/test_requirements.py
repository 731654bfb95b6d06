"""What an image's layer of dependencies holds."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest

from scripts.requirements import main, requirements

PYPROJECT = Path("pyproject.toml").read_text(encoding="utf-8")


def test_each_extra_s_requirements_come_after_those_of_all() -> None:
    both = requirements(PYPROJECT, ["inference", "pytorch"])
    assert both == requirements(PYPROJECT, ["inference"]) + requirements(PYPROJECT, ["pytorch"])[1:]
    assert both[0].startswith("pydantic>=")
    assert any(each.startswith("openvino>=") for each in both)


def test_they_are_what_pip_would_install_for_the_extra() -> None:
    listed = {re.split(r"[^\w-]", each)[0] for each in requirements(PYPROJECT, ["operator"])}
    told = [
        each
        for each in requires("whisper-operator") or ()
        if "extra ==" not in each or '"operator"' in each.replace("'", '"')
    ]
    assert listed == {re.split(r"[^\w-]", each)[0] for each in told}


def test_an_extra_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="no extra named gpu; there are inference, "):
        main(["gpu"])
    main(["operator"])
    assert "kopf>=" in capsys.readouterr().out
