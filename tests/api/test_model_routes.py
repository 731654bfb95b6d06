"""`/api/v1/models` and `/api/v1/devices`: what is loaded, where it runs, and what was passed over."""

from dataclasses import replace

import httpx
import pytest

from tests.support.running_server import RunningServer
from whisper_inference.engines.factory import Attempt


def test_the_loaded_model_says_what_it_can_do(client: httpx.Client) -> None:
    listed = client.get("/api/v1/models").json()["models"]
    assert len(listed) == 1
    model = listed[0]
    assert model["aliases"] == ["whisper-1"]
    assert model["tasks"] == ["transcribe", "translate"]
    assert {"code": "de", "name": "german"} in model["languages"]
    assert model["formats"] == ["json", "text", "srt", "vtt"]
    assert model["served_by"]["device"] == "cpu"
    assert model["widest_beam"] >= 1
    for name in (model["name"], "whisper-1"):
        assert client.get(f"/api/v1/models/{name}").json() == model


def test_another_model_is_not_there(client: httpx.Client) -> None:
    answer = client.get("/api/v1/models/openai/whisper-none")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


def test_the_serving_device_and_its_load_are_told(client: httpx.Client) -> None:
    found = client.get("/api/v1/devices").json()
    assert found["serving"]["device"] == "cpu"
    assert found["serving"]["simulated"] is False
    assert found["tried"] == [{"device": "cpu", "engine": "openvino", "serves": True, "reason": None}]
    assert found["slots"] == {"total": 8, "in_use": 0}
    assert found["queue"] == {"windows": 0, "audio_seconds": 0.0, "max_audio_seconds": 1800.0}


def test_why_a_device_was_passed_over_is_told_to_admins_alone(
    client: httpx.Client,
    server: RunningServer,
    named_keys: dict[str, tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = server.app.state.server.loaded
    tried = (Attempt("npu", "openvino", "OpenVINO sees no NPU here"), *services.attempts)
    monkeypatch.setattr(server.app.state.server, "loaded", replace(services, attempts=tried))
    assert client.get("/api/v1/devices").json()["tried"][0] == {
        "device": "npu",
        "engine": "openvino",
        "serves": False,
        "reason": "OpenVINO sees no NPU here",
    }
    viewer = {"Authorization": f"Bearer {named_keys['viewer'][0]}"}
    assert client.get("/api/v1/devices", headers=viewer).json()["tried"][0]["reason"] is None
