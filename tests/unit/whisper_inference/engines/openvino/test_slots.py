"""Names in places: nobody is lost, and contents go where the names go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.engines.openvino.slots import Slots


def test_names_take_the_first_free_place_and_one_more_if_need_be() -> None:
    slots: Slots[str] = Slots(2)
    assert [slots.take(name) for name in "abc"] == [0, 1, 2]
    slots.free("b")
    assert slots.take("d") == 1
    assert dict(slots.places) == {"a": 0, "c": 2, "d": 1}


def test_names_that_do_not_live_are_not_found() -> None:
    slots: Slots[str] = Slots(1)
    with pytest.raises(KeyError):
        slots.place_of("a")
    with pytest.raises(KeyError):
        slots.free("a")


def test_a_name_that_is_in_its_place_is_not_moved() -> None:
    slots: Slots[str] = Slots(3)
    slots.take("a")
    slots.arrange({"a": 0}, lambda *_: pytest.fail("moved"))


@given(st.data())
def test_contents_follow_their_names(data: st.DataObject) -> None:
    slots: Slots[int] = Slots(8)
    for name in range(data.draw(st.integers(1, 8))):
        slots.take(name)
    for name in data.draw(st.sets(st.sampled_from(list(slots.places)))):
        slots.free(name)
    contents: list[int | None] = [None] * 8
    for name, place in slots.places.items():
        contents[place] = name
    moved = data.draw(st.lists(st.sampled_from([*slots.places, None]), unique=True))
    names = [name for name in moved if name is not None]
    wanted = dict(zip(names, data.draw(st.permutations(range(8))), strict=False))

    def move(source: int, target: int, exchange: bool) -> None:  # noqa: FBT001 - as `arrange` calls it
        contents[source], contents[target] = contents[target] if exchange else None, contents[source]

    slots.arrange(wanted, move)
    assert {name: contents[place] for name, place in slots.places.items()} == {name: name for name in slots.places}
    assert wanted.items() <= slots.places.items()
