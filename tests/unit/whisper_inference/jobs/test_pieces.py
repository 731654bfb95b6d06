"""Cutting recordings, and joining what was heard in the pieces."""

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.features import SAMPLE_RATE
from whisper_inference.jobs.parts import join_parts, read_part, write_part
from whisper_inference.jobs.pieces import cut_into_pieces, off_the_loop
from whisper_inference.transcription import Dropped, DropReason, Segment, TokenLogprob, Transcript, Word


def noise(seconds: float) -> FloatArray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * SAMPLE_RATE)).astype(np.float32)


@given(lengths=st.lists(st.integers(0, 3 * SAMPLE_RATE), max_size=12), longest=st.floats(0.5, 4))
def test_nothing_is_lost_and_no_piece_is_longer_than_it_may_be(lengths: list[int], longest: float) -> None:
    whole = np.arange(sum(lengths), dtype=np.float32)
    blocks = np.split(whole, np.cumsum(lengths)[:-1]) if lengths else []
    pieces = list(cut_into_pieces(blocks, longest))
    assert np.array_equal(np.concatenate([np.zeros(0, dtype=np.float32), *pieces]), whole)
    assert all(len(piece) <= longest * SAMPLE_RATE for piece in pieces[:-1])
    assert all(len(piece) > 0 for piece in pieces)
    assert sum(len(piece) for piece in pieces[-1:]) <= (longest + 1) * SAMPLE_RATE


def test_a_recording_is_cut_where_nobody_speaks() -> None:
    samples = noise(100)
    pause = slice(52 * SAMPLE_RATE, 53 * SAMPLE_RATE)
    samples[pause] *= 0.01
    first = next(cut_into_pieces([samples], 60))
    assert pause.start < len(first) < pause.stop


def test_an_iterator_runs_off_the_loop_and_is_closed_there_when_nobody_wants_more() -> None:
    threads: list[str] = []
    closed = threading.Event()

    def endless() -> Iterator[FloatArray]:
        try:
            while True:
                threads.append(threading.current_thread().name)
                yield noise(0.01)
        finally:
            closed.set()

    async def take_two() -> None:
        async with off_the_loop(endless()) as pieces:
            async for _ in pieces:
                if len(threads) == 2:
                    break

    asyncio.run(take_two())
    assert closed.wait(10)
    assert all(name.startswith("whisper-job-audio") for name in threads)


def segment(start: float, end: float, text: str) -> Segment:
    words = (Word(text, start, end, 0.9),)
    return Segment(
        0, round(start * 100), start, end, text, (1, 2), 0.0, -0.1, 1.0, 0.0, words, (TokenLogprob(1, "a", -1),)
    )


def test_parts_are_joined_with_the_times_of_the_whole() -> None:
    silence = Transcript("transcribe", "en", 10.0, (), (Dropped(DropReason.NO_VOICE, 0.0, 10.0, ""),))
    first = Transcript("transcribe", "de", 120.5, (segment(1, 2, " eins"), segment(3, 4, " zwei")))
    second = Transcript(
        "transcribe", "de", 20.0, (segment(5, 6, " drei"),), (Dropped(DropReason.NO_SPEECH, 1, 2, "x"),)
    )
    whole = join_parts([silence, first, second])
    assert whole.text == "eins zwei drei"
    assert (whole.language, whole.duration) == ("de", 150.5)
    assert [each.id for each in whole.segments] == [0, 1, 2]
    assert [each.start for each in whole.segments] == [11, 13, 135.5]
    assert whole.segments[2].seek == 13550
    assert (whole.words[2].start, whole.words[2].end) == (135.5, 136.5)
    assert [(each.start, each.end) for each in whole.dropped] == [(0.0, 10.0), (131.5, 132.5)]


@pytest.mark.parametrize("duration", [0.0, 7.25])
def test_a_part_is_read_as_it_was_written(duration: float) -> None:
    part = Transcript(
        "translate", "de", duration, (segment(1, 2, " ü \x00"),), (Dropped(DropReason.REPETITION, 0, 1, "la la"),)
    )
    assert read_part(write_part(part)) == part
