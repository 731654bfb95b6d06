"""From a path to a checkpoint, whichever of the two layouts it has."""

from pathlib import Path

from whisper_inference.errors import InvalidCheckpoint, ModelNotFound
from whisper_inference.models import huggingface
from whisper_inference.models.checkpoint import Checkpoint
from whisper_inference.models.digests import FileDigest, digest_file, fingerprint
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.manifest import read_manifest
from whisper_inference.models.openai_checkpoint import load_openai_checkpoint
from whisper_inference.models.suppression import NON_SPEECH, suppressed_tokens
from whisper_inference.models.tokenizer import Tokenizer


def load_checkpoint(path: Path) -> Checkpoint:
    """Load a folder in the Hugging Face layout, or a `.pt` file of OpenAI's.

    Weights stay in the mapped file until an engine uses them; do not overwrite it in place meanwhile. A folder that
    `fetch_model` made is held against its checksums.

    Raises:
        ModelNotFound: There is nothing at the path.
        InvalidCheckpoint: A file is missing, truncated, malformed, not allowed, or not the one that was downloaded.
    """
    if path.is_dir():
        return _load_folder(path)
    if not path.exists():
        raise ModelNotFound(f"{path}: no such file or folder.")
    if path.suffix != ".pt":
        raise InvalidCheckpoint(path, "neither a folder in the Hugging Face layout nor a .pt file of OpenAI's.")
    return _load_file(path)


def _load_file(path: Path) -> Checkpoint:
    loaded = load_openai_checkpoint(path)
    tokenizer = Tokenizer.shipped(loaded.dimensions)
    return Checkpoint(
        name=path.stem,
        path=path,
        fingerprint=fingerprint([digest_file(path)]),
        dimensions=loaded.dimensions,
        weights=loaded.weights,
        tokenizer=tokenizer,
        suppressed_tokens=suppressed_tokens(tokenizer),
        alignment_heads=default_alignment_heads(loaded.dimensions),
    )


def _load_folder(path: Path) -> Checkpoint:
    dimensions = huggingface.load_dimensions(path)
    tokenizer = Tokenizer.from_file(path / huggingface.TOKENIZER_FILE, dimensions)
    generation = huggingface.load_generation_config(path, dimensions)
    weights = huggingface.load_weights(path, dimensions)
    listed = generation.suppressed_tokens
    name, digests = _identify(path)
    return Checkpoint(
        name=name,
        path=path,
        fingerprint=fingerprint(digests),
        dimensions=dimensions,
        weights=weights,
        tokenizer=tokenizer,
        suppressed_tokens=suppressed_tokens(tokenizer, (NON_SPEECH,) if listed is None else listed),
        alignment_heads=generation.alignment_heads or default_alignment_heads(dimensions),
    )


def _identify(folder: Path) -> tuple[str, list[FileDigest]]:
    """Return the model's name and the digests of its weight files, each file read once."""
    weights = [digest_file(file) for file in huggingface.weight_files(folder)]
    manifest = read_manifest(folder)
    if manifest is None:
        return folder.resolve().name, weights
    known = {digest.name: digest for digest in weights}
    for file in manifest.files:
        manifest.check(folder, known.get(file.name) or digest_file(folder / file.name))
    return manifest.repository, weights


def default_alignment_heads(dimensions: ModelDimensions) -> tuple[tuple[int, int], ...]:
    """Return all heads of the upper half of the decoder: openai-whisper's choice for a model without a list."""
    upper_half = range(dimensions.text_layers // 2, dimensions.text_layers)
    return tuple((layer, head) for layer in upper_half for head in range(dimensions.text_heads))
