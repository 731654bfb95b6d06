"""Every engine says what openai-whisper's own model says for the same tokens, whatever else its batch is doing."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.checkpoints import Clip
from tests.support.lineup import LINEUP, MAX_ROWS, Contestant, Pair, TwinRow, TwinWindow
from tests.support.openai_whisper import first_window, whisper_model
from tests.support.whisper_model_engine import WhisperModelEngine
from whisper_inference.arrays import FloatArray
from whisper_inference.models.checkpoint import Checkpoint

CONTEXT = 448


@pytest.mark.parametrize("length", [1, 3, 16, 17, 64, 65, 129, 300, CONTEXT])
def test_prompts_of_any_length_give_the_reference_s_logits(
    pair: Pair, windows: list[FloatArray], spoken: list[int], length: int
) -> None:
    with pair.window(windows[0]) as window:
        window.start(spoken[:length], 1, sorted({0, length // 2, length - 1}))


def test_logits_come_in_the_order_in_which_they_were_asked_for(
    pair: Pair, windows: list[FloatArray], spoken: list[int]
) -> None:
    with pair.window(windows[0]) as window:
        window.start(spoken[:40], 2, (39, 3, 17, 3))


@pytest.mark.parametrize("length", [61, 125, 445])
def test_rows_remember_across_every_growth_of_their_past(
    pair: Pair, windows: list[FloatArray], spoken: list[int], length: int
) -> None:
    """Engines grow what a row remembers in steps of 64 or 128 positions."""
    steps = min(6, CONTEXT - length)
    with pair.window(windows[0]) as window:
        rows = window.start(spoken[:length], 2, (length - 1,))
        for at in range(length, length + steps):
            pair.step(rows, (spoken[at], spoken[at + 1]))


def test_a_long_row_does_not_disturb_a_short_one(pair: Pair, windows: list[FloatArray], spoken: list[int]) -> None:
    with pair.window(windows[0]) as first, pair.window(windows[1]) as second:
        short = first.start(spoken[:4], 1, (3,))
        pair.step(short, spoken[4:5])
        long = second.start(spoken[:440], 1, (439,))
        pair.step([*long, *short], (spoken[440], spoken[5]))
        pair.finish(long)
        pair.step(short, spoken[6:7])


def test_rows_of_several_windows_step_in_any_order_and_in_parts(
    pair: Pair, windows: list[FloatArray], spoken: list[int]
) -> None:
    with pair.window(windows[0]) as first, pair.window(windows[1]) as second, pair.window(windows[2]) as third:
        rows = [
            *first.start(spoken[:4], 2, (3,)),
            *second.start(spoken[:30], 3, (29,)),
            *third.start(spoken[:4], 1, (0, 3)),
        ]
        for chosen in ((5, 0, 3), (1,), (4, 3, 2, 1, 0), (2, 5), (0, 1, 2, 3, 4, 5)):
            pair.step([rows[index] for index in chosen], [spoken[40 + index] for index in chosen])


def test_copied_rows_continue_from_their_sources(pair: Pair, windows: list[FloatArray], spoken: list[int]) -> None:
    with pair.window(windows[0]) as window, pair.window(windows[1]) as other:
        rows = window.start(spoken[:20], 4, (19,))
        company = other.start(spoken[:5], 1, (4,))
        pair.step(rows, spoken[20:24])
        pair.step(rows[:2], spoken[30:32])  # now the sources are longer than the targets
        pair.copy_rows([rows[0], rows[0]], [rows[2], rows[3]])
        pair.step([*rows, *company], spoken[40:45])
        pair.copy_rows([rows[3]], [rows[1]])
        pair.step(rows, spoken[50:54])


def test_alignment_scores_are_the_reference_s_before_the_softmax(
    pair: Pair, windows: list[FloatArray], spoken: list[int]
) -> None:
    with pair.window(windows[0]) as window:
        for length in (5, 60, 150, CONTEXT):
            window.align(spoken[:length])


def test_aligning_in_a_full_batch_disturbs_no_row(pair: Pair, windows: list[FloatArray], spoken: list[int]) -> None:
    with pair.window(windows[0]) as window, pair.window(windows[1]) as silent:
        rows = window.start(spoken[:9], MAX_ROWS, (8,))
        pair.step(rows, spoken[9 : 9 + MAX_ROWS])
        window.align(spoken[:90])
        silent.align(spoken[:30])
        pair.step(rows, spoken[20 : 20 + MAX_ROWS])


@settings(max_examples=5)
@given(data=st.data())
def test_no_history_of_joining_and_leaving_changes_a_row(
    pair: Pair, windows: list[FloatArray], spoken: list[int], data: st.DataObject
) -> None:
    with pair.window(windows[0]) as first, pair.window(windows[1]) as second:
        live: list[tuple[TwinWindow, TwinRow]] = []
        for _ in range(data.draw(st.integers(3, 8), label="moves")):
            _move(pair, (first, second), live, spoken, data)
        if live:
            pair.finish([row for _, row in live])


def _move(
    pair: Pair,
    windows: Sequence[TwinWindow],
    live: list[tuple[TwinWindow, TwinRow]],
    spoken: list[int],
    data: st.DataObject,
) -> None:
    places = data.draw(st.lists(st.sampled_from(range(len(live))), min_size=1, unique=True)) if live else []
    rows = [live[place][1] for place in places]
    moves = {"align": lambda: windows[0].align(spoken[:12])}
    if len(live) < MAX_ROWS:
        moves["start"] = lambda: _start(windows, live, spoken, data)
    if rows:
        moves["step"] = lambda: pair.step(rows, [spoken[4 + place] for place in places])
        moves["finish"] = lambda: _finish(pair, live, places)
    if len({live[place][0] for place in places[:2]}) == 1 < len(rows):
        moves["copy"] = lambda: pair.copy_rows(rows[:1], rows[1:2])
    more_steps = ["step"] * 2 if rows else []
    moves[data.draw(st.sampled_from([*moves, *more_steps]), label="move")]()


def _finish(pair: Pair, live: list[tuple[TwinWindow, TwinRow]], places: Sequence[int]) -> None:
    pair.finish([live[place][1] for place in places])
    live[:] = [entry for place, entry in enumerate(live) if place not in places]


def _start(
    windows: Sequence[TwinWindow], live: list[tuple[TwinWindow, TwinRow]], spoken: list[int], data: st.DataObject
) -> None:
    window = data.draw(st.sampled_from(windows))
    length = data.draw(st.integers(1, 40), label="length")
    more = data.draw(st.integers(1, min(3, MAX_ROWS - len(live))), label="rows")
    live += [(window, row) for row in window.start(spoken[:length], more, (length - 1,))]


@pytest.mark.slow
@pytest.mark.parametrize("contestant", LINEUP, ids=lambda contestant: contestant.name)
def test_at_base_s_size_the_logits_are_the_reference_s(
    contestant: Contestant, base_checkpoint: Checkpoint, clips: dict[str, Clip], spoken: list[int]
) -> None:
    engine = contestant.load(base_checkpoint)
    pair = Pair(engine, WhisperModelEngine(whisper_model(base_checkpoint)), contestant.tolerance)
    log_mel = first_window(clips["seen_0.wav"].samples(), 80)
    with pair.window(log_mel) as window, pair.window(np.flip(log_mel, axis=1).copy()) as other:
        rows = [*window.start(spoken[:12], 1, (0, 11)), *other.start(spoken[:63], 2, (62,))]
        for at in range(12, 15):
            pair.step(rows, spoken[at : at + 3])
        window.align(spoken[:30])
    engine.close()
