"""A safetensors file is read in place, and only if every byte of it belongs where its header says."""

import contextlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save
from safetensors.torch import save_file

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.safetensors_file import open_safetensors
from whisper_inference.models.tensors import read_tensor


def write(path: Path, header: object, body: bytes = b"") -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def entry(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 (a header's values)
    return {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]} | changes


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.bfloat16, torch.float64])
def test_the_numbers_are_those_that_were_written(dtype: torch.dtype, tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 5).to(dtype), "b": torch.randn(2, 2, 2).to(dtype), "c": torch.randn(()).to(dtype)}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    file = open_safetensors(tmp_path / "model.safetensors")
    assert file.views.keys() == tensors.keys()
    for name, tensor in tensors.items():
        read = read_tensor(file.data, file.views[name])
        assert read.shape == tuple(tensor.shape)
        assert np.array_equal(read, tensor.float().numpy())


def test_an_unaligned_file_is_read(tmp_path: Path) -> None:
    body = np.arange(4, dtype=np.float16).tobytes()
    file = open_safetensors(write(tmp_path / "odd.safetensors", {"a": entry(), "__metadata__": {"odd": "x" * 2}}, body))
    weight = read_tensor(file.data, file.views["a"])
    assert weight.flags.aligned
    assert weight.tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ([], "not a JSON object"),
        ({"a": 1}, "its header is malformed at 'a'"),
        ({"a": entry(dtype="I64")}, "a is of type I64; F16, BF16, F32, F64 can be read"),
        ({"a": entry(dtype="F8_E4M3")}, "is of type F8_E4M3"),
        ({"a": entry(shape=[2, 3])}, "a shape that does not fit its bytes"),
        ({"a": entry(shape=[-2, -2])}, "a shape that does not fit its bytes"),
        ({"a": entry(shape=["2", 2])}, "a shape that does not fit its bytes"),
        ({"a": entry(data_offsets=[8, 0])}, "a shape that does not fit its bytes"),
        ({"a": entry(data_offsets=[-8, 0])}, "a shape that does not fit its bytes"),
        ({"a": entry(data_offsets=[0])}, "its header is malformed"),
        ({"a": entry(), "b": entry()}, "its tensors overlap or leave a gap"),
        ({"a": entry(data_offsets=[2, 10])}, "its tensors overlap or leave a gap"),
        ({"a": entry(), "b": entry(data_offsets=[8, 16])}, "truncated: .* its header describes"),
        ({}, "malformed: .* its header describes"),
        ({"a": entry(shape=[2**31, 2**31], data_offsets=[0, 2**63])}, "truncated"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(header: object, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path / "model.safetensors", header, bytes(8))
    with pytest.raises(InvalidCheckpoint, match=problem) as refusal:
        open_safetensors(path)
    assert refusal.value.path == path


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"\x08\x00", "truncated: it ends within its header"),
        (struct.pack("<Q", 2**63) + b"{}", "its header claims 9223372036854775808 bytes"),
        (struct.pack("<Q", 10**6) + b"{}", "truncated: 10 bytes of at least 1000008"),
        (struct.pack("<Q", 2) + b"{]", "not JSON"),
    ],
)
def test_a_beginning_that_is_none_is_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=problem):
        open_safetensors(path)


GOOD = save({"a": np.arange(6, dtype=np.float16), "b": np.ones((2, 2), dtype=np.float32)})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(length=st.integers(0, len(GOOD) - 1))
def test_a_truncated_file_is_refused(length: int, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(GOOD[:length])
    with pytest.raises(InvalidCheckpoint):
        open_safetensors(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(changes=st.dictionaries(st.integers(0, len(GOOD) - 1), st.integers(0, 255), min_size=1, max_size=6))
def test_a_mutated_file_is_read_within_its_bounds_or_refused(changes: dict[int, int], tmp_path: Path) -> None:
    mutated = bytearray(GOOD)
    for position, value in changes.items():
        mutated[position] = value
    path = tmp_path / "model.safetensors"
    path.write_bytes(mutated)
    with contextlib.suppress(InvalidCheckpoint):  # every other error fails the test
        file = open_safetensors(path)
        for view in file.views.values():
            read_tensor(file.data, view)
