"""The tokenizer is openai-whisper's own, and takes no file for a vocabulary that is none."""

import json
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import whisper.tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_inference.errors import InvalidCheckpoint, InvalidRequest
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.languages import LANGUAGE_NAMES, language_code
from whisper_inference.models.special_tokens import ENGLISH_TEXT_TOKENS
from whisper_inference.models.tokenizer import Tokenizer
from whisper_inference.transcription import Task

MULTILINGUAL = ModelDimensions(
    mel_bins=80,
    audio_context=1500,
    audio_width=128,
    audio_heads=2,
    audio_layers=4,
    vocabulary=51_865,
    text_context=448,
    text_width=128,
    text_heads=2,
    text_layers=3,
)
LARGE_V3 = replace(MULTILINGUAL, mel_bins=128, vocabulary=51_866)
ENGLISH = replace(MULTILINGUAL, vocabulary=51_864)
SHAPES = pytest.mark.parametrize("dimensions", [MULTILINGUAL, LARGE_V3, ENGLISH], ids=["99", "100", "english"])

UNHURRIED = settings(deadline=None)
"""A shared machine may stop for longer than any deadline."""

TEXTS = st.one_of(
    st.text(),
    st.text(alphabet="abcdeéßñ 'sdll,.-!?  \n\t0123456789♪「」", max_size=60),
    st.lists(st.sampled_from([" the", "'re", " 1234", "你好", " <|endoftext|>", "สวัสดี", "👩‍👩‍👧", "  ", "\u2009"])).map(
        "".join
    ),
)


@cache
def ours(dimensions: ModelDimensions) -> Tokenizer:
    return Tokenizer.shipped(dimensions)


def reference(dimensions: ModelDimensions, language: str = "en", task: Task = "transcribe") -> Any:  # noqa: ANN401 (openai-whisper has no types)
    languages = dimensions.language_count or 99
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # openai-whisper leaves its vocabulary file open
        return whisper.tokenizer.get_tokenizer(
            dimensions.multilingual, num_languages=languages, language=language, task=task
        )


@SHAPES
@UNHURRIED
@given(text=TEXTS)
def test_text_becomes_the_tokens_of_openai_whisper(dimensions: ModelDimensions, text: str) -> None:
    assert ours(dimensions).encode(text) == reference(dimensions).encoding.encode_ordinary(text)


@SHAPES
@UNHURRIED
@given(tokens=st.lists(st.integers(0, ENGLISH_TEXT_TOKENS - 1)))
def test_tokens_become_the_text_of_openai_whisper(dimensions: ModelDimensions, tokens: list[int]) -> None:
    assert ours(dimensions).decode(tokens) == reference(dimensions).decode(tokens)


@UNHURRIED
@given(text=TEXTS.filter(lambda text: text.isprintable()))
def test_decoding_undoes_encoding(text: str) -> None:
    tokenizer = ours(MULTILINGUAL)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@SHAPES
@pytest.mark.parametrize("language", ["en", "ja", "th"])
@UNHURRIED
@given(text=TEXTS)
def test_words_are_those_of_openai_whisper(dimensions: ModelDimensions, language: str, text: str) -> None:
    tokenizer = ours(dimensions)
    tokens = [*tokenizer.encode(text), tokenizer.timestamp_begin + 7, tokenizer.end_of_text]
    words = tokenizer.split_to_words(tokens, language if dimensions.multilingual else "en")
    expected = zip(*reference(dimensions, language).split_to_word_tokens(tokens), strict=True)
    assert words == [(text, list(word)) for text, word in expected]


def test_a_broken_character_at_the_end_makes_no_word() -> None:
    tokenizer = ours(MULTILINGUAL)
    tokens = tokenizer.encode(" 𓀀")
    *whole, _last = tokens
    pieces = tokenizer.split_to_words(whole, "ja")
    assert [token for _, word in pieces for token in word] != tokens


@SHAPES
def test_special_tokens_have_the_numbers_of_openai_whisper(dimensions: ModelDimensions) -> None:
    tokenizer, expected = ours(dimensions), reference(dimensions)
    assert tokenizer.special.names() == {token: name for name, token in expected.special_tokens.items()}
    assert tokenizer.end_of_text == expected.eot
    assert tokenizer.start_of_transcript == expected.sot
    assert tokenizer.start_of_previous == expected.sot_prev
    assert tokenizer.start_of_lm == expected.sot_lm
    assert tokenizer.no_speech == expected.no_speech
    assert tokenizer.no_timestamps == expected.no_timestamps
    assert tokenizer.timestamp_begin == expected.timestamp_begin
    assert tokenizer.transcribe == expected.transcribe
    assert tokenizer.translate == expected.translate
    assert tokenizer.special.last_timestamp == dimensions.vocabulary - 1
    assert tokenizer.non_speech_tokens == expected.non_speech_tokens


@pytest.mark.parametrize(("dimensions", "count"), [(MULTILINGUAL, 99), (LARGE_V3, 100)])
def test_a_multilingual_model_knows_the_languages_of_openai_whisper(dimensions: ModelDimensions, count: int) -> None:
    tokenizer, expected = ours(dimensions), reference(dimensions)
    assert tokenizer.languages == tuple(whisper.tokenizer.LANGUAGES)[:count]
    assert tuple(map(tokenizer.language_token, tokenizer.languages)) == tuple(sorted(expected.all_language_tokens))
    assert dict(LANGUAGE_NAMES) == whisper.tokenizer.LANGUAGES
    assert tokenizer.language_name("de") == "german"


def test_names_of_languages_mean_what_they_mean_to_openai_whisper() -> None:
    for name, code in whisper.tokenizer.TO_LANGUAGE_CODE.items():
        assert language_code(name.title()) == code
    with pytest.raises(InvalidRequest, match="'Klingon' is no language"):
        language_code("Klingon")


def test_an_english_only_model_refuses_other_languages() -> None:
    tokenizer = ours(ENGLISH)
    assert tokenizer.languages == ("en",)
    assert tokenizer.language_token("en") == tokenizer.start_of_transcript + 1
    with pytest.raises(InvalidRequest, match="English only") as refusal:
        tokenizer.language_token("de")
    assert refusal.value.param == "language"


def test_a_language_that_only_later_models_have_is_refused() -> None:
    assert ours(LARGE_V3).language_token("yue") == ours(LARGE_V3).translate - 1
    with pytest.raises(InvalidRequest, match="99 languages, 'yue' not among them"):
        ours(MULTILINGUAL).language_token("yue")


@pytest.mark.parametrize("language", ["en", "yue"])
@pytest.mark.parametrize("task", get_args(Task))
def test_the_start_sequence_is_that_of_openai_whisper(language: str, task: Task) -> None:
    expected = reference(LARGE_V3, language, task)
    tokenizer = ours(LARGE_V3)
    assert tokenizer.start_sequence(language, task, timestamps=True) == expected.sot_sequence
    without = tokenizer.start_sequence(language, task, timestamps=False)
    assert without == expected.sot_sequence_including_notimestamps


def test_an_english_only_transcript_starts_without_language_and_task() -> None:
    tokenizer = ours(ENGLISH)
    start = (tokenizer.start_of_transcript, tokenizer.no_timestamps)
    assert tokenizer.start_sequence("en", "transcribe", timestamps=False) == start


def test_special_tokens_are_left_out_of_the_text() -> None:
    tokenizer = ours(MULTILINGUAL)
    text = tokenizer.encode(" Red.")
    assert tokenizer.decode([tokenizer.timestamp_begin, *text, tokenizer.end_of_text, 60_000]) == " Red."


def test_a_prompt_cannot_smuggle_in_special_tokens() -> None:
    tokenizer = ours(MULTILINGUAL)
    tokens = tokenizer.encode("<|endoftext|><|startoftranscript|>")
    assert max(tokens) < tokenizer.end_of_text


def test_a_lone_surrogate_is_replaced() -> None:
    tokenizer = ours(MULTILINGUAL)
    assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a\ufffdb"


def test_a_token_beyond_the_vocabulary_has_no_bytes() -> None:
    tokenizer = ours(MULTILINGUAL)
    assert tokenizer.token_bytes(tokenizer.end_of_text) == b"<|endoftext|>"
    assert tokenizer.token_bytes(60_000) == b""
    with pytest.raises(InvalidRequest, match="-1 is no token"):
        tokenizer.token_bytes(-1)


def vocabulary_file(dimensions: ModelDimensions) -> dict[str, Any]:
    """Return a `tokenizer.json` in the Hugging Face layout, made of the shipped vocabulary."""
    tokenizer = ours(dimensions)
    document: dict[str, Any] = json.loads(tokenizer._vocabulary.to_str())  # noqa: SLF001 (its JSON is what is needed)
    names = tokenizer.special.names()
    document["added_tokens"] = [{"id": token, "content": name, "special": True} for token, name in names.items()]
    return document


def written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@SHAPES
def test_a_tokenizer_file_gives_the_shipped_tokenizer(dimensions: ModelDimensions, tmp_path: Path) -> None:
    loaded = Tokenizer.from_file(written(tmp_path / "tokenizer.json", vocabulary_file(dimensions)), dimensions)
    assert loaded.special == ours(dimensions).special
    assert loaded.non_speech_tokens == ours(dimensions).non_speech_tokens
    assert loaded.encode("<|en|> It's 1,234.") == ours(dimensions).encode("<|en|> It's 1,234.")


def test_the_first_hugging_face_files_are_understood(tmp_path: Path) -> None:
    document = vocabulary_file(MULTILINGUAL)
    old = [token for token in document["added_tokens"] if not token["content"][2:3].isdigit()]
    old = [token | {"content": token["content"].replace("nospeech", "nocaptions")} for token in old]
    path = written(tmp_path / "tokenizer.json", document | {"added_tokens": old})
    assert Tokenizer.from_file(path, MULTILINGUAL).special == ours(MULTILINGUAL).special


@pytest.mark.parametrize(
    "content", [b"{}", b'{"model": 1}', b'{"model": {"vocab": {}, "merges": [["a"]]}}', b'{"added_tokens": [{}]}']
)
def test_a_file_that_is_no_tokenizer_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match=r"tokenizer\.json: not a readable tokenizer"):
        Tokenizer.from_file(path, MULTILINGUAL)


@pytest.mark.parametrize("name", ["<|startoftranscript|>", "<|nospeech|>", "<|notimestamps|>", "<|endoftext|>"])
def test_a_missing_special_token_is_named(name: str, tmp_path: Path) -> None:
    document = vocabulary_file(MULTILINGUAL)
    document["added_tokens"] = [token for token in document["added_tokens"] if token["content"] != name]
    with pytest.raises(InvalidCheckpoint) as refusal:
        Tokenizer.from_file(written(tmp_path / "tokenizer.json", document), MULTILINGUAL)
    assert refusal.value.problem == f"the special token {name} is missing."


def test_a_vocabulary_of_another_model_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "tokenizer.json", vocabulary_file(LARGE_V3))
    with pytest.raises(InvalidCheckpoint, match="timestamps end at 51865, the model has 51865 tokens"):
        Tokenizer.from_file(path, MULTILINGUAL)
    path = written(tmp_path / "tokenizer.json", vocabulary_file(MULTILINGUAL) | {"added_tokens": _without_languages()})
    with pytest.raises(InvalidCheckpoint, match="0 languages in a row"):
        Tokenizer.from_file(path, MULTILINGUAL)


def _without_languages() -> list[dict[str, object]]:
    tokens = vocabulary_file(MULTILINGUAL)["added_tokens"]
    return [token for token in tokens if token["content"][2:-2] not in LANGUAGE_NAMES]


def test_special_tokens_that_share_a_number_are_refused(tmp_path: Path) -> None:
    document = vocabulary_file(MULTILINGUAL)
    for token in document["added_tokens"]:
        token["id"] -= (token["content"] == "<|transcribe|>") * 1
    with pytest.raises(InvalidCheckpoint, match="share numbers"):
        Tokenizer.from_file(written(tmp_path / "tokenizer.json", document), MULTILINGUAL)


def test_a_vocabulary_with_gaps_is_refused(tmp_path: Path) -> None:
    document = vocabulary_file(MULTILINGUAL)
    document["model"]["vocab"].pop("")
    with pytest.raises(InvalidCheckpoint, match="gaps"):
        Tokenizer.from_file(written(tmp_path / "tokenizer.json", document), MULTILINGUAL)
