"""Each output format is what the server's format of that name is."""

import json
from pathlib import Path
from typing import get_args

import pytest

from whisper_inference import formats
from whisper_inference.cli.options import OutputFormat
from whisper_inference.cli.transcripts import render_output
from whisper_inference.models.huggingface import load_dimensions
from whisper_inference.models.tokenizer import Tokenizer
from whisper_inference.transcription import Segment, Transcript, Word

SEGMENT = Segment(0, 0, 0.0, 1.5, " Grüße, Anna.", (1, 2), 0.0, -0.1, 1.0, 0.01, (Word(" Grüße,", 0.0, 0.7, 0.9),))
TRANSCRIPT = Transcript("transcribe", "de", 2.0, (SEGMENT,))
DEMO = Path(__file__).parents[4] / "examples/models/demo"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.shipped(load_dimensions(DEMO))


def test_texts_are_the_server_s(tokenizer: Tokenizer) -> None:
    assert render_output(TRANSCRIPT, "txt", tokenizer) == "Grüße, Anna.\n"
    assert render_output(TRANSCRIPT, "srt", tokenizer) == formats.render_srt(TRANSCRIPT)
    assert render_output(TRANSCRIPT, "vtt", tokenizer) == formats.render_vtt(TRANSCRIPT)


def test_json_is_one_readable_line(tokenizer: Tokenizer) -> None:
    line = render_output(TRANSCRIPT, "json", tokenizer)
    assert line.startswith('{"text": "Grüße, Anna."')
    assert line.count("\n") == 1


def test_verbose_json_names_the_language_and_has_words_where_there_are_any(tokenizer: Tokenizer) -> None:
    document = json.loads(render_output(TRANSCRIPT, "verbose_json", tokenizer))
    assert document["language"] == "german"
    assert [word["word"] for word in document["words"]] == ["Grüße,"]
    bare = Transcript("transcribe", "de", 2.0, ())
    assert "words" not in json.loads(render_output(bare, "verbose_json", tokenizer))


def test_every_format_can_be_written(tokenizer: Tokenizer) -> None:
    assert all(render_output(TRANSCRIPT, name, tokenizer).endswith("\n") for name in get_args(OutputFormat))
