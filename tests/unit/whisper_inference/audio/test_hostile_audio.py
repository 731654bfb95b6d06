"""No upload costs more memory or time than its limits say, and each is heard or refused with a typed error."""

import json
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.support.hostile_audio import CRAFTED_NAMES, crafted_upload, hostile_uploads
from whisper_inference.audio.decoding import AudioLimits, decode_audio
from whisper_inference.errors import WhisperError

LIMITS = AudioLimits(max_duration=60)
IN_ANOTHER_PROCESS = """
import json, resource, sys, time
from whisper_inference.audio.decoding import AudioLimits, decode_audio
from whisper_inference.errors import WhisperError
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
upload = open(sys.argv[1], "rb").read()
decode_audio(open(sys.argv[2], "rb").read(), AudioLimits())
before, began = peak(), time.monotonic()
try:
    decode_audio(upload, AudioLimits())
    outcome = "heard"
except WhisperError as error:
    outcome = type(error).__name__
print(json.dumps([outcome, time.monotonic() - began, peak() - before]))
"""
"""Peak memory is a process's own: the test's has been there before."""


def decode_elsewhere(upload: bytes, folder: Path) -> tuple[str, float, int]:
    """Decode in a fresh process: outcome, seconds, and by how many MiB the peak rose over that of a short WAV."""
    (folder / "upload").write_bytes(upload)
    (folder / "warm").write_bytes(crafted_upload("WAV before a FLAC"))
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(folder / "upload"), str(folder / "warm")]
    root = Path(__file__).parents[4]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=root)
    assert not done.stderr, "FFmpeg writes nothing into the server's log"
    outcome, seconds, megabytes = json.loads(done.stdout)
    return outcome, seconds, megabytes


def outcome_of(upload: bytes) -> tuple[bool, float]:
    """Decode: whether it was heard, and the seconds it took."""
    began = time.monotonic()
    try:
        samples = decode_audio(upload, LIMITS)
    except WhisperError:
        return False, time.monotonic() - began
    assert np.isfinite(samples).all()
    assert len(samples) <= LIMITS.max_duration * 16_000
    return True, time.monotonic() - began


def test_the_same_seed_makes_the_same_uploads() -> None:
    assert list(hostile_uploads(60, seed=4)) == list(hostile_uploads(60, seed=4))
    assert list(hostile_uploads(60, seed=4)) != list(hostile_uploads(60, seed=5))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_hostile_upload_is_heard_or_refused_in_time(seed: int) -> None:
    heard, slowest = 0, 0.0
    for name, upload in islice(hostile_uploads(222, seed), len(CRAFTED_NAMES), None):
        intact, seconds = outcome_of(upload)
        heard += intact
        slowest = max(slowest, seconds)
        assert seconds < 5, name
    assert 20 < heard < 190, "some are damaged beyond use and some are not"


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("long silence in FLAC", "AudioTooLong"),
        ("long silence in Opus", "AudioTooLong"),
        ("long silence in MP3", "AudioTooLong"),
        ("index of 700 MB", "UnreadableAudio"),
        ("hundreds of edits", "UnreadableAudio"),
        ("tag that inflates", "heard"),
        ("tag in a chunk", "heard"),
        ("tag between frames", "heard"),
    ],
)
def test_a_bomb_costs_neither_memory_nor_time(name: str, outcome: str, tmp_path: Path) -> None:
    met, seconds, megabytes = decode_elsewhere(crafted_upload(name), tmp_path)
    assert met == outcome
    assert seconds < 5
    assert megabytes < 120


@pytest.mark.parametrize("name", [name for name in CRAFTED_NAMES if not name.startswith("long")])
def test_every_crafted_upload_is_heard_or_refused(name: str) -> None:
    _, seconds = outcome_of(crafted_upload(name))
    assert seconds < 5


@pytest.mark.parametrize("name", ["playlist", "concatenation", "drawing", "archive"])
def test_a_file_of_another_kind_is_never_opened(name: str) -> None:
    heard, _ = outcome_of(crafted_upload(name))
    assert not heard
