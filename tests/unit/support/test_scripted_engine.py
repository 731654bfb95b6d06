"""The scripted engine: answers depend on window and history alone, and every broken rule is loud."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.support.scripted_engine import Call, ProtocolBroken, ScriptedEngine, numbered_window
from whisper_inference.engines.base import Engine, RowId, WindowId


def started(engine: ScriptedEngine, rows: int = 1) -> tuple[WindowId, list[RowId]]:
    window = engine.encode(numbered_window(1))
    return window, engine.start(window, [1, 2], rows, [1])[0]


def test_it_is_an_engine() -> None:
    engine: Engine = ScriptedEngine(max_rows=3)
    assert engine.capabilities.max_rows == 3


def test_answers_do_not_depend_on_the_batch() -> None:
    alone = ScriptedEngine()
    _, (row,) = started(alone)
    expected = alone.step([row], [7]).copy()

    together = ScriptedEngine()
    _, rows = started(together, rows=3)
    answer = together.step([rows[2], rows[0]], [5, 7])

    np.testing.assert_array_equal(answer[1], expected[0])


def test_answers_depend_on_window_and_history() -> None:
    engine = ScriptedEngine()
    first, second = engine.encode(numbered_window(1)), engine.encode(numbered_window(2))
    answers = [engine.start(window, tokens, 1, [0])[1].copy() for window in (first, second) for tokens in ([1], [2])]
    assert len({answer.tobytes() for answer in answers}) == 4


def test_start_answers_at_each_position_asked_for() -> None:
    engine = ScriptedEngine()
    window = engine.encode(numbered_window(1))
    both = engine.start(window, [1, 2], 1, [0, 1])[1].copy()
    np.testing.assert_array_equal(both[0], engine.start(window, [1], 1, [0])[1][0])


def test_an_answer_is_spoilt_by_the_next_call() -> None:
    engine = ScriptedEngine()
    _, (row,) = started(engine)
    kept = engine.step([row], [1])
    engine.step([row], [1])
    assert np.isnan(kept).all()


def test_a_copied_row_continues_its_sources_history() -> None:
    engine = ScriptedEngine()
    _, (first, second) = started(engine, rows=2)
    engine.step([first, second], [3, 4])
    engine.copy_rows([first], [second])
    assert engine.rows[second].tokens == (1, 2, 3)


def test_releasing_a_window_finishes_its_rows() -> None:
    engine = ScriptedEngine()
    window, _ = started(engine, rows=2)
    engine.release(window)
    assert not engine.rows
    assert not engine.windows


@pytest.mark.parametrize(
    ("misuse", "rule"),
    [
        (lambda engine, _, rows: engine.step([rows[0], rows[0]], [1, 1]), "twice"),
        (lambda engine, _, rows: engine.step([RowId(99), rows[0]], [1, 1]), "unknown"),
        (lambda engine, _, rows: engine.step(rows, [1]), "2 rows and 1 tokens"),
        (lambda engine, _, rows: engine.step(rows, [1, 999]), "tokens"),
        (lambda engine, _, rows: engine.copy_rows(rows, rows), "source and target"),
        (lambda engine, _, rows: engine.finish([rows[0], rows[0]]), "finished twice"),
        (lambda engine, _, rows: [engine.finish(rows), engine.finish(rows)], "unknown or finished"),
        (lambda engine, window, _: engine.start(window, [1], 2, [0]), "more rows"),
        (lambda engine, window, _: engine.start(window, [1], 1, [1]), "logits wanted"),
        (lambda engine, window, _: engine.start(window, [1] * 449, 1, [0]), "449 tokens"),
        (lambda engine, window, _: [engine.release(window), engine.release(window)], "released"),
        (lambda engine, window, rows: [engine.release(window), engine.step(rows, [1, 1])], "finished"),
        (lambda engine, _, __: engine.encode(np.zeros((2, 2999), dtype=np.float32)), "shape"),
        (lambda engine, _, rows: [engine.close(), engine.step(rows, [1, 1])], "after close"),
    ],
)
def test_a_broken_rule_is_loud(misuse: Callable[[ScriptedEngine, WindowId, list[RowId]], object], rule: str) -> None:
    engine = ScriptedEngine(max_rows=3)
    window, rows = started(engine, rows=2)
    with pytest.raises(ProtocolBroken, match=rule):
        misuse(engine, window, rows)


def test_a_hook_may_fail_a_call() -> None:
    def refuse_steps(call: Call) -> None:
        if call == "step":
            raise RuntimeError("the device is gone")

    engine = ScriptedEngine(before=refuse_steps)
    _, rows = started(engine)
    with pytest.raises(RuntimeError, match="gone"):
        engine.step(rows, [1])
