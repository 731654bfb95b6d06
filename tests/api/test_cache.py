"""`/api/v1/cache`: what is kept, and clearing it while the server goes on."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import EXAMPLES
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.models.cache import CachedRepository
from whisper_inference.models.manifest import Manifest, write_manifest
from whisper_inference.settings import ServerSettings

COMMIT = "c" * 40


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    """A cache with the demo model as if it had been downloaded twice."""
    for name in ("example/demo", "example/other"):
        folder = CachedRepository.of(tmp_path, name).snapshot(COMMIT)
        folder.mkdir(parents=True)
        for file in (EXAMPLES / "models/demo").iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        write_manifest(folder, Manifest(name, COMMIT, ()))
    return tmp_path


@pytest.fixture
def cached(cache_dir: Path) -> Iterator[RunningServer]:
    """A server that runs one of the two."""
    model = CachedRepository.of(cache_dir, "example/demo").snapshot(COMMIT)
    settings = ServerSettings(model=str(model), device="cpu", api_key=KEY, cache_dir=cache_dir)
    with running_server(settings) as running:
        yield running


def test_what_is_loaded_stays_and_the_rest_goes(cached: RunningServer, cache_dir: Path, clip: Path) -> None:
    with httpx.Client(base_url=cached.url, headers=cached.headers, timeout=60) as client:
        before = client.get("/api/v1/cache").json()
        in_use = {item["name"]: item["in_use"] for item in before["items"] if item["kind"] == "model"}
        assert in_use == {"example/demo@cccccccccccc": True, "example/other@cccccccccccc": False}
        assert [item["in_use"] for item in before["items"] if item["kind"] == "compiled"] == [True]
        assert before["bytes"] == sum(item["bytes"] for item in before["items"])
        assert str(cache_dir) not in str(before)

        compiled = client.delete("/api/v1/cache?which=compiled").json()
        assert (compiled["freed_bytes"], compiled["removed"]) == (0, [])
        cleared = client.delete("/api/v1/cache").json()
        assert [item["name"] for item in cleared["removed"]] == ["example/other@cccccccccccc"]
        assert cleared["freed_bytes"] == cleared["removed"][0]["bytes"] > 1000
        assert len(cleared["kept"]) == 2
        assert client.get("/api/v1/cache").json()["bytes"] == before["bytes"] - cleared["freed_bytes"]

        answer = client.post("/api/v1/transcriptions", files={"file": ("x.wav", clip.read_bytes())})
        assert answer.json()["text"]


@pytest.mark.parametrize("query", ["?which=../..", "?path=/etc", "?which="])
def test_a_client_names_no_path(client: httpx.Client, query: str) -> None:
    assert client.delete(f"/api/v1/cache{query}").status_code == 422


def test_a_server_without_a_cache_of_its_own_clears_nobody_else_s() -> None:
    settings = ServerSettings(model=str(EXAMPLES / "models/demo"), device="cpu", api_key=KEY)
    with running_server(settings) as running:
        for method in ("GET", "DELETE"):
            answer = httpx.request(method, f"{running.url}/api/v1/cache", headers=running.headers)
            assert answer.status_code == 404
            assert "WHISPER_CACHE_DIR" in answer.json()["error"]["message"]
