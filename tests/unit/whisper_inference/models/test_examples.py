"""What the repository holds to try it with is what its scripts make, and its lists are complete."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import whisper.tokenizer
from safetensors.numpy import load_file

from whisper_inference.models.loading import load_checkpoint
from whisper_inference.models.weight_names import hugging_face_name

ROOT = Path(__file__).parents[4]
AUDIO = ROOT / "examples/audio"
DEMO = ROOT / "examples/models/demo"
SOURCE = ROOT.parent / "shared/demo-model/nano.pt"


def test_every_clip_is_listed_with_its_text() -> None:
    clips = json.loads((AUDIO / "clips.json").read_text())
    assert {clip["file"] for clip in clips} == {path.name for path in AUDIO.iterdir()} - {"clips.json", "README.md"}
    assert all(bool(clip["text"]) == bool(clip["segments"]) for clip in clips)
    assert {clip["file"].split("_")[0] for clip in clips} == {"seen", "unseen", "silence"}


def test_the_demo_model_s_own_tokens_are_the_shipped_ones() -> None:
    document = tokenizers.Tokenizer.from_file(str(DEMO / "tokenizer.json"))
    checkpoint = load_checkpoint(DEMO)
    text = " Please meet Helen at ten forty."
    assert document.encode(text, add_special_tokens=False).ids == checkpoint.tokenizer.encode(text)
    assert document.token_to_id("<|30.00|>") == checkpoint.tokenizer.special.last_timestamp


@pytest.mark.skipif(not SOURCE.exists(), reason="its source is not in the repository")
def test_the_demo_model_is_its_source_under_other_names() -> None:
    source = load_checkpoint(SOURCE)
    written = load_file(DEMO / "model.safetensors")
    assert {f"model.{hugging_face_name(name)}" for name in source.weights} == written.keys()
    for name, weight in source.weights.items():
        assert np.array_equal(written[f"model.{hugging_face_name(name)}"], weight), name
    assert load_checkpoint(DEMO).suppressed_tokens == source.suppressed_tokens


@pytest.mark.parametrize(("source", "target"), [("multilingual", "multilingual"), ("gpt2", "english")])
def test_the_shipped_vocabulary_is_what_its_script_makes(source: str, target: str) -> None:
    script = runpy.run_path(str(ROOT / "scripts/make_vocabulary.py"))
    assets = Path(whisper.tokenizer.__file__).parent / "assets"
    made = script["build_vocabulary"](script["read_ranks"](assets / f"{source}.tiktoken"))
    shipped = ROOT / "inference/whisper_inference/models/vocabulary" / f"{target}.json"
    assert made == json.loads(shipped.read_text(encoding="utf-8"))
    assert len(made["model"]["merges"]) == 50_000
