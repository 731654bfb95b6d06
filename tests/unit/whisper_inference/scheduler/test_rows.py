"""The row plan: permute when rows are unique, copy only what is doubled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.engines.base import RowId
from whisper_inference.scheduler.rows import RowPlan, plan_rows

A, B, C = RowId(11), RowId(12), RowId(13)


@pytest.mark.parametrize(
    ("sources", "plan"),
    [
        ((0, 1, 2), RowPlan([A, B, C], [], [], [])),
        ((2, 0, 1), RowPlan([C, A, B], [], [], [])),
        ((2, 0), RowPlan([C, A], [], [], [B])),
        ((1, 1, 0), RowPlan([B, C, A], [B], [C], [])),
        ((1, 1), RowPlan([B, A], [B], [A], [C])),
        ((2, 2, 2), RowPlan([C, A, B], [C, C], [A, B], [])),
    ],
)
def test_plan(sources: tuple[int, ...], plan: RowPlan) -> None:
    assert plan_rows([A, B, C], sources) == plan


@pytest.mark.parametrize("sources", [(), (0, 0, 0, 0), (3,), (-1, 0)])
def test_impossible_sources_are_refused(sources: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="row"):
        plan_rows([A, B, C], sources)


@st.composite
def steps(draw: st.DrawFn) -> tuple[int, list[int]]:
    count = draw(st.integers(1, 8))
    return count, draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=count))


@given(steps())
def test_every_row_continues_its_source_and_no_row_is_lost(case: tuple[int, list[int]]) -> None:
    count, sources = case
    before = [RowId(100 + index) for index in range(count)]
    plan = plan_rows(before, sources)
    history = {row: index for index, row in enumerate(before)}
    for source, target in zip(plan.copy_from, plan.copy_to, strict=True):
        history[target] = history[source]
    assert [history[row] for row in plan.rows] == sources
    assert sorted([*plan.rows, *plan.leaving]) == before
    assert not set(plan.copy_from) & set(plan.copy_to)
