"""The host's memory of windows and rows."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.small_checkpoints import MULTILINGUAL
from whisper_inference.engines.base import RowId, WindowId
from whisper_inference.engines.openvino.caches import CacheArray, PastCache, WindowCache
from whisper_inference.engines.openvino.shapes import CAPACITY_STEP

DIMENSIONS = replace(MULTILINGUAL, audio_context=5)
FLOAT32 = np.dtype(np.float32)


def positions(first: int, count: int) -> list[CacheArray]:
    """Keys and values of every layer `[1, heads, count, head width]`, which are the positions' numbers."""
    numbers = np.arange(first, first + count, dtype=np.float32)[None, None, :, None]
    return [np.broadcast_to(numbers, (1, 2, count, 2)).copy() for _ in range(2 * DIMENSIONS.text_layers)]


def remembered(cache: PastCache, row: RowId) -> list[float]:
    (array, *others) = (part[0, 0, : cache.lengths[row], 0] for part in cache.views(cache.slots.place_of(row), 1))
    assert all((array == other).all() for other in others)
    numbers: list[float] = array.tolist()
    return numbers


def test_a_row_remembers_its_prompt_and_each_position_after_it() -> None:
    cache = PastCache(DIMENSIONS, FLOAT32, 2)
    rows = [RowId(1), RowId(2)]
    cache.take(rows[0], positions(0, 3))
    cache.take(rows[1], positions(100, 5))
    both = [np.concatenate([one, two]) for one, two in zip(positions(5, 1), positions(3, 1), strict=True)]
    cache.append(rows, both, [1, 0])
    assert remembered(cache, rows[0]) == [0, 1, 2, 3]
    assert remembered(cache, rows[1]) == [100, 101, 102, 103, 104, 5]


def test_room_follows_the_longest_row_up_and_down_and_keeps_what_is_remembered() -> None:
    cache = PastCache(DIMENSIONS, FLOAT32, 2)
    short, long = RowId(1), RowId(2)
    cache.take(short, positions(0, 4))
    cache.take(long, positions(0, 300))
    assert cache.capacity == DIMENSIONS.text_context
    cache.free(long)
    cache.make_room(5)
    assert cache.capacity == CAPACITY_STEP
    assert remembered(cache, short) == [0, 1, 2, 3]


def test_a_fixed_room_stays() -> None:
    cache = PastCache(DIMENSIONS, FLOAT32, 1, capacity=448)
    cache.make_room(3)
    assert cache.capacity == 448


def test_a_copy_goes_its_own_way() -> None:
    cache = PastCache(DIMENSIONS, FLOAT32, 2)
    source, target = RowId(1), RowId(2)
    cache.take(source, positions(0, 5))
    cache.take(target, positions(50, 9))
    cache.copy(source, target)
    cache.append([target], positions(7, 1), [0])
    assert remembered(cache, source) == [0, 1, 2, 3, 4]
    assert remembered(cache, target) == [0, 1, 2, 3, 4, 7]


def test_views_are_the_memory_itself_until_it_moves() -> None:
    cache = PastCache(DIMENSIONS, FLOAT32, 2)
    before = cache.views(0, 2)
    assert cache.views(0, 2) is before
    assert np.shares_memory(before[0], cache.array)
    cache.reserve(5)
    assert np.shares_memory(cache.views(0, 2)[0], cache.array)


@pytest.mark.parametrize("exchange", [True, False])
def test_windows_move_whole(exchange: bool) -> None:  # noqa: FBT001 - a parameter of the test
    cache = WindowCache(DIMENSIONS, FLOAT32, 1)
    for name in range(3):
        for array in cache.take(WindowId(name)):
            array[:] = name + 1
    cache.move(2, 0, exchange)
    for array in cache.arrays:
        assert (array[0] == 3).all()
        assert (array[1] == 2).all()
        assert not exchange or (array[2] == 1).all()
