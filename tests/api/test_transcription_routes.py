"""`/api/v1/transcriptions` and `/api/v1/translations`: the rich answer, and every option obeyed or refused by name."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st

from tests.support.running_server import RunningServer
from whisper_inference.routes.v1.requests import parse_fields
from whisper_inference.routes.v1.transcript_response import TranscriptResponse
from whisper_inference.routes.v1.transcription_request import TranscriptionRequest
from whisper_inference.transcription import TranscriptionOptions

PATH = "/api/v1/transcriptions"


def send(client: httpx.Client, clip: Path, path: str = PATH, **fields: Any) -> httpx.Response:  # noqa: ANN401 - a form
    """Send a recording with some fields."""
    return client.post(path, data=fields, files={"file": ("x.wav", clip.read_bytes())})


def test_one_answer_says_everything(client: httpx.Client, clip: Path) -> None:
    answer = send(client, clip, word_timestamps="true", logprobs="true")
    assert answer.status_code == 200
    assert answer.headers["X-Whisper-Device"] == "cpu"
    found = TranscriptResponse.model_validate(answer.json(), extra="forbid")
    assert (found.task, found.language, found.language_name) == ("transcribe", "en", "english")
    assert found.text
    assert " ".join(segment.text for segment in found.segments) == found.text
    words = [word for segment in found.segments for word in segment.words]
    assert " ".join(word.text for word in words) == found.text
    assert all(0 <= word.start <= word.end <= found.duration + 0.1 and 0 <= word.probability <= 1 for word in words)
    assert all(segment.logprobs for segment in found.segments)
    assert found.served_by.device == "cpu"
    assert found.timings.processing_seconds > 0
    assert found.timings.real_time_factor == pytest.approx(
        found.timings.processing_seconds / found.duration, rel=0.05, abs=0.001
    )


def test_it_is_the_text_of_openai_s_route(client: httpx.Client, clip: Path) -> None:
    openai = send(client, clip, "/v1/audio/transcriptions", model="whisper-1").json()
    assert send(client, clip).json()["text"] == openai["text"]


def test_what_the_guard_withholds_comes_with_its_reason(client: httpx.Client, silence: Path) -> None:
    found = send(client, silence).json()
    assert found["text"] == ""
    assert [each["reason"] for each in found["dropped"]] == ["no_voice"]
    assert send(client, silence, guard="false").json()["dropped"] == []


@pytest.mark.parametrize(
    ("wanted", "kind", "beginning"),
    [("text", "text/plain", ""), ("srt", "text/plain", "1\n00:00:00,"), ("vtt", "text/vtt", "WEBVTT\n")],
)
def test_it_comes_in_formats_for_reading(
    client: httpx.Client, clip: Path, wanted: str, kind: str, beginning: str
) -> None:
    answer = send(client, clip, format=wanted)
    assert answer.headers["Content-Type"].startswith(kind)
    assert answer.headers["X-Whisper-Device"] == "cpu"
    assert answer.text.startswith(beginning)
    assert len(answer.text) > len(beginning)


def test_a_translation_says_that_it_is_one(client: httpx.Client, clip: Path) -> None:
    found = send(client, clip, "/api/v1/translations", language="german").json()
    assert (found["task"], found["language"]) == ("translate", "de")


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"colour": "blue"}, 422, "colour"),
        ({"colour": ""}, 422, "colour"),
        ({"format": "verbose_json"}, 422, "format"),
        ({"beam_size": "0"}, 422, "beam_size"),
        ({"beam_size": ["2", "3"]}, 422, "beam_size"),
        ({"beam_size": "64"}, 400, "beam_size"),
        ({"temperature": "1.5"}, 422, "temperature"),
        ({"temperature": "nan"}, 422, "temperature"),
        ({"no_speech_threshold": "perhaps"}, 422, "no_speech_threshold"),
        ({"language": "klingon"}, 400, "language"),
        ({"model": "other"}, 404, "model"),
        ({"seed": "-1"}, 422, "seed"),
    ],
)
def test_what_means_nothing_is_refused_by_name(
    client: httpx.Client, clip: Path, fields: dict[str, Any], status: int, param: str
) -> None:
    answer = send(client, clip, **fields)
    assert answer.status_code == status
    assert answer.json()["error"]["param"] == param


def test_an_unknown_query_parameter_is_refused_once_it_is_known_who_asks(
    client: httpx.Client, server: RunningServer
) -> None:
    for method, path in (
        ("POST", PATH),
        ("GET", "/api/v1/models"),
        ("GET", "/api/v1/devices"),
        ("GET", "/api/v1/auth/me"),
    ):
        answer = client.request(method, f"{path}?colour=blue")
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] == "colour"
        assert httpx.request(method, f"{server.url}{path}?colour=blue").status_code == 401


def test_uploads_have_the_limits_of_openai_s_route(client: httpx.Client) -> None:
    large = client.post(PATH, files={"file": ("x.wav", b"\0" * (9 << 20))})
    assert large.status_code == 413
    assert client.post(PATH, files={"file": ("x.wav", b"no audio")}).status_code == 415
    assert client.post(PATH, data={"a": "b"}).status_code == 400
    assert client.post(PATH, json={}).status_code == 400


def test_the_form_s_defaults_are_those_of_the_transcriber() -> None:
    assert TranscriptionRequest.model_validate({}).options("translate") == TranscriptionOptions(task="translate")


def test_every_option_of_the_transcriber_can_be_asked_for() -> None:
    fields = {
        "language": ["German"],
        "prompt": ["names"],
        "temperature": ["0.1", "0.5"],
        "beam_size": ["3"],
        "patience": ["2"],
        "length_penalty": ["0.5"],
        "best_of": ["4"],
        "timestamps": ["false"],
        "word_timestamps": ["true"],
        "condition_on_previous_text": ["no"],
        "compression_ratio_threshold": ["off"],
        "logprob_threshold": ["-2"],
        "no_speech_threshold": ["0.5"],
        "long_form": ["batched"],
        "guard": ["0"],
        "logprobs": ["1"],
        "seed": ["7"],
    }
    asked = parse_fields(TranscriptionRequest, fields).options("transcribe")
    assert asked == TranscriptionOptions(
        "transcribe", "de", "names", (0.1, 0.5), 3, 2.0, 0.5, 4,
        timestamps=False, word_timestamps=True, condition_on_previous_text=False, compression_ratio_threshold=None,
        logprob_threshold=-2.0, no_speech_threshold=0.5, long_form="batched", guard=False, logprobs=True, seed=7,
    )  # fmt: skip


@given(
    st.dictionaries(
        st.text(max_size=80) | st.sampled_from(sorted(TranscriptionRequest.model_fields)),
        st.lists(st.text(), max_size=3),
    )
)
def test_any_form_is_understood_or_refused(fields: dict[str, list[str]]) -> None:
    try:
        parse_fields(TranscriptionRequest, fields)
    except RequestValidationError as problem:
        named = [str(each["loc"][1]) for each in problem.errors()]
        if not named or max(map(len, named)) > 64:
            raise
