"""Which engine is taken, in which order they are tried, and what is said of those that were passed over."""

from collections.abc import Callable

import pytest

from tests.support.scripted_engine import ScriptedEngine
from whisper_inference.engines.base import Device, Engine, EngineName
from whisper_inference.engines.factory import EngineChoice, Loader, load_engine
from whisper_inference.errors import DeviceUnavailable, UnsupportedPrecision
from whisper_inference.models.checkpoint import Checkpoint

Tries = list[tuple[Device, EngineName]]


def loader(name: EngineName, tries: Tries, problem: Callable[[Device], Exception | None]) -> Loader:
    def load(checkpoint: Checkpoint, device: Device, choice: EngineChoice) -> Engine:
        del checkpoint, choice
        tries.append((device, name))
        if failure := problem(device):
            raise failure
        return ScriptedEngine()

    return load


def loaders(
    tries: Tries, *, works: tuple[Device, EngineName] | None, failure: Exception | None = None
) -> dict[EngineName, Loader]:
    def problem_of(name: EngineName) -> Callable[[Device], Exception | None]:
        return lambda device: None if (device, name) == works else failure or DeviceUnavailable(f"No {device} here.")

    return {
        "openvino": loader("openvino", tries, problem_of("openvino")),
        "pytorch": loader("pytorch", tries, problem_of("pytorch")),
    }


def test_devices_are_tried_in_order_and_on_a_gpu_pytorch_first(demo_checkpoint: Checkpoint) -> None:
    tries: Tries = []
    loaded = load_engine(demo_checkpoint, EngineChoice(), loaders(tries, works=("cpu", "pytorch")))
    assert tries == [
        ("npu", "openvino"),
        ("gpu", "pytorch"),
        ("gpu", "openvino"),
        ("cpu", "openvino"),
        ("cpu", "pytorch"),
    ]
    assert [(attempt.device, attempt.engine) for attempt in loaded.attempts] == tries
    assert [attempt.problem for attempt in loaded.attempts][-2:] == ["No cpu here", None]


def test_the_first_that_works_is_taken_and_no_other_tried(demo_checkpoint: Checkpoint) -> None:
    tries: Tries = []
    load_engine(demo_checkpoint, EngineChoice(("cpu", "gpu")), loaders(tries, works=("cpu", "openvino")))
    assert tries == [("cpu", "openvino")]


def test_a_named_engine_is_the_only_one_tried(demo_checkpoint: Checkpoint) -> None:
    tries: Tries = []
    choice = EngineChoice(("gpu", "cpu"), engine="pytorch")
    load_engine(demo_checkpoint, choice, loaders(tries, works=("cpu", "pytorch")))
    assert tries == [("gpu", "pytorch"), ("cpu", "pytorch")]


def test_pytorch_is_tried_on_an_npu_only_if_it_is_named(demo_checkpoint: Checkpoint) -> None:
    tries: Tries = []
    with pytest.raises(DeviceUnavailable):
        load_engine(demo_checkpoint, EngineChoice(("npu",), engine="pytorch"), loaders(tries, works=None))
    assert tries == [("npu", "pytorch")]


def test_a_precision_that_nothing_here_has_is_said_to_be_the_reason(demo_checkpoint: Checkpoint) -> None:
    refused = loaders([], works=None, failure=UnsupportedPrecision("No bf16 here."))
    with pytest.raises(UnsupportedPrecision, match="cannot be run in bf16"):
        load_engine(demo_checkpoint, EngineChoice(("cpu",), precision="bf16"), refused)


def test_a_single_device_that_does_not_work_is_refused_with_every_reason(demo_checkpoint: Checkpoint) -> None:
    tries: Tries = []
    with pytest.raises(DeviceUnavailable) as refusal:
        load_engine(demo_checkpoint, EngineChoice(("gpu",)), loaders(tries, works=None))
    assert "gpu with pytorch: No gpu here; gpu with openvino: No gpu here" in str(refusal.value)
    assert {device for device, _ in tries} == {"gpu"}


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (ImportError("No module named 'torch'", name="torch"), "torch is not installed"),
        (RuntimeError("Exception from src/plugin.cpp:40:\nlong story"), "Exception from src/plugin.cpp:40:"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_failure_becomes_one_sentence(demo_checkpoint: Checkpoint, failure: Exception, sentence: str) -> None:
    loaded = load_engine(
        demo_checkpoint, EngineChoice(("cpu",)), loaders([], works=("cpu", "pytorch"), failure=failure)
    )
    assert loaded.attempts[0].problem == sentence


def test_a_defect_of_ours_is_not_mistaken_for_a_missing_device(demo_checkpoint: Checkpoint) -> None:
    with pytest.raises(TypeError):
        load_engine(demo_checkpoint, EngineChoice(), loaders([], works=None, failure=TypeError("a defect")))
