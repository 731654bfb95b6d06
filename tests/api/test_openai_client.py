"""The official `openai` client against the server: what it sends is understood, what it gets is typed."""

from pathlib import Path

import openai
import pytest
from openai.types.audio import TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent

TEXT = "Please fix the fast pump. Anna rice bottle temperature."


def test_json_is_the_default(openai_client: openai.OpenAI, clip: Path) -> None:
    transcription = openai_client.audio.transcriptions.create(file=clip, model="whisper-1")
    assert transcription.text == TEXT
    assert transcription.usage is not None
    assert transcription.usage.type == "duration"
    assert transcription.usage.seconds == 6


def test_the_loaded_models_name_works_as_well(openai_client: openai.OpenAI, clip: Path) -> None:
    name = openai_client.models.list().data[0].id
    assert openai_client.audio.transcriptions.create(file=clip, model=name).text == TEXT


def test_text_is_plain(openai_client: openai.OpenAI, clip: Path) -> None:
    text = openai_client.audio.transcriptions.create(file=clip, model="whisper-1", response_format="text")
    assert text.strip() == TEXT


def test_subtitles_have_times(openai_client: openai.OpenAI, clip: Path) -> None:
    srt = openai_client.audio.transcriptions.create(file=clip, model="whisper-1", response_format="srt")
    vtt = openai_client.audio.transcriptions.create(file=clip, model="whisper-1", response_format="vtt")
    assert srt.startswith("1\n00:00:00,")
    assert vtt.startswith("WEBVTT\n\n00:00:00.")
    assert "Anna rice bottle temperature." in srt
    assert "Anna rice bottle temperature." in vtt


def test_verbose_json_has_every_field(openai_client: openai.OpenAI, clip: Path) -> None:
    verbose = openai_client.audio.transcriptions.create(
        file=clip,
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert verbose.text == TEXT
    assert verbose.language == "english"
    assert verbose.duration == pytest.approx(5.475, abs=0.01)
    assert verbose.words is not None
    assert [word.word for word in verbose.words] == [*TEXT.split()]
    assert all(0 <= word.start <= word.end <= 5.5 for word in verbose.words)
    assert verbose.segments is not None
    assert [segment.id for segment in verbose.segments] == [0, 1]
    assert all(segment.avg_logprob < 0 and segment.tokens for segment in verbose.segments)


def test_streamed_deltas_join_to_the_final_text(openai_client: openai.OpenAI, long_clip: Path) -> None:
    stream = openai_client.audio.transcriptions.create(file=long_clip, model="whisper-1", stream=True)
    events = list(stream)
    deltas = [event.delta for event in events if isinstance(event, TranscriptionTextDeltaEvent)]
    done = events[-1]
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert len(deltas) > 3
    assert "".join(deltas) == done.text


def test_log_probabilities_come_when_they_are_asked_for(openai_client: openai.OpenAI, clip: Path) -> None:
    transcription = openai_client.audio.transcriptions.create(file=clip, model="whisper-1", include=["logprobs"])
    assert transcription.logprobs
    assert all(token.logprob is not None and token.logprob <= 0 for token in transcription.logprobs)
    assert "".join(token.token or "" for token in transcription.logprobs).strip() == TEXT


def test_a_prompt_a_language_and_a_temperature_are_taken(openai_client: openai.OpenAI, clip: Path) -> None:
    transcription = openai_client.audio.transcriptions.create(
        file=clip, model="whisper-1", language="en", prompt="Tokyo and London.", temperature=0
    )
    assert transcription.text == TEXT


def test_automatic_chunking_gives_the_same_words(openai_client: openai.OpenAI, clip: Path) -> None:
    transcription = openai_client.audio.transcriptions.create(file=clip, model="whisper-1", chunking_strategy="auto")
    assert transcription.text == TEXT


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the client's own word on its old overloads
def test_translation_is_served(openai_client: openai.OpenAI, clip: Path) -> None:
    assert isinstance(openai_client.audio.translations.create(file=clip, model="whisper-1").text, str)


def test_a_wrong_key_is_an_authentication_error(openai_client: openai.OpenAI, clip: Path) -> None:
    stranger = openai_client.with_options(api_key="another-key-entirely")
    with pytest.raises(openai.AuthenticationError) as caught:
        stranger.audio.transcriptions.create(file=clip, model="whisper-1")
    assert caught.value.code == "invalid_api_key"


def test_another_model_is_not_found(openai_client: openai.OpenAI, clip: Path) -> None:
    with pytest.raises(openai.NotFoundError, match="not loaded here") as caught:
        openai_client.audio.transcriptions.create(file=clip, model="gpt-4o-transcribe")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"response_format": "diarized_json"}, "response_format", "unsupported_field"),
        ({"known_speaker_names": ["Anna"]}, "known_speaker_names", "unsupported_field"),
        (
            {"chunking_strategy": {"type": "server_vad", "threshold": 0.3}},
            "chunking_strategy[threshold]",
            "unsupported_field",
        ),
        ({"language": "klingon"}, "language", "invalid_value"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities", "invalid_value"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_by_name(
    openai_client: openai.OpenAI, clip: Path, fields: dict[str, object], param: str, code: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        openai_client.audio.transcriptions.create(file=clip, model="whisper-1", **fields)  # type: ignore[call-overload] # wrong on purpose
    assert (caught.value.param, caught.value.code) == (param, code)


def test_a_file_that_is_no_audio_is_a_typed_error(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        openai_client.audio.transcriptions.create(file=("song.mp3", b"not a song at all"), model="whisper-1")
    assert caught.value.status_code == 415
    assert caught.value.code == "unsupported_audio_format"
