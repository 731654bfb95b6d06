"""What an engine does with rows and windows that it does not have, and with more than it can hold."""

import numpy as np
import pytest

from tests.support.lineup import MAX_ROWS, Pair
from whisper_inference.arrays import FloatArray
from whisper_inference.engines.base import Engine, RowId, WindowId
from whisper_inference.errors import EngineFailed

NOBODY = RowId(10**9)
NOWHERE = WindowId(10**9)


@pytest.fixture
def engine(pair: Pair) -> Engine:
    return pair.engine


def test_more_rows_than_the_batch_holds_are_refused_and_nothing_is_lost(
    pair: Pair, windows: list[FloatArray], spoken: list[int]
) -> None:
    with pair.window(windows[0]) as window:
        rows = window.start(spoken[:4], MAX_ROWS - 1, (3,))
        with pytest.raises(EngineFailed, match=f"{MAX_ROWS - 1} rows live and 2 more"):
            pair.engine.start(window.window, spoken[:4], 2, (3,))
        rows += window.start(spoken[:6], 1, (5,))
        pair.step(rows, spoken[6 : 6 + MAX_ROWS])


def test_a_released_window_gives_its_rows_back(engine: Engine, windows: list[FloatArray], spoken: list[int]) -> None:
    for _ in range(3):
        window = engine.encode(windows[0])
        rows, _ = engine.start(window, spoken[:4], MAX_ROWS, (3,))
        engine.release(window)
        with pytest.raises(KeyError):
            engine.step(rows[:1], [spoken[4]])


def test_finished_rows_make_room_for_others(engine: Engine, windows: list[FloatArray], spoken: list[int]) -> None:
    window = engine.encode(windows[0])
    for _ in range(3):
        rows, _ = engine.start(window, spoken[:4], MAX_ROWS, (3,))
        engine.finish(rows)
    engine.release(window)


def test_unknown_rows_and_windows_raise(engine: Engine, spoken: list[int]) -> None:
    with pytest.raises(KeyError):
        engine.step([NOBODY], [spoken[0]])
    with pytest.raises(KeyError):
        engine.finish([NOBODY])
    with pytest.raises(KeyError):
        engine.copy_rows([NOBODY], [NOBODY])
    with pytest.raises(KeyError):
        engine.start(NOWHERE, spoken[:4], 1, (3,))
    with pytest.raises(KeyError):
        engine.align(NOWHERE, spoken[:4])
    with pytest.raises(KeyError):
        engine.release(NOWHERE)


def test_a_row_that_is_full_takes_no_further_token(
    engine: Engine, windows: list[FloatArray], spoken: list[int]
) -> None:
    """A silent one would overwrite its last token and go on with wrong text."""
    window = engine.encode(windows[0])
    rows, _ = engine.start(window, spoken[: engine.dimensions.text_context], 1, (0,))
    with pytest.raises(EngineFailed, match="448"):
        engine.step(rows, spoken[:1])
    engine.release(window)


def test_a_prompt_beyond_the_context_is_refused(engine: Engine, windows: list[FloatArray], spoken: list[int]) -> None:
    window = engine.encode(windows[0])
    with pytest.raises(EngineFailed, match="448"):
        engine.start(window, [*spoken[: engine.dimensions.text_context], 5], 1, (0,))
    rows, _ = engine.start(window, spoken[:4], MAX_ROWS, (3,))
    engine.finish(rows)
    engine.release(window)


def test_what_an_engine_returns_is_the_caller_s_to_change(
    engine: Engine, windows: list[FloatArray], spoken: list[int]
) -> None:
    window = engine.encode(windows[0])
    rows, first = engine.start(window, spoken[:4], 2, (0, 3))
    before = engine.step(rows, spoken[4:6])
    aligned = engine.align(window, spoken[:4])
    for array in (first, before, aligned):
        array[:] = np.float32(7)
    again, repeated = engine.start(window, spoken[:4], 1, (0,))
    assert np.isfinite(repeated).all()
    assert (repeated != np.float32(7)).any()
    engine.finish(again)
    engine.release(window)


def test_capabilities_say_what_runs_here(pair: Pair) -> None:
    capabilities = pair.engine.capabilities
    assert capabilities.max_rows == MAX_ROWS
    assert capabilities.simulated == (capabilities.device == "npu")
    assert capabilities.word_timestamps
    assert capabilities.device_name not in {"", "cpu"}
    assert pair.engine.dimensions == pair.reference.dimensions
