"""The command `transcribe` with the demo model: what lands on standard output, on standard error and in files."""

import json
from pathlib import Path

import pytest

from whisper_inference.cli.program import main

EXAMPLES = Path(__file__).parents[4] / "examples"
AUDIO = EXAMPLES / "audio"
GOODBYE = "Goodbye good spring wait."
"""What is said in `seen_4.wav`."""


def transcribe(*arguments: str | Path) -> int:
    """Run the command on the CPU and return its exit code."""
    where = ("--model", EXAMPLES / "models/demo", "--device", "cpu", "--engine", "openvino", "--precision", "f32")
    with pytest.raises(SystemExit) as ended:
        main(["transcribe", *map(str, (*arguments, *where))])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_text_is_on_standard_output_and_what_computed_it_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert transcribe(AUDIO / "seen_4.wav") == 0
    said = capsys.readouterr()
    assert said.out == f"{GOODBYE}\n"
    device, outcome = said.err.splitlines()
    assert device.startswith("Device: cpu (")
    assert device.endswith("), engine openvino, precision f32")
    assert outcome.startswith(f"{AUDIO / 'seen_4.wav'}: 2.4 s of audio in ")
    assert "real-time factor 0." in outcome or "real-time factor 1." in outcome


def test_bad_files_are_named_and_the_others_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tmp_path / "words.txt"
    words.write_text("This is no sound.")
    files = (AUDIO / "seen_4.wav", words, tmp_path / "missing.wav", AUDIO, AUDIO / "seen_2.mp3")
    assert transcribe(*files, "--format", "srt", "--output-dir", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"seen_4.srt", "seen_2.srt"}
    assert (tmp_path / "out/seen_4.srt").read_text().startswith("1\n00:00:00,")
    assert f"{tmp_path / 'missing.wav'}: No such file or directory." in said.err
    assert f"{AUDIO}: Is a directory." in said.err
    assert f"{words}: This is no audio that is decoded here" in said.err
    assert said.err.splitlines()[-1].startswith("2 of 5 files transcribed: 8.3 s of audio in ")


def test_several_texts_in_one_stream_have_titles_and_json_is_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = AUDIO / "seen_4.wav", AUDIO / "silence_0.wav"
    assert transcribe(first, second, first) == 0
    assert capsys.readouterr().out == f"==> {first} <==\n{GOODBYE}\n==> {second} <==\n\n"
    assert transcribe(first, second, "--format", "verbose_json", "--word-timestamps") == 0
    spoken, silent = map(json.loads, capsys.readouterr().out.splitlines())
    assert spoken["text"] == GOODBYE
    assert [word["word"] for word in spoken["words"]] == GOODBYE.split()
    assert silent["text"] == ""
    assert [dropped["reason"] for dropped in silent["guard"]["dropped"]] == ["no_voice"]


def test_audio_that_is_longer_than_allowed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert transcribe(AUDIO / "seen_4.wav", "--max-audio-seconds", "1") == 1
    assert f"{AUDIO / 'seen_4.wav'}: " in capsys.readouterr().err.splitlines()[-1]


def test_options_reach_the_decoding(capsys: pytest.CaptureFixture[str]) -> None:
    assert transcribe(AUDIO / "seen_4.wav", "--beam-size", "99") == 1
    assert "beam_size may be at most 8" in capsys.readouterr().err.splitlines()[-1]
