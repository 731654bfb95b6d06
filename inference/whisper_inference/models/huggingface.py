"""The Hugging Face layout of a Whisper: a folder of `config.json`, safetensors and the files of its processor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from whisper_inference.errors import InvalidCheckpoint
from whisper_inference.models.checkpoint import WeightArray
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.json_files import read_json
from whisper_inference.models.safetensors_file import open_safetensors
from whisper_inference.models.tensors import TensorView, read_tensor
from whisper_inference.models.weight_names import expected_shapes, hugging_face_name
from whisper_inference.models.weights import check_dimensions, check_shapes

CONFIG_FILE: Final = "config.json"
PREPROCESSOR_FILE: Final = "preprocessor_config.json"
GENERATION_FILE: Final = "generation_config.json"
TOKENIZER_FILE: Final = "tokenizer.json"
WEIGHTS_FILE: Final = "model.safetensors"
INDEX_FILE: Final = "model.safetensors.index.json"

_DIMENSIONS: Final = MappingProxyType(
    {
        "num_mel_bins": "mel_bins",
        "max_source_positions": "audio_context",
        "d_model": "audio_width",
        "encoder_attention_heads": "audio_heads",
        "encoder_layers": "audio_layers",
        "vocab_size": "vocabulary",
        "max_target_positions": "text_context",
        "decoder_attention_heads": "text_heads",
        "decoder_layers": "text_layers",
    }
)
"""transformers' name of each dimension, and ours."""

_FIXED: Final = MappingProxyType(
    {"model_type": "whisper", "activation_function": "gelu", "scale_embedding": False, "tie_word_embeddings": True}
)
"""What the engines compute; a config that says otherwise is another model. `model_type` has no default."""

_FRONT_END: Final = MappingProxyType({"sampling_rate": 16_000, "n_fft": 400, "hop_length": 160, "chunk_length": 30})
"""The spectrogram that all Whisper models listen to."""

_TIED: Final = frozenset({"proj_out.weight"})
"""The output projection, which is the token embedding; some files hold it a second time."""


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """What `generation_config.json` says that decoding needs; `None` where it says nothing."""

    suppressed_tokens: tuple[int, ...] | None = None
    alignment_heads: tuple[tuple[int, int], ...] | None = None


def load_dimensions(folder: Path) -> ModelDimensions:
    """Read `config.json`, and hold `preprocessor_config.json` against it.

    Raises:
        InvalidCheckpoint: A file is missing or malformed, or describes no Whisper that can be computed here.
    """
    path = folder / CONFIG_FILE
    config = read_json(path)
    for key, value in _FIXED.items():
        if config.get(key, None if key == "model_type" else value) != value:
            raise InvalidCheckpoint(path, f"{key} is {config.get(key)!r:.99}, a Whisper has {value!r}.")
    numbers = {ours: _whole_number(path, config, theirs) for theirs, ours in _DIMENSIONS.items()}
    dimensions = ModelDimensions(**numbers, text_width=numbers["audio_width"])
    check_dimensions(path, dimensions)
    _check_front_end(folder / PREPROCESSOR_FILE, dimensions)
    return dimensions


def _check_front_end(path: Path, dimensions: ModelDimensions) -> None:
    preprocessor = read_json(path)
    mel_bins = preprocessor.get("feature_size", 80)
    if mel_bins != dimensions.mel_bins:
        raise InvalidCheckpoint(
            path, f"feature_size is {mel_bins!r:.99}, {CONFIG_FILE} has {dimensions.mel_bins} num_mel_bins."
        )
    for key, value in _FRONT_END.items():
        if preprocessor.get(key, value) != value:
            raise InvalidCheckpoint(path, f"{key} is {preprocessor[key]!r:.99}, a Whisper has {value}.")


def load_generation_config(folder: Path, dimensions: ModelDimensions) -> GenerationConfig:
    """Read `generation_config.json`; without that file, everything is OpenAI's default.

    Raises:
        InvalidCheckpoint: It is malformed, or names heads or tokens that the model does not have.
    """
    path = folder / GENERATION_FILE
    if not path.exists():
        return GenerationConfig()
    config = read_json(path)
    return GenerationConfig(
        suppressed_tokens=_suppressed_tokens(path, config.get("suppress_tokens"), dimensions),
        alignment_heads=_alignment_heads(path, config.get("alignment_heads"), dimensions),
    )


def _suppressed_tokens(path: Path, tokens: object, dimensions: ModelDimensions) -> tuple[int, ...] | None:
    vocabulary = range(-1, dimensions.vocabulary)
    if tokens is None:
        return None
    if not (isinstance(tokens, list) and all(_is_in(token, vocabulary) for token in tokens)):
        raise InvalidCheckpoint(path, "suppress_tokens is no list of the model's tokens.")
    return tuple(tokens)


def _alignment_heads(path: Path, heads: object, dimensions: ModelDimensions) -> tuple[tuple[int, int], ...] | None:
    layers, per_layer = range(dimensions.text_layers), range(dimensions.text_heads)
    if heads is None:
        return None
    if not (isinstance(heads, list) and all(_is_head(pair, layers, per_layer) for pair in heads)):
        raise InvalidCheckpoint(path, "alignment_heads is no list of layers and heads that the model has.")
    return tuple((layer, head) for layer, head in heads) or None


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files of a folder, in the order of their names.

    Raises:
        InvalidCheckpoint: There are none, or the index of a sharded checkpoint is malformed.
    """
    single, index = folder / WEIGHTS_FILE, folder / INDEX_FILE
    if single.exists():
        return (single,)
    if not index.exists():
        raise InvalidCheckpoint(single, f"the file is missing, and so is {INDEX_FILE}.")
    return tuple(folder / name for name in shard_names(index, read_json(index)))


def shard_names(path: Path, index: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the file names of an index's shards: names only, so that none can lead out of the folder.

    Raises:
        InvalidCheckpoint: The index lists none, or something else.
    """
    weight_map = index.get("weight_map")
    names = set(weight_map.values()) if isinstance(weight_map, dict) and _all_texts(weight_map.values()) else set()
    if not names:
        raise InvalidCheckpoint(path, "its weight_map lists no files.")
    for name in names:
        if Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
            raise InvalidCheckpoint(path, f"its weight_map names {name[:99]!r}, which is no file beside it.")
    return tuple(sorted(names))


def load_weights(folder: Path, dimensions: ModelDimensions) -> Mapping[str, WeightArray]:
    """Map the safetensors files and return their tensors under OpenAI's names.

    Raises:
        InvalidCheckpoint: A file or tensor is missing, malformed, truncated, unknown or of a wrong shape.
    """
    ours = {hugging_face_name(name): name for name in expected_shapes(dimensions)}
    found: dict[str, tuple[TensorView, Any]] = {}
    for path in weight_files(folder):
        file = open_safetensors(path)
        for stored_name, view in file.views.items():
            name = stored_name.removeprefix("model.")
            if name in _TIED:
                continue
            if ours.get(name, name) in found:
                raise InvalidCheckpoint(path, f"the tensor {stored_name[:99]} is there twice.")
            found[ours.get(name, name)] = (view, file.data)
    at_fault = folder / WEIGHTS_FILE if (folder / WEIGHTS_FILE).exists() else folder / INDEX_FILE
    check_shapes(at_fault, dimensions, {name: view.shape for name, (view, _) in found.items()})
    return MappingProxyType({name: read_tensor(data, view) for name, (view, data) in found.items()})


def _whole_number(path: Path, config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if type(value) is not int:
        raise InvalidCheckpoint(path, f"{key} is missing or no whole number.")
    return value


def _is_in(value: object, allowed: range) -> bool:
    return type(value) is int and value in allowed


def _is_head(pair: object, layers: range, heads: range) -> bool:
    match pair:
        case [layer, head]:
            return _is_in(layer, layers) and _is_in(head, heads)
        case _:
            return False


def _all_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
