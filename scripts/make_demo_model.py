"""Turn the demo checkpoint, in OpenAI's format, into the Hugging Face layout, and choose its clips.

    python scripts/make_demo_model.py ../shared/demo-model examples

Writes `examples/models/demo` (all but its model card, README.md, which is written by hand) and `examples/audio`. The
weights keep their values; only their names change.
"""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from safetensors.numpy import save_file

from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.openai_checkpoint import load_openai_checkpoint
from whisper_inference.models.suppression import suppressed_tokens
from whisper_inference.models.tokenizer import Tokenizer
from whisper_inference.models.weight_names import hugging_face_name

TRANSFORMERS_VERSION = "4.57.0"
"""Whose file formats these are."""

WAV_CLIPS = (
    *("seen_0", "seen_2", "seen_4", "seen_7", "seen_9", "seen_10"),
    *("unseen_0", "unseen_1", "unseen_5", "unseen_6", "unseen_9"),
    *("seen_long0", "silence_0", "silence_4"),
)
"""Taken as they are: short ones of each synthesiser, a long one, digital silence and loud noise."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A clip that is written in another format."""

    clip: str
    file: str
    codec: str
    options: dict[str, str]


ENCODINGS = (
    Encoding("unseen_long0", "unseen_long0.flac", "flac", {"compression_level": "12"}),
    Encoding("seen_2", "seen_2.mp3", "libmp3lame", {"b": "64k"}),
    Encoding("seen_2", "seen_2.ogg", "libopus", {"b": "32k"}),
)


def build_config(dimensions: ModelDimensions, tokenizer: Tokenizer) -> dict[str, Any]:
    """Build `config.json` as transformers' `WhisperConfig` writes it."""
    special = tokenizer.special
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "transformers_version": TRANSFORMERS_VERSION,
        "dtype": "float16",
        "activation_function": "gelu",
        "scale_embedding": False,
        "is_encoder_decoder": True,
        "tie_word_embeddings": True,
        "use_cache": True,
        "d_model": dimensions.audio_width,
        "num_mel_bins": dimensions.mel_bins,
        "max_source_positions": dimensions.audio_context,
        "max_target_positions": dimensions.text_context,
        "vocab_size": dimensions.vocabulary,
        "num_hidden_layers": dimensions.audio_layers,
        "encoder_layers": dimensions.audio_layers,
        "encoder_attention_heads": dimensions.audio_heads,
        "encoder_ffn_dim": 4 * dimensions.audio_width,
        "decoder_layers": dimensions.text_layers,
        "decoder_attention_heads": dimensions.text_heads,
        "decoder_ffn_dim": 4 * dimensions.text_width,
        "bos_token_id": special.end_of_text,
        "eos_token_id": special.end_of_text,
        "pad_token_id": special.end_of_text,
        "decoder_start_token_id": special.start_of_transcript,
    }


def build_generation_config(dimensions: ModelDimensions, tokenizer: Tokenizer) -> dict[str, Any]:
    """Build `generation_config.json` as transformers' Whisper reads it."""
    special = tokenizer.special
    upper_half = range(dimensions.text_layers // 2, dimensions.text_layers)
    return {
        "transformers_version": TRANSFORMERS_VERSION,
        "alignment_heads": [[layer, head] for layer in upper_half for head in range(dimensions.text_heads)],
        "begin_suppress_tokens": [*tokenizer.encode(" "), special.end_of_text],
        "bos_token_id": special.end_of_text,
        "decoder_start_token_id": special.start_of_transcript,
        "eos_token_id": special.end_of_text,
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": tokenizer.language_token(code) for code in tokenizer.languages},
        "max_initial_timestamp_index": 50,
        "max_length": dimensions.text_context,
        "no_timestamps_token_id": special.no_timestamps,
        "pad_token_id": special.end_of_text,
        "prev_sot_token_id": special.start_of_previous,
        "return_timestamps": False,
        "suppress_tokens": list(suppressed_tokens(tokenizer)),
        "task_to_id": {"transcribe": special.transcribe, "translate": special.translate},
    }


def build_preprocessor_config(dimensions: ModelDimensions) -> dict[str, Any]:
    """Build `preprocessor_config.json` as transformers' `WhisperFeatureExtractor` writes it."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": dimensions.mel_bins,
        "sampling_rate": 16000,
        "n_fft": 400,
        "hop_length": 160,
        "chunk_length": 30,
        "n_samples": 480000,
        "nb_max_frames": 3000,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def build_tokenizer(shipped: Path, tokenizer: Tokenizer) -> dict[str, Any]:
    """Build `tokenizer.json`: the shipped vocabulary and the special tokens behind it."""
    document: dict[str, Any] = json.loads(shipped.read_text(encoding="utf-8"))
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    document["added_tokens"] = [
        {"id": token, "content": name, **plain, "special": token < tokenizer.timestamp_begin}
        for token, name in sorted(tokenizer.special.names().items())
    ]
    return document


def write_json(path: Path, document: object, **layout: Any) -> None:  # noqa: ANN401 (json's own options)
    """Write a JSON file with a final newline."""
    path.write_text(json.dumps(document, ensure_ascii=False, **layout) + "\n", encoding="utf-8")


def write_model(source: Path, target: Path) -> None:
    """Write the checkpoint in the Hugging Face layout."""
    target.mkdir(parents=True, exist_ok=True)
    checkpoint = load_openai_checkpoint(source)
    dimensions = checkpoint.dimensions
    tokenizer = Tokenizer.shipped(dimensions)
    tensors = {f"model.{hugging_face_name(name)}": weight for name, weight in checkpoint.weights.items()}
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    (target / "model.safetensors").chmod(0o644)  # it is written for its owner only
    write_json(target / "config.json", build_config(dimensions, tokenizer), indent=2)
    write_json(target / "generation_config.json", build_generation_config(dimensions, tokenizer), indent=2)
    write_json(target / "preprocessor_config.json", build_preprocessor_config(dimensions), indent=2)
    shipped = Path(__file__).parents[1] / "inference/whisper_inference/models/vocabulary/multilingual.json"
    write_json(target / "tokenizer.json", build_tokenizer(shipped, tokenizer), separators=(",", ":"))
    write_json(target / "tokenizer_config.json", {"tokenizer_class": "WhisperTokenizer", "model_max_length": 1024})


def encode_clip(source: Path, target: Path, encoding: Encoding) -> None:
    """Write a WAV file in another format."""
    with av.open(source) as reader, av.open(target, "w") as writer:
        rate = 48_000 if encoding.codec == "libopus" else 16_000
        stream = writer.add_stream(encoding.codec, rate=rate, options=encoding.options)
        if not isinstance(stream, av.AudioStream):
            raise TypeError(f"{encoding.codec} is no audio codec.")
        stream.layout = "mono"
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        for frame in reader.decode(audio=0):
            for resampled in resampler.resample(frame):
                writer.mux(stream.encode(resampled))
        for resampled in resampler.resample(None):
            writer.mux(stream.encode(resampled))
        writer.mux(stream.encode(None))


def write_clips(source: Path, target: Path) -> None:
    """Copy or encode the chosen clips, and list each with what is said in it."""
    target.mkdir(parents=True, exist_ok=True)
    by_name = {Path(clip["file"]).stem: clip for clip in json.loads((source / "clips.json").read_text())}
    clips = [by_name[name] for name in WAV_CLIPS]
    for clip in clips:
        shutil.copyfile(source / clip["file"], target / clip["file"])
    for encoding in ENCODINGS:
        clip = by_name[encoding.clip]
        encode_clip(source / clip["file"], target / encoding.file, encoding)
        clips.append(clip | {"file": encoding.file})
    write_json(target / "clips.json", clips, indent=1)


if __name__ == "__main__":
    demo, examples = map(Path, sys.argv[1:])
    write_model(demo / "nano.pt", examples / "models/demo")
    write_clips(demo / "clips", examples / "audio")
