"""`whisper-inference stream` speaks to a server and writes what is final."""

import asyncio
import io
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.test_stream import batch_text
from tests.support.running_server import KEY, RunningServer
from tests.support.sound_card import Flags, SoundCard
from tests.support.speaking import pcm, say_the_same
from whisper_inference.cli.microphone import Microphone
from whisper_inference.cli.program import main
from whisper_inference.cli.streaming import two_tone
from whisper_inference.errors import InvalidRequest, MicrophoneUnavailable
from whisper_inference.streaming.client import StreamClient
from whisper_inference.streaming.protocol import PartialText


def run(*arguments: str) -> int:
    """Type the command; return its exit code."""
    with pytest.raises(SystemExit) as left:
        main(("stream", *arguments))
    return int(left.value.code or 0)


def test_a_file_becomes_lines_of_text(server: RunningServer, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(clip), "--url", server.url, "--api-key", KEY, "--fast", "--language", "en") == 0
    assert say_the_same(capsys.readouterr().out, batch_text(server, clip))


def test_raw_samples_come_by_standard_input(
    server: RunningServer, clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pcm(clip))))
    assert run("-", "--url", server.url, "--api-key", KEY) == 0
    assert say_the_same(capsys.readouterr().out, batch_text(server, clip))


def test_what_is_said_into_a_microphone_comes_at_its_own_rate(
    server: RunningServer, clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = SoundCard(pcm(clip, rate=44_100), 44_100, overflows=True)
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    assert run("--microphone", "--url", server.url, "--api-key", KEY) == 0
    told = capsys.readouterr()
    assert len(told.out.split()) == pytest.approx(len(batch_text(server, clip).split()), abs=2)
    assert "Listening. Ctrl+C ends." in told.err
    assert re.search(r"Sound was lost \d+ times", told.err)
    assert card.opened == [{"samplerate": 44_100, "channels": 1, "dtype": "int16"}]


@pytest.fixture
def _in_a_terminal() -> Iterator[None]:
    """Where Ctrl+C interrupts: in a job in the background, as the whole suite may be, it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_in_a_terminal")
def test_an_interrupt_ends_the_sound_and_the_last_words_still_come(
    server: RunningServer, clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setitem(sys.modules, "sounddevice", SoundCard(pcm(clip), then=interrupt))
    assert run("--microphone", "--url", server.url, "--api-key", KEY) == 0
    assert say_the_same(capsys.readouterr().out, batch_text(server, clip))
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_computer_without_a_microphone_or_its_library_is_told_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", SoundCard(None))
    assert run("--microphone") == 1
    assert "No microphone can be used (Error querying device -1 (input)): plug one in" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert run("--microphone") == 1
    assert "pip install 'whisper-operator[inference,microphone]'" in capsys.readouterr().err
    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    assert run("--microphone") == 1
    assert "(PortAudio library not found): on Debian and Ubuntu, apt install libportaudio2" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [(), ("-", "--microphone")])
def test_there_is_one_source(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == 2
    assert "Name a sound file or - for standard input, or say --microphone" in capsys.readouterr().err


def test_a_server_that_is_a_minute_behind_the_microphone_ends_the_sound() -> None:
    async def whole() -> None:
        microphone = Microphone(16_000)
        for _ in range(700):
            microphone.take(b"frame", 1, None, Flags())
        frames = microphone.frames()
        assert [await anext(frames) for _ in range(600)] == [b"frame"] * 600
        with pytest.raises(MicrophoneUnavailable, match="a minute behind"):
            await anext(frames)

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere.wav",), "nowhere.wav cannot be read"),
        (("{clip}", "--url", "localhost"), "is no address of a server"),
        (("{clip}", "--url", "http://127.0.0.1:1"), "cannot be reached"),
        (("{clip}", "--url", "{server}", "--api-key", "wrong"), "not one of this server's"),
        (("{clip}", "--url", "{server}", "--api-key", KEY, "--language", "klingon"), "klingon"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    server: RunningServer,
    clip: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    filled = [each.format(clip=clip, server=server.url) for each in arguments]
    assert run(*filled, "--fast") in {1, 2}
    assert sentence in capsys.readouterr().err


def test_stable_and_unstable_text_differ_to_the_eye() -> None:
    shown = two_tone(PartialText(start=0, end=1, stable_text=" the ship", unstable_text=" sails"))
    assert [(shown.plain[span.start : span.end], span.style) for span in shown.spans] == [
        ("the ship", "bold"),
        (" sails", "dim"),
    ]


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="http://HOST:PORT"):
        StreamClient("speech.example.org", None)
