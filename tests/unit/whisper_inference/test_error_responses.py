"""The one table and the one body."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from whisper_inference import errors
from whisper_inference.error_responses import STATUS, error_body, error_response, install
from whisper_inference.security_headers import HEADERS


def test_every_fact_that_a_request_can_meet_has_a_status() -> None:
    startup = {
        errors.InvalidSettings,
        errors.InvalidCheckpoint,
        errors.ModelAccessDenied,
        errors.DownloadFailed,
        errors.DeviceUnavailable,
        errors.UnsupportedPrecision,
        errors.StreamRefused,  # met by a client, not by a server
        errors.MicrophoneUnavailable,  # of the command line
    }
    known = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.WhisperError)}
    assert known - startup - {errors.WhisperError, errors.Postponed} == set(STATUS)


def test_a_full_queue_is_answered_with_429_and_when_to_come_back() -> None:
    response = error_response(errors.Overloaded("Full.", retry_after_seconds=7))
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "7"
    assert error_body(errors.Overloaded("Full.", retry_after_seconds=7))["error"]["retry_after"] == 7


@pytest.mark.parametrize("error", [errors.ShuttingDown("Going."), errors.NotReady("Loading.")])
def test_what_passes_soon_says_so(error: errors.WhisperError) -> None:
    response = error_response(error)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


def test_what_has_no_place_in_the_table_tells_nothing_of_the_inside() -> None:
    body = error_body(errors.InvalidCheckpoint(Path("/secret/place"), "broken"))["error"]
    assert "secret" not in body["message"]
    assert (body["code"], body["type"]) == ("internal_error", "server_error")


def test_a_missing_key_says_which_scheme_is_wanted() -> None:
    assert error_response(errors.Unauthenticated("No.")).headers["WWW-Authenticate"] == "Bearer"


def test_a_defect_of_ours_tells_nothing_and_has_the_headers_of_every_answer() -> None:
    app = FastAPI()
    install(app)

    @app.get("/")
    def fail() -> None:
        raise RuntimeError("the inside")

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert answer.status_code == 500
    assert "the inside" not in answer.text
    assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
