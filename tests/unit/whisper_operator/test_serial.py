"""One pass at a time per key, none lost, failures tried again."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from whisper_operator.errors import Unavailable
from whisper_operator.serial import SerialRunner


class Passes:
    """Passes that wait until the test lets them go on."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.at_once = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.answers: list[timedelta | Exception | None] = []

    async def run(self, key: str) -> timedelta | None:
        """Make a pass."""
        self.began.append(key)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


def play(scene: Callable[[Passes, SerialRunner[str]], Coroutine[Any, Any, None]], at_once: int = 4) -> Passes:
    """Run a scene with a fresh runner."""

    async def whole() -> Passes:
        passes = Passes()
        runner: SerialRunner[str] = SerialRunner(passes.run, at_once=at_once)
        await scene(passes, runner)
        await runner.close()
        return passes

    return asyncio.run(whole())


def test_triggers_during_a_pass_merge_into_one_more() -> None:
    async def scene(passes: Passes, runner: SerialRunner[str]) -> None:
        runner.trigger("a")
        await asyncio.sleep(0)
        for _ in range(5):
            runner.trigger("a")
        passes.gate.set()
        await runner.idle()

    passes = play(scene)
    assert passes.began == ["a", "a"]
    assert passes.most == 1


def test_keys_run_side_by_side_up_to_a_limit() -> None:
    async def scene(passes: Passes, runner: SerialRunner[str]) -> None:
        for key in "abc":
            runner.trigger(key)
        await asyncio.sleep(0)
        assert runner.busy == 3
        passes.gate.set()
        await runner.idle()

    passes = play(scene, at_once=2)
    assert sorted(passes.began) == ["a", "b", "c"]
    assert passes.most == 2


def test_a_pass_that_asks_for_another_gets_it_in_time() -> None:
    async def scene(passes: Passes, runner: SerialRunner[str]) -> None:
        passes.gate.set()
        passes.answers = [timedelta(milliseconds=20)]
        runner.trigger("a")
        await _until(lambda: len(passes.began) == 2)

    assert play(scene).began == ["a", "a"]


def test_a_pass_that_fails_is_tried_again_and_others_go_on() -> None:
    async def scene(passes: Passes, runner: SerialRunner[str]) -> None:
        passes.gate.set()
        passes.answers = [RuntimeError("a fault of ours"), Unavailable("asleep"), None]
        runner.trigger("a")
        await runner.idle()
        runner.trigger("b")
        await _until(lambda: len(passes.began) == 4)

    assert sorted(play(scene).began) == ["a", "a", "b", "b"]


def test_the_api_server_s_wish_for_patience_is_respected() -> None:
    async def scene(passes: Passes, runner: SerialRunner[str]) -> None:
        passes.gate.set()
        passes.answers = [Unavailable("busy", retry_after_seconds=30)]
        runner.trigger("a")
        await runner.idle()
        await asyncio.sleep(1.2)

    assert play(scene).began == ["a"]


def test_a_runner_that_is_closed_stops_what_runs_and_forgets_what_is_due() -> None:
    async def scene(passes: Passes, runner: SerialRunner[str]) -> None:
        passes.answers = [timedelta(milliseconds=1)]
        runner.trigger("a")
        await asyncio.sleep(0)
        await runner.close()
        await asyncio.sleep(0.01)

    assert play(scene).began == ["a"]


def test_a_trigger_comes_before_what_is_due_and_replaces_it() -> None:
    async def scene(passes: Passes, runner: SerialRunner[str]) -> None:
        passes.gate.set()
        passes.answers = [timedelta(milliseconds=50)]
        runner.trigger("a")
        await runner.idle()
        runner.trigger("a")
        await runner.idle()
        await asyncio.sleep(0.1)

    assert play(scene).began == ["a", "a"]


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not come true")
