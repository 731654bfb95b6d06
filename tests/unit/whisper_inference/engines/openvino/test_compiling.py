"""The cache of compiled models: one folder for each thing that changes them, and never a reason not to start."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset15 as ops

from whisper_inference.engines.openvino.compiling import Compiler, cache_folder, plugin_of


def doubling() -> ov.Model:
    value = ops.parameter([2], np.float32)
    return ov.Model([ops.multiply(value, ops.constant(np.float32(2)))], [value])


def doubles(compiled: ov.CompiledModel) -> bool:
    return bool((compiled([np.array([1, 3], np.float32)])[0] == [2, 6]).all())


def test_the_npu_s_graphs_may_be_sent_elsewhere_and_no_others() -> None:
    assert [plugin_of(device, "CPU") for device in ("npu", "gpu")] == ["CPU", "GPU"]
    assert plugin_of("npu", None) == "NPU"


def test_a_folder_is_named_by_model_precision_versions_and_device(tmp_path: Path) -> None:
    core = ov.Core()
    folders = {
        cache_folder(tmp_path, fingerprint, precision, core, "CPU")
        for fingerprint in ("a" * 64, "b" * 64)
        for precision in ("f32", "int8")
    }
    assert len(folders) == 4
    for folder in folders:
        model, precision, versions, device = folder.relative_to(tmp_path / "openvino").parts
        assert (len(model), precision in {"f32", "int8"}) == (32, True)
        assert device.startswith("CPU-")
        assert not set("/ \\:") & set(versions + device)


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_a_corrupted_cache_still_starts(tmp_path: Path, content: bytes) -> None:
    compiler = Compiler(ov.Core(), "CPU", ov.Type.f32, 1, tmp_path / "cache")
    assert doubles(compiler.compile(doubling()))
    blobs = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert blobs
    for blob in blobs:
        blob.write_bytes(content)
    assert doubles(Compiler(ov.Core(), "CPU", ov.Type.f32, 1, tmp_path / "cache").compile(doubling()))


def test_a_cache_that_cannot_be_written_still_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert doubles(Compiler(ov.Core(), "CPU", ov.Type.f32, 1, tmp_path / "file").compile(doubling()))
