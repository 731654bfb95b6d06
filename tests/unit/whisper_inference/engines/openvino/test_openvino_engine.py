"""What the OpenVINO engine is when it has loaded, and when it cannot."""

import mmap
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from whisper_inference.engines.openvino import OpenVinoEngine, OpenVinoSettings
from whisper_inference.engines.openvino.loading import forget_pages
from whisper_inference.errors import DeviceUnavailable, UnsupportedField, UnsupportedPrecision
from whisper_inference.models.checkpoint import Checkpoint

SILENCE = np.zeros((80, 3000), np.float32)


@pytest.mark.parametrize("device", ["gpu", "npu"])
def test_a_device_that_is_not_there_is_named(random_checkpoint: Checkpoint, device: str) -> None:
    if device.upper() in {name.partition(".")[0] for name in ov.Core().available_devices}:
        pytest.skip("it is there")
    settings = OpenVinoSettings("npu" if device == "npu" else "gpu")
    with pytest.raises(DeviceUnavailable, match=rf"no {device.upper()} here \(it sees: CPU"):
        OpenVinoEngine(random_checkpoint, settings)


@pytest.mark.parametrize(("precision", "needs"), [("bf16", "BF16"), ("f16", "FP16")])
def test_a_precision_is_computed_in_or_refused(random_checkpoint: Checkpoint, precision: str, needs: str) -> None:
    settings = OpenVinoSettings(precision="bf16" if precision == "bf16" else "f16", threads=1)
    if needs in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        try:
            engine = OpenVinoEngine(random_checkpoint, settings)
        except UnsupportedPrecision as refusal:
            assert "computes in" in str(refusal)  # noqa: PT017 - either may happen, by processor
        else:
            assert engine.capabilities.precision == precision
    else:
        with pytest.raises(UnsupportedPrecision, match=f"no {precision} arithmetic"):
            OpenVinoEngine(random_checkpoint, settings)


def test_a_model_without_alignment_heads_says_so_and_refuses_to_align(random_checkpoint: Checkpoint) -> None:
    engine = OpenVinoEngine(replace(random_checkpoint, alignment_heads=()), OpenVinoSettings(threads=1))
    assert not engine.capabilities.word_timestamps
    window = engine.encode(SILENCE)
    with pytest.raises(UnsupportedField, match="no alignment heads"):
        engine.align(window, [1, 2])


def test_alignment_scores_come_in_the_order_of_the_heads(random_checkpoint: Checkpoint) -> None:
    def scores(heads: tuple[tuple[int, int], ...]) -> list[float]:
        settings = OpenVinoSettings(precision="f32", threads=1)
        engine = OpenVinoEngine(replace(random_checkpoint, alignment_heads=heads), settings)
        sums: list[float] = engine.align(engine.encode(SILENCE), [1, 2]).sum(axis=(1, 2)).tolist()
        return sums

    first, second, third = scores(((1, 1), (0, 1), (1, 0)))
    assert scores(((0, 1), (1, 0), (1, 1))) == [second, third, first]


def test_windows_beyond_the_rows_are_held_too(random_checkpoint: Checkpoint) -> None:
    engine = OpenVinoEngine(random_checkpoint, OpenVinoSettings(precision="f32", max_rows=2, threads=1))
    generator = np.random.default_rng(0)
    sounds = [generator.standard_normal((80, 3000), dtype=np.float32) for _ in range(5)]
    windows = [engine.encode(sound) for sound in sounds]
    for sound, window in zip(sounds, windows, strict=True):
        rows, logits = engine.start(window, [1, 2], 1, [1])
        engine.finish(rows)
        alone = engine.encode(sound)
        assert np.array_equal(engine.start(alone, [1, 2], 1, [1])[1], logits)
        engine.release(alone)


def test_a_compiled_model_s_cache_is_written_and_says_the_same(random_checkpoint: Checkpoint, tmp_path: Path) -> None:
    settings = OpenVinoSettings(precision="f32", cache_dir=tmp_path, threads=1)
    answers = []
    for _ in range(2):
        engine = OpenVinoEngine(random_checkpoint, settings)
        answers.append(engine.start(engine.encode(SILENCE), [1, 2], 1, [1])[1])
        assert list(tmp_path.rglob("*.blob"))
    assert np.array_equal(answers[0], answers[1])


def test_mapped_weights_leave_memory_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(np.arange(2**20, dtype=np.float32).tobytes())
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    weight = np.lib.stride_tricks.as_strided(np.frombuffer(mapped, np.float32), (1024, 1024), (4096, 4))
    total = weight.sum()
    assert resident(path) == 4096
    forget_pages([weight, np.zeros(3, np.float32)])
    assert resident(path) == 0
    assert weight.sum() == total


def resident(path: Path) -> int:
    """KiB of a mapped file that are in memory."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    found = 0
    for line in lines:
        if line.endswith(str(path)):
            found += next(int(more.split()[1]) for more in lines if more.startswith("Rss:"))
    return found
