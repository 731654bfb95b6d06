"""Which rows of the engine continue which: a step's `sources` as permutation, copies and leavers."""

from collections.abc import Sequence
from dataclasses import dataclass

from whisper_inference.engines.base import RowId


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What to do before the step: first the copies, then let the leavers go."""

    rows: list[RowId]
    """The rows to step, in the order of the step's tokens."""
    copy_from: list[RowId]
    copy_to: list[RowId]
    leaving: list[RowId]


def plan_rows(rows: Sequence[RowId], sources: Sequence[int]) -> RowPlan:
    """Let row `i` of the step continue `rows[sources[i]]`.

    A source named once keeps its row: changing the order costs the engine nothing. Only a source named again is
    copied, into a row that nobody continues.

    Raises:
        ValueError: A source does not exist, or more rows are wanted than there are.
    """
    if not sources or len(sources) > len(rows):
        raise ValueError(f"a step of {len(sources)} rows for a decoding that has {len(rows)}")
    if min(sources) < 0 or max(sources) >= len(rows):
        raise ValueError(f"a step names rows {tuple(sources)} of {len(rows)}")
    spare = [row for index, row in enumerate(rows) if index not in sources]
    planned: list[RowId] = []
    copy_from: list[RowId] = []
    copy_to: list[RowId] = []
    taken: set[int] = set()
    for source in sources:
        if source in taken:
            target = spare.pop(0)
            copy_from.append(rows[source])
            copy_to.append(target)
            planned.append(target)
        else:
            taken.add(source)
            planned.append(rows[source])
    return RowPlan(planned, copy_from, copy_to, spare)
