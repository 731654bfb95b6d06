"""Each option is obeyed or refused by name."""

from dataclasses import replace
from functools import cache

import pytest

from tests.support.scripted_engine import SMALL_DIMENSIONS
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.engines.base import Capabilities
from whisper_inference.errors import InvalidRequest, UnsupportedField, WhisperError
from whisper_inference.models.tokenizer import Tokenizer
from whisper_inference.transcriber.option_checks import check_options, rows_needed
from whisper_inference.transcription import TranscriptionOptions

CAPABILITIES = Capabilities("openvino", "npu", "script", "f16", simulated=True, max_rows=4, word_timestamps=False)


@cache
def model(vocabulary: int) -> DecodingModel:
    dimensions = replace(SMALL_DIMENSIONS, vocabulary=vocabulary)
    return DecodingModel(dimensions, Tokenizer.shipped(dimensions), ())


def check(options: TranscriptionOptions, *, vocabulary: int = 51865, capabilities: Capabilities = CAPABILITIES) -> None:
    check_options(options, model(vocabulary), capabilities)


@pytest.mark.parametrize(
    "options",
    [
        TranscriptionOptions(),
        TranscriptionOptions(task="translate", language="de", beam_size=4, best_of=4, length_penalty=1.0),
        TranscriptionOptions(prompt="Names: Ada, Grace.", temperatures=(0.0,)),
        TranscriptionOptions(prompt="word " * 223),
    ],
)
def test_what_can_be_obeyed_passes(options: TranscriptionOptions) -> None:
    check(options)


@pytest.mark.parametrize(
    ("options", "error", "param"),
    [
        (TranscriptionOptions(language="tlh"), InvalidRequest, "language"),
        (TranscriptionOptions(beam_size=5), UnsupportedField, "beam_size"),
        (TranscriptionOptions(best_of=5), UnsupportedField, "best_of"),
        (TranscriptionOptions(beam_size=0), InvalidRequest, "beam_size"),
        (TranscriptionOptions(patience=0.0), InvalidRequest, "patience"),
        (TranscriptionOptions(length_penalty=1.5), InvalidRequest, "length_penalty"),
        (TranscriptionOptions(temperatures=()), InvalidRequest, "temperature"),
        (TranscriptionOptions(temperatures=(0.0, 1.1)), InvalidRequest, "temperature"),
        (TranscriptionOptions(temperatures=(float("nan"),)), InvalidRequest, "temperature"),
        (TranscriptionOptions(prompt="word " * 224), InvalidRequest, "prompt"),
        (TranscriptionOptions(word_timestamps=True), UnsupportedField, "timestamp_granularities[]"),
    ],
)
def test_what_cannot_is_refused_by_name(options: TranscriptionOptions, error: type[WhisperError], param: str) -> None:
    with pytest.raises(error) as refused:
        check(options)
    assert refused.value.param == param


def test_an_english_only_model_refuses_other_languages_and_translation() -> None:
    check(TranscriptionOptions(language="en"), vocabulary=51864)
    with pytest.raises(InvalidRequest, match="English only"):
        check(TranscriptionOptions(language="de"), vocabulary=51864)
    with pytest.raises(UnsupportedField, match="English only") as refused:
        check(TranscriptionOptions(task="translate"), vocabulary=51864)
    assert refused.value.param == "task"


def test_word_timestamps_pass_where_the_engine_can_align() -> None:
    check(TranscriptionOptions(word_timestamps=True), capabilities=replace(CAPABILITIES, word_timestamps=True))


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (TranscriptionOptions(), 1),
        (TranscriptionOptions(beam_size=5), 5),
        (TranscriptionOptions(beam_size=5, best_of=3), 5),
        (TranscriptionOptions(beam_size=2, best_of=3), 3),
        (TranscriptionOptions(beam_size=5, temperatures=(0.4,)), 1),
        (TranscriptionOptions(best_of=5, temperatures=(0.0,)), 1),
    ],
)
def test_rows_needed_are_those_of_the_widest_attempt(options: TranscriptionOptions, rows: int) -> None:
    assert rows_needed(options) == rows
