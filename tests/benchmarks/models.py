"""One model in the format of each contestant: the demo model, widened, converted by each one's own tools."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from tests.benchmarks.contestants import PeerSetup
from tests.benchmarks.ggml import write_ggml
from tests.support.small_checkpoints import OPENAI_NAMES
from tests.support.widen import Size, widen, write_huggingface
from whisper_inference.audio.features import mel_filters
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.loading import load_checkpoint

_DEMO = Path("examples/models/demo")


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model of one size, for us and for each peer."""

    size: Size
    huggingface: Path
    peers: tuple[PeerSetup, ...]


def prepare_models(size: Size, cache: Path, peers_python: Path) -> PreparedModel:
    """Make what is not in the cache yet."""
    cache.mkdir(parents=True, exist_ok=True)
    huggingface = _once(cache / size, lambda target: _widened(size, target))
    tools = peers_python.parent
    faster_whisper = _once(cache / f"{size}-ctranslate2", lambda to: _to_ctranslate2(tools, huggingface, to))
    openvino = _once(cache / f"{size}-openvino-int8", lambda to: _to_openvino(tools, huggingface, to))
    openai = _once(cache / f"{size}.pt", lambda to: _to_openai(load_checkpoint(huggingface), to))
    ggml = _once(cache / f"{size}.ggml", lambda to: _to_ggml(load_checkpoint(huggingface), to))
    peers = (
        PeerSetup("faster-whisper int8", "faster_whisper", faster_whisper, peers_python),
        PeerSetup("openvino-genai int8", "openvino_genai", openvino, peers_python),
        PeerSetup("openai-whisper f32", "openai_whisper", openai, peers_python),
        PeerSetup("whisper.cpp f16", "whisper_cpp", ggml, peers_python),
    )
    return PreparedModel(size, huggingface, peers)


def _once(target: Path, make: Callable[[Path], object]) -> Path:
    """Make a file or folder under another name first, so that one that is there is whole."""
    if not target.exists():
        unfinished = target.with_name(f"unfinished-{target.name}")
        make(unfinished)
        unfinished.rename(target)
    return target


def _widened(size: Size, target: Path) -> None:
    write_huggingface(widen(load_checkpoint(_DEMO), size), target, like=_DEMO)


def _to_ctranslate2(tools: Path, source: Path, target: Path) -> None:
    command = [tools / "ct2-transformers-converter", "--model", source, "--output_dir", target, "--force"]
    copied = ["tokenizer.json", "preprocessor_config.json"]
    subprocess.run([*map(str, command), "--quantization", "int8", "--copy_files", *copied], check=True)


def _to_openvino(tools: Path, source: Path, target: Path) -> None:
    command = [tools / "optimum-cli", "export", "openvino", "--model", source, "--weight-format", "int8"]
    task = ["--task", "automatic-speech-recognition-with-past"]
    subprocess.run([*map(str, command), *task, str(target)], check=True)


def _to_openai(checkpoint: Checkpoint, target: Path) -> None:
    weights = {name: torch.from_numpy(weight.copy()) for name, weight in checkpoint.weights.items()}
    torch.save({"dims": _dims(checkpoint), "model_state_dict": weights}, target)


def _to_ggml(checkpoint: Checkpoint, target: Path) -> None:
    tokenizer = checkpoint.tokenizer
    vocabulary = [tokenizer.token_bytes(token) for token in range(tokenizer.end_of_text)]
    write_ggml(target, _dims(checkpoint), checkpoint.weights, vocabulary, mel_filters(checkpoint.dimensions.mel_bins))


def _dims(checkpoint: Checkpoint) -> dict[str, int]:
    return {theirs: getattr(checkpoint.dimensions, ours) for ours, theirs in OPENAI_NAMES.items()}
