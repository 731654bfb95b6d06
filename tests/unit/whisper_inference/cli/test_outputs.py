"""Transcripts land in files of their own and replace nothing unasked."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.cli.options import OutputFormat
from whisper_inference.cli.outputs import EXTENSIONS, name_outputs, refuse_existing, write_output
from whisper_inference.errors import InvalidRequest

OUT = Path("out")
FILE_NAMES = st.from_regex(r"[ab]{1,2}(\.[ab]{1,2}){0,2}", fullmatch=True)


def test_an_output_has_its_input_s_stem() -> None:
    assert name_outputs([Path("in/talk.wav")], OUT, "srt") == {Path("in/talk.wav"): OUT / "talk.srt"}


def test_inputs_that_share_a_stem_keep_their_whole_names() -> None:
    files = [Path("talk.wav"), Path("talk.mp3"), Path("other.mp3")]
    named = name_outputs(files, OUT, "txt")
    assert list(named.values()) == [OUT / "talk.wav.txt", OUT / "talk.mp3.txt", OUT / "other.txt"]


def test_inputs_of_the_same_name_in_two_folders_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"a/talk.wav and b/talk.wav would both be written to out/talk.wav.vtt"):
        name_outputs([Path("a/talk.wav"), Path("b/talk.wav")], OUT, "vtt")


@given(st.lists(FILE_NAMES, unique=True))
def test_no_two_inputs_ever_share_an_output(names: list[str]) -> None:
    try:
        outputs = name_outputs([Path(name) for name in names], OUT, "json")
    except InvalidRequest:
        return
    assert len(set(outputs.values())) == len(names)


def test_every_format_has_an_extension() -> None:
    assert set(EXTENSIONS) == set(get_args(OutputFormat))


def test_what_exists_is_refused_with_a_way_out(tmp_path: Path) -> None:
    old, other = tmp_path / "a.txt", tmp_path / "b.txt"
    refuse_existing({Path("a.wav"): old})
    old.write_text("kept")
    other.write_text("kept")
    with pytest.raises(InvalidRequest, match=r"a.txt and 1 more exists already: use --overwrite"):
        refuse_existing({Path("a.wav"): old, Path("b.wav"): other})


def test_an_output_is_written_whole_in_a_folder_that_is_made(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    write_output(target, "Grüße\n")
    assert target.read_text(encoding="utf-8") == "Grüße\n"
    assert list(target.parent.iterdir()) == [target]


def test_a_write_that_fails_leaves_nothing_half_done(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_output(target, "text")
    assert list(tmp_path.iterdir()) == [target]
