"""No module of ours keeps state: what is shared is made by `create_app` and `main`, anew for each server."""

import importlib
import inspect
import pkgutil
from types import MappingProxyType
from typing import Final

import pytest

import whisper_contract
import whisper_inference
import whisper_operator
from tests.support.module_state import find_state

MODULES: Final = tuple(
    found.name
    for package in (whisper_contract, whisper_inference, whisper_operator)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not found.name.endswith("__main__")
)

KNOWN: Final = MappingProxyType(
    {
        "whisper_inference.audio.ceiling.limit_allocations": "sets a limit of the process, once",
        "whisper_inference.audio.features.mel_filters": "a table that is computed once, and never written into",
        "whisper_inference.audio.features._window": "the same",
        "whisper_inference.security.shared_windows.SharedWindows.STORAGE_SCHEME": "the library's declaration",
        "whisper_operator.pod_client._TIMEOUT": "two numbers; the library copies it for each request",
    }
)
"""What is shared all the same, by module and name, and why that is harmless."""


@pytest.mark.parametrize("name", MODULES)
def test_a_module_keeps_no_state(name: str) -> None:
    module = importlib.import_module(name)
    found = find_state(inspect.getsource(module), vars(module))
    assert [problem for problem in found if f"{name}.{problem.split(':')[0]}" not in KNOWN] == []


def test_every_exception_is_still_needed() -> None:
    for known in KNOWN:
        name = next(each for each in sorted(MODULES, key=len, reverse=True) if known.startswith(f"{each}."))
        module = importlib.import_module(name)
        found = find_state(inspect.getsource(module), vars(module))
        assert known.removeprefix(f"{name}.") in [problem.split(":")[0] for problem in found]
