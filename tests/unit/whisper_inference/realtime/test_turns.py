"""Whatever happens in a session: turns follow each other, and the deltas of each join to its text."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_inference.errors import EmptyBuffer
from whisper_inference.realtime.server_events import Committed, Completed, Delta, Failed, ServerEvent, SpeechStarted
from whisper_inference.realtime.turns import Turns
from whisper_inference.streaming.events import (
    Endpoint,
    Final,
    Partial,
    SpeechBegan,
    SpeechEnded,
    StreamEvent,
    UtteranceSettled,
)
from whisper_inference.transcription import Segment


def turns(**options: Any) -> Turns:  # noqa: ANN401 - of `Turns`
    counter = itertools.count()
    return Turns(lambda: f"item_{next(counter)}", **({"old": False} | options))


def final(text: str) -> Final:
    return Final(Segment(0, 0, 0.0, 1.0, text, (), 0.0, -0.1, 1.0, 0.0))


def kinds(told: list[ServerEvent]) -> list[str]:
    return [each.type.rpartition(".")[2] for each in told]


def test_an_utterance_is_a_turn_where_pauses_end_turns() -> None:
    following = turns()
    events: list[StreamEvent] = [
        SpeechBegan(0.5),
        Partial(0.5, 1.5, " the", " ship"),
        SpeechEnded(2.0),
        final(" the ship sails."),
        Endpoint(2.0),
        UtteranceSettled(),
    ]
    told = [each for event in events for each in following.hear(event, base=10.0)]
    assert kinds(told) == [
        "speech_started",
        "delta",
        "speech_stopped",
        "committed",
        "added",
        "done",
        "delta",
        "completed",
    ]
    assert isinstance(told[0], SpeechStarted)
    assert told[0].audio_start_ms == 10_500
    assert [each.delta for each in told if isinstance(each, Delta)] == ["the", " ship sails."]
    assert isinstance(told[-1], Completed)
    assert (told[-1].transcript, told[-1].usage.seconds) == ("the ship sails.", 1.5)


def test_a_turn_in_which_nobody_said_a_word_is_completed_too() -> None:
    following = turns()
    told = [each for event in (SpeechBegan(0), SpeechEnded(1), UtteranceSettled()) for each in following.hear(event, 0)]
    assert kinds(told)[-1] == "completed"
    assert isinstance(told[-1], Completed)
    assert told[-1].transcript == ""


def test_pauses_end_nothing_where_the_client_commits() -> None:
    following = turns(detected=False)
    told: list[ServerEvent] = []
    for begin in (0.0, 3.0):
        for event in (SpeechBegan(begin), final(" aye."), SpeechEnded(begin + 1), UtteranceSettled()):
            told += following.hear(event, 0)
    assert kinds(told) == ["delta", "delta"]
    told += following.commit(5.0)
    told += following.close(5.0)
    assert kinds(told)[2:] == ["committed", "added", "done", "completed"]
    assert isinstance(told[-1], Completed)
    assert (told[-1].transcript, told[-1].usage.seconds) == ("aye. aye.", 5.0)


def test_older_clients_are_told_of_turns_in_their_own_words() -> None:
    following = turns(old=True)
    following.hear(SpeechBegan(0), 0)
    assert kinds(following.hear(SpeechEnded(1), 0)) == ["speech_stopped", "committed", "created"]


def test_a_turn_that_the_client_commits_is_not_ended_again_by_a_pause() -> None:
    following = turns()
    following.hear(SpeechBegan(0), 0)
    assert kinds(following.commit(0.8)) == ["committed", "added", "done"]
    assert following.hear(SpeechEnded(0.8), 0) == []
    assert following.hear(UtteranceSettled(), 0) == []
    assert kinds(following.close(0.8)) == ["completed"]


def test_a_turn_can_be_committed_while_the_text_of_the_one_before_is_awaited() -> None:
    following = turns()
    for event in (SpeechBegan(0), SpeechEnded(1)):
        following.hear(event, 0)
    assert kinds(following.commit(2)) == ["committed", "added", "done"]
    told = following.hear(final(" aye."), 0) + following.hear(UtteranceSettled(), 0) + following.close(2)
    assert [(each.item_id, each.transcript) for each in told if isinstance(each, Completed)] == [
        ("item_0", "aye."),
        ("item_1", ""),
    ]


def test_a_turn_that_is_over_gets_its_text_after_a_clear_and_what_follows_is_forgotten() -> None:
    following = turns()
    for event in (SpeechBegan(0), SpeechEnded(1)):
        following.hear(event, 0)
    following.clear(2)
    told = following.hear(final(" aye."), 0) + following.hear(UtteranceSettled(), 0)
    assert kinds(told) == ["delta", "completed"]
    assert following.hear(SpeechBegan(1.5), 0) == []
    assert following.hear(Partial(1.5, 2, " nay", ""), 0) == []
    following.listen()
    assert kinds(following.hear(SpeechBegan(2.5), 0)) == ["speech_started"]


def test_less_than_a_tenth_of_a_second_is_no_turn() -> None:
    following = turns(detected=False)
    following.commit(1.0)
    following.close(1.0)
    with pytest.raises(EmptyBuffer, match="50 ms"):
        following.commit(1.05)
    following.clear(1.2)
    with pytest.raises(EmptyBuffer):
        following.commit(1.25)


def test_a_turn_that_failed_is_told_by_name() -> None:
    following = turns()
    assert following.fail(0.0, {}) == []
    following.hear(SpeechBegan(0), 0)
    told = following.fail(1.0, {"code": "engine_failed"})
    assert kinds(told) == ["committed", "added", "done", "failed"]
    assert isinstance(told[-1], Failed)
    assert told[-1].error["code"] == "engine_failed"


class World:
    """A session as it may go, whose text grows and is never taken back."""

    def __init__(self, *, detected: bool) -> None:
        self.turns = turns(detected=detected)
        self.told: list[ServerEvent] = []
        self.now = 0.0
        self.speaking = self.settling = False
        self.stable = ""

    def tell(self, event: StreamEvent) -> None:
        """Let something happen."""
        self.told += self.turns.hear(event, 0)

    def speak(self) -> None:
        """Say a word."""
        self.settle()
        self.now += 1
        if not self.speaking:
            self.speaking = True
            self.tell(SpeechBegan(self.now))
        self.stable += f" word{self.now:.0f}"
        self.tell(Partial(0, self.now, self.stable, " perhaps"))

    def conclude(self) -> None:
        """Have the first of the words final, and the rest for later: a window was full."""
        first, _, rest = self.stable.strip().partition(" ")
        if first and self.speaking:
            self.tell(final(f" {first}"))
            self.stable = f" {rest}" if rest else ""
            self.tell(Partial(0, self.now, self.stable, ""))

    def pause(self) -> None:
        """Fall silent: the last decoding begins."""
        self.now += 1
        if self.speaking:
            self.speaking, self.settling = False, True
            self.tell(SpeechEnded(self.now - 0.5))

    def settle(self) -> None:
        """Let the last decoding end."""
        if self.settling:
            self.settling = False
            self.tell(final(f"{self.stable} indeed."))
            self.stable = ""
            self.tell(UtteranceSettled())

    def commit(self) -> None:
        """End the turn; what was said so far becomes final."""
        self.now += 1
        self.told += self.turns.commit(self.now)
        self.pause()
        self.settle()
        self.told += self.turns.close(self.now)
        self.turns.listen()

    def clear(self) -> None:
        """Begin anew, while something may still be decoded."""
        self.turns.clear(self.now)
        self.conclude()
        self.settle()
        self.told += self.turns.close(self.now)
        self.turns.listen()
        self.speaking, self.stable = False, ""

    def change(self) -> None:
        """Let pauses end turns, or not."""
        self.turns.detected = not self.turns.detected


STEPS = st.lists(
    st.sampled_from(
        [World.speak, World.speak, World.conclude, World.pause, World.settle, World.commit, World.clear, World.change]
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, detected=st.booleans())
def test_in_any_order_deltas_join_to_the_text_of_each_turn(
    steps: list[Callable[[World], None]],
    detected: bool,  # noqa: FBT001 - hypothesis passes it by name
) -> None:
    world = World(detected=detected)
    for step in steps:
        step(world)
    world.pause()  # a session that ends makes what was said final
    world.settle()
    world.told += world.turns.close(world.now)
    deltas: dict[str, str] = {}
    committed: list[Committed] = []
    completed: list[Completed] = []
    for event in world.told:
        match event:
            case Delta():
                assert event.item_id not in [each.item_id for each in completed]
                deltas[event.item_id] = deltas.get(event.item_id, "") + event.delta
            case Committed():
                committed.append(event)
            case Completed():
                completed.append(event)
                assert deltas.get(event.item_id, "") == event.transcript
            case _:
                pass
    assert [each.item_id for each in committed] == [each.item_id for each in completed]
    assert [each.previous_item_id for each in committed] == [None, *(each.item_id for each in committed)][
        : len(committed)
    ]
