"""Which pools run, and which stand in: every second of a pool's life."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.resources import CPU, NPU, NVIDIA, STANDBY, START, Clock, resource
from whisper_operator.api.spec import WhisperDeploymentSpec
from whisper_operator.api.status import PoolStatus
from whisper_operator.observation import ObservedPool
from whisper_operator.plan import Plan, plan_pools


class Story:
    """A resource over time: each pass sees what the one before left in the status."""

    def __init__(self, **spec: Any) -> None:  # noqa: ANN401 - fields of a spec
        self.spec: WhisperDeploymentSpec = resource(**spec).spec
        self.clock = Clock()
        self.pools: tuple[PoolStatus, ...] = ()

    def see(self, ready: Mapping[str, int], *, after: float = 0, rolling: str = "") -> dict[str, int]:
        """Pass after some seconds; return what each pool should run."""
        self.clock.advance(after)
        return {planned.pool.name: planned.replicas for planned in self.plan(ready, rolling).pools}

    def plan(self, ready: Mapping[str, int], rolling: str = "") -> Plan:
        """Pass now, and remember."""
        observed = {name: ObservedPool(count, rolling=name == rolling) for name, count in ready.items()}
        plan = plan_pools(self.spec, observed, self.pools, self.clock.now)
        self.pools = tuple(
            PoolStatus(
                name=planned.pool.name,
                device=planned.pool.device,
                desired=planned.replicas,
                ready=ready.get(planned.pool.name, 0),
                serving=planned.serving,
                since=planned.since,
                stands_in_for=planned.stands_in_for,
            )
            for planned in plan.pools
        )
        return plan


def test_the_first_pool_runs_what_the_resource_asks_for_and_others_their_own() -> None:
    story = Story(replicas=3, pools=[NPU, NVIDIA | {"replicas": 2}, CPU])
    assert story.see({}) == {"npu": 3, "gpu": 2, "cpu": 1}


def test_a_standby_starts_when_an_earlier_pool_has_fallen_short_for_long_enough() -> None:
    story = Story(pools=[NPU, STANDBY])
    assert story.see({}) == {"npu": 1, "cpu": 0}
    assert story.see({}, after=59)["cpu"] == 0
    assert story.see({}, after=1)["cpu"] == 2
    assert story.plan({}).standing_in is not None


def test_a_standby_stops_when_the_pool_has_been_well_for_as_long() -> None:
    story = Story(pools=[NPU, STANDBY])
    story.see({})
    story.see({}, after=60)
    assert story.see({"npu": 1, "cpu": 2}, after=5)["cpu"] == 2
    assert story.see({"npu": 1, "cpu": 2}, after=59)["cpu"] == 2
    assert story.see({"npu": 1, "cpu": 2}, after=1)["cpu"] == 0


def test_a_pool_that_flaps_neither_starts_nor_stops_its_standby() -> None:
    story = Story(pools=[NPU, STANDBY])
    story.see({"npu": 1})
    for _ in range(10):
        assert story.see({}, after=40)["cpu"] == 0
        assert story.see({"npu": 1}, after=40)["cpu"] == 0
    story.see({}, after=1)
    story.see({}, after=60)
    for _ in range(10):
        assert story.see({"npu": 1}, after=40)["cpu"] == 2
        assert story.see({}, after=40)["cpu"] == 2


def test_a_rollout_with_old_pods_ready_is_no_fault() -> None:
    story = Story(replicas=2, pools=[NPU, STANDBY])
    story.see({"npu": 2})
    for _ in range(20):
        assert story.see({"npu": 1}, after=60, rolling="npu")["cpu"] == 0


def test_a_rollout_that_leaves_nobody_ready_is_covered() -> None:
    story = Story(pools=[NPU, STANDBY])
    story.see({"npu": 1})
    story.see({"npu": 0}, after=1, rolling="npu")
    assert story.see({"npu": 0}, after=60, rolling="npu")["cpu"] == 2


def test_strict_never_stands_in() -> None:
    story = Story(pools=[NPU, STANDBY], fallback={"strict": True})
    story.see({})
    assert story.see({}, after=3600)["cpu"] == 0


def test_a_standby_that_does_not_come_up_is_followed_by_the_next() -> None:
    second = {"name": "last", "device": "cpu", "standby": True}
    story = Story(pools=[NPU, NVIDIA | {"standby": True}, second])
    story.see({})
    assert story.see({}, after=60) == {"npu": 1, "gpu": 1, "last": 0}
    assert story.see({}, after=59) == {"npu": 1, "gpu": 1, "last": 0}
    assert story.see({}, after=1) == {"npu": 1, "gpu": 1, "last": 1}
    assert story.see({"gpu": 1, "last": 1}, after=10) == {"npu": 1, "gpu": 1, "last": 0}


def test_two_pools_that_fall_short_need_two_standbys() -> None:
    second = {"name": "last", "device": "cpu", "standby": True}
    story = Story(pools=[NPU, NVIDIA, STANDBY, second])
    story.see({})
    story.clock.advance(60)
    assert [planned.stands_in_for for planned in story.plan({}).pools] == [None, None, "npu", "gpu"]


def test_time_alone_changes_a_plan_at_a_moment_that_is_known() -> None:
    story = Story(pools=[NPU, STANDBY], fallback={"after": "90s"})
    assert story.plan({}).look_again_after == timedelta(seconds=90)
    story.clock.advance(30)
    assert story.plan({}).look_again_after == timedelta(seconds=60)
    assert Story(pools=[NPU]).plan({}).look_again_after is None


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 120)), max_size=30), st.booleans())
def test_whatever_happens_a_plan_is_stable_and_never_touches_who_must_run(
    happenings: list[tuple[int, bool, int]],
    strict: bool,  # noqa: FBT001 - drawn
) -> None:
    story = Story(replicas=2, pools=[NPU, STANDBY], fallback={"strict": strict})
    for ready, rolling, seconds in happenings:
        story.clock.advance(seconds)
        first = story.plan({"npu": ready}, "npu" if rolling else "")
        again = story.plan({"npu": ready}, "npu" if rolling else "")
        assert first == again
        assert first.pools[0].replicas == 2
        assert first.pools[1].replicas in ({0} if strict else {0, 2})
        assert all(START <= planned.since <= story.clock.now for planned in first.pools)


@pytest.mark.parametrize(("after", "seconds"), [("30s", 30), ("2m", 120), ("1h1m1s", 3661)])
def test_patience_is_what_the_resource_says(after: str, seconds: int) -> None:
    story = Story(pools=[NPU, STANDBY], fallback={"after": after})
    story.see({})
    assert story.see({}, after=seconds - 1)["cpu"] == 0
    assert story.see({}, after=1)["cpu"] == 2
