"""`whisper-operator play`, as a person without a cluster types it, with the demo model."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

pytestmark = pytest.mark.slow

CLIP = "examples/audio/unseen_0.wav"
QUICKSTART = Path("examples/quickstart.yaml")


def command(manifest: Path, *options: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "whisper_operator", "play", "-f", str(manifest), *options]


def test_a_clip_is_transcribed_by_the_pod_of_the_quickstart(tmp_path: Path) -> None:
    arguments = command(QUICKSTART, "--transcribe", CLIP, "--cache-dir", str(tmp_path))
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 3
    assert "cpu" in done.stderr


def test_a_standby_plays_where_the_device_is_not(tmp_path: Path) -> None:
    manifest = yaml.safe_load(QUICKSTART.read_text())
    manifest["spec"] |= {
        "pools": [{"name": "npu", "device": "npu"}, {"name": "spare", "device": "cpu", "standby": True}],
        "fallback": {"after": "1s"},
    }
    path = tmp_path / "wd.yaml"
    path.write_text(yaml.safe_dump(manifest))
    arguments = command(path, "--transcribe", CLIP, "--cache-dir", str(tmp_path))
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert "spare 1/1" in done.stderr


def test_where_nothing_can_serve_it_ends_and_says_so(tmp_path: Path) -> None:
    manifest = yaml.safe_load(QUICKSTART.read_text())
    manifest["spec"]["model"]["source"]["path"] = "/no/such/model"
    path = tmp_path / "wd.yaml"
    path.write_text(yaml.safe_dump(manifest))
    done = subprocess.run(command(path, "--port", "0"), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "No pool can serve here" in done.stderr


@pytest.fixture
def playing(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """The quickstart, until the test ends."""
    arguments = command(QUICKSTART, "--port", "0", "--cache-dir", str(tmp_path))
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    yield process
    process.kill()
    process.wait()
    if process.stderr:
        process.stderr.close()


def test_it_serves_behind_one_url_with_a_key_until_ctrl_c(playing: "subprocess.Popen[str]") -> None:
    assert playing.stderr is not None
    said = ""
    while "Ctrl-C" not in said:
        line = playing.stderr.readline()
        assert line, said
        said += line
    url, key, password = re.findall(r"^(?:URL|Key|Password) +(\S+)$", said, re.MULTILINE)
    login = httpx.post(f"{url}/api/v1/auth/login", json={"username": "admin", "password": password})
    for token in (key, login.json()["token"]):
        models = httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {token}"})
        assert models.json()["data"][0]["id"] == "demo"
    assert httpx.get(f"{url}/v1/models").status_code == 401
    playing.send_signal(signal.SIGINT)
    assert playing.wait(30) == 0
