"""A `.pt` file gives torch's own numbers without torch, and a damaged or hostile one a typed error."""

import contextlib
import io
import os
import tarfile
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from tests.support.small_checkpoints import ENGLISH, LARGE_V3, MULTILINGUAL, TURBO, openai_object, random_weights
from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.openai_checkpoint import load_openai_checkpoint

CONTAINERS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
WEIGHT = "encoder.blocks.0.mlp.0.weight"


@cache
def saved(*, zipped: bool = True) -> bytes:
    """Return the bytes of a good file."""
    stream = io.BytesIO()
    torch.save(openai_object(MULTILINGUAL), stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def write(path: Path, content: dict[str, Any], *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@CONTAINERS
@pytest.mark.parametrize("dimensions", [MULTILINGUAL, LARGE_V3, TURBO, ENGLISH], ids=["99", "v3", "turbo", "english"])
def test_every_shape_of_whisper_is_read(zipped: bool, dimensions: ModelDimensions, tmp_path: Path) -> None:  # noqa: FBT001 (a parameter of the test)
    content = openai_object(dimensions)
    loaded = load_openai_checkpoint(write(tmp_path / "model.pt", content, zipped=zipped))
    assert loaded.dimensions == dimensions
    assert loaded.weights.keys() == content["model_state_dict"].keys()
    for name, tensor in content["model_state_dict"].items():
        assert np.array_equal(loaded.weights[name], tensor.numpy()), name


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (torch.float16, np.float16),
        (torch.float32, np.float32),
        (torch.bfloat16, np.float32),
        (torch.float64, np.float32),
    ],
)
def test_every_type_of_number_is_read(dtype: torch.dtype, kept: type, tmp_path: Path) -> None:
    content = openai_object(MULTILINGUAL, dtype)
    loaded = load_openai_checkpoint(write(tmp_path / "model.pt", content))
    for name, tensor in content["model_state_dict"].items():
        assert loaded.weights[name].dtype == kept
        assert np.array_equal(loaded.weights[name], tensor.float().numpy()), name


def test_transposed_and_shared_tensors_are_read(tmp_path: Path) -> None:
    content = openai_object(MULTILINGUAL)
    tensors = content["model_state_dict"]
    tensors[WEIGHT] = tensors[WEIGHT].T.contiguous().T
    joined = torch.arange(8, dtype=torch.float16)
    tensors["decoder.ln.weight"], tensors["decoder.ln.bias"] = joined[:4], joined[4:]
    tensors["encoder.ln_post.weight"] = joined[::2]
    loaded = load_openai_checkpoint(write(tmp_path / "model.pt", content))
    for name in (WEIGHT, "decoder.ln.weight", "decoder.ln.bias", "encoder.ln_post.weight"):
        assert np.array_equal(loaded.weights[name], tensors[name].numpy()), name
        assert loaded.weights[name].flags.c_contiguous


def test_parameters_and_the_module_s_own_state_are_read(tmp_path: Path) -> None:
    content = openai_object(MULTILINGUAL)
    content["model_state_dict"][WEIGHT] = torch.nn.Parameter(content["model_state_dict"][WEIGHT])
    loaded = load_openai_checkpoint(write(tmp_path / "model.pt", content))
    assert np.array_equal(loaded.weights[WEIGHT], content["model_state_dict"][WEIGHT].detach().numpy())


def test_weights_are_read_where_they_are(tmp_path: Path) -> None:
    loaded = load_openai_checkpoint(write(tmp_path / "model.pt", openai_object(MULTILINGUAL)))
    assert not any(weight.flags.owndata for weight in loaded.weights.values())


class Gadget:
    """Pickles itself as a shell command."""

    def __init__(self, command: str) -> None:
        self.command = command

    @override
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


@CONTAINERS
@pytest.mark.parametrize("place", ["dims", "extra", "model_state_dict"])
def test_a_command_in_a_checkpoint_is_not_run(zipped: bool, place: str, tmp_path: Path) -> None:  # noqa: FBT001 (a parameter of the test)
    witness = tmp_path / "executed"
    content = openai_object(MULTILINGUAL) | {place: Gadget(f"touch {witness}")}
    path = write(tmp_path / "model.pt", content, zipped=zipped)
    with pytest.raises(
        InvalidCheckpoint, match=r"model\.pt: refused: it names '(posix|nt)\.system', which is not allowed"
    ):
        load_openai_checkpoint(path)
    assert not witness.exists()


@CONTAINERS
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_a_truncated_file_is_refused(zipped: bool, tmp_path: Path, data: st.DataObject) -> None:  # noqa: FBT001 (a parameter of the test)
    whole = saved(zipped=zipped)
    path = tmp_path / "model.pt"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(InvalidCheckpoint):
        load_openai_checkpoint(path)


@CONTAINERS
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused(zipped: bool, tmp_path: Path, data: st.DataObject) -> None:  # noqa: FBT001 (a parameter of the test)
    mutated = bytearray(saved(zipped=zipped))
    structure = st.integers(0, 12_000) if zipped or data.draw(st.booleans()) else st.integers(0, len(mutated) - 1)
    tail = st.integers(len(mutated) - 12_000, len(mutated) - 1)
    for position in data.draw(st.lists(structure | tail, min_size=1, max_size=8)):
        mutated[position] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.pt"
    path.write_bytes(mutated)
    with contextlib.suppress(InvalidCheckpoint):  # every other error fails the test
        loaded = load_openai_checkpoint(path)
        assert {weight.shape for weight in loaded.weights.values()}


def rezipped(path: Path, change: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED) -> Path:
    """Write a good archive with some members replaced, or left out."""
    with zipfile.ZipFile(io.BytesIO(saved())) as good, zipfile.ZipFile(path, "w", compression) as bad:
        for member in good.infolist():
            name = member.filename.split("/", 1)[1]
            content = change.get(name, good.read(member))
            if content is not None:
                bad.writestr(f"archive/{name}", content)
    return path


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"data.pkl": None}, r"data\.pkl is missing in the archive"),
        ({"data/3": None}, "the storage '3' of encoder.conv2.weight is missing"),
        ({"data/3": b"short"}, "truncated: the storage of encoder.conv2.weight is not all there"),
        ({"byteorder": b"big"}, "its numbers are big-endian"),
        ({"data.pkl": b""}, "refused: malformed"),
    ],
)
def test_an_archive_with_a_wrong_member_is_named(change: dict[str, bytes | None], problem: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match=problem):
        load_openai_checkpoint(rezipped(tmp_path / "model.pt", change))


def test_a_compressed_archive_is_refused_unread(tmp_path: Path) -> None:
    bomb = rezipped(tmp_path / "model.pt", {"data/3": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1_000_000
    with pytest.raises(InvalidCheckpoint, match="its members are compressed"):
        load_openai_checkpoint(bomb)


def test_a_header_of_another_member_s_place_is_refused(tmp_path: Path) -> None:
    content = bytearray(rezipped(tmp_path / "good.pt", {}).read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 42 : entry + 46] = (2**31).to_bytes(4, "little")
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match="truncated or malformed archive"):
        load_openai_checkpoint(tmp_path / "model.pt")


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path: Path) -> None:
    content = openai_object(MULTILINGUAL)
    content["model_state_dict"]["decoder.token_embedding.weight"] = torch.zeros(1, dtype=torch.float16).expand(
        51_865, 4
    )
    with pytest.raises(InvalidCheckpoint, match="it reaches beyond its storage of 1 numbers"):
        load_openai_checkpoint(write(tmp_path / "model.pt", content))


@pytest.mark.parametrize("content", [b"", b"GGUF and so on", b"\x80\x02K\x01.K\x02.", b"PK\x03\x04 and no more"])
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=r"empty|neither its ZIP|magic number|truncated or malformed|malformed"):
        load_openai_checkpoint(path)


def test_the_oldest_container_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    with pytest.raises(InvalidCheckpoint, match="no checkpoint of torch"):
        load_openai_checkpoint(path)


def without(content: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != key}


@pytest.mark.parametrize(
    ("dims", "problem"),
    [
        ({"n_mels": 96}, "mel_bins is 96; Whisper has 80 or 128"),
        ({"n_mels": None}, "no whole number n_mels"),
        ({"n_mels": True}, "no whole number n_mels"),
        ({"n_audio_ctx": 1000}, "audio_context is 1000; 1500 to 1500 is possible"),
        ({"n_vocab": 10**9}, "vocabulary is 1000000000"),
        ({"n_text_layer": 0}, "text_layers is 0"),
        ({"n_text_layer": 10**9}, "text_layers is 1000000000"),
        ({"n_text_state": 8}, "audio_width 4 and text_width 8 differ"),
        ({"n_audio_head": 3}, "audio_width 4 is no multiple of its 3 heads"),
    ],
)
def test_dimensions_of_no_whisper_are_named(dims: dict[str, Any], problem: str, tmp_path: Path) -> None:
    content = openai_object(MULTILINGUAL)
    content["dims"] |= dims
    with pytest.raises(InvalidCheckpoint, match=problem):
        load_openai_checkpoint(write(tmp_path / "model.pt", content))


@pytest.mark.parametrize(
    ("key", "problem"), [("dims", "`dims` are missing"), ("model_state_dict", "`model_state_dict` is")]
)
def test_a_missing_part_is_named(key: str, problem: str, tmp_path: Path) -> None:
    content = without(openai_object(MULTILINGUAL), key)
    with pytest.raises(InvalidCheckpoint, match=problem):
        load_openai_checkpoint(write(tmp_path / "model.pt", content))


def test_a_wrong_tensor_is_named(tmp_path: Path) -> None:
    content = openai_object(MULTILINGUAL)
    tensors = content["model_state_dict"]
    for changed, problem in (
        (without(tensors, WEIGHT), f"the tensor {WEIGHT} is missing"),
        (dict(list(tensors.items())[5:]), "the tensors encoder.positional_embedding, .* and 2 more are missing"),
        (tensors | {"lora.weight": torch.zeros(1)}, "the tensor lora.weight is not part of a Whisper"),
        (tensors | {WEIGHT: tensors[WEIGHT].T}, rf"{WEIGHT} has the shape \[4, 16\], not \[16, 4\]"),
        (tensors | {WEIGHT: "text"}, f"no tensor under '{WEIGHT}'"),
    ):
        with pytest.raises(InvalidCheckpoint, match=problem):
            load_openai_checkpoint(write(tmp_path / "model.pt", content | {"model_state_dict": changed}))


def test_a_checkpoint_of_one_layer_too_many_is_refused(tmp_path: Path) -> None:
    content = openai_object(MULTILINGUAL)
    more = random_weights(replace(MULTILINGUAL, text_layers=3))
    content["model_state_dict"] = {name: torch.from_numpy(weight) for name, weight in more.items()}
    with pytest.raises(InvalidCheckpoint, match=r"decoder\.blocks\.2\..* not part of a Whisper of these dimensions"):
        load_openai_checkpoint(write(tmp_path / "model.pt", content))
