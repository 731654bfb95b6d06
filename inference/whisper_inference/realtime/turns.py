"""The turns of a conversation: which text belongs to which, and what a client is told of them. Pure."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from whisper_inference.errors import EmptyBuffer
from whisper_inference.realtime.server_events import (
    Committed,
    Completed,
    Delta,
    Failed,
    Item,
    ItemTold,
    Logprob,
    ServerEvent,
    SpeechStarted,
    SpeechStopped,
    Usage,
)
from whisper_inference.streaming.events import (
    Endpoint,
    Partial,
    SpeechBegan,
    SpeechEnded,
    StreamEvent,
    UtteranceSettled,
)
from whisper_inference.streaming.events import Final as FinalText
from whisper_inference.transcription import Seconds, TokenLogprob

_LEAST: Final[Seconds] = 0.1
"""A turn that is committed has at least so much sound, as OpenAI wants it."""

Told: TypeAlias = list[ServerEvent]


@dataclass(slots=True)
class _Turn:
    """A turn whose text is not complete."""

    id: str
    begun: Seconds
    ended: Seconds | None = None
    """Committed, if it is."""
    paused: bool = False
    """A pause ended it, so it is complete with its utterance; else with all that was said until it was committed."""
    final: str = ""
    told: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)


class Turns:
    """Follows what happens in a session, turn by turn. Times are seconds of all sound that was appended.

    Text comes in order, and later than the ends of turns: the first open turn gets it, the last may still be spoken.

    Args:
        new_id: Makes the ids of turns.
        old: The client knows the older names of events.
        detected: Turns end at pauses; else only where they are committed.
        logprobs: The probabilities of tokens are told.
    """

    def __init__(self, new_id: Callable[[], str], *, old: bool, detected: bool = True, logprobs: bool = False) -> None:
        self._new_id = new_id
        self._old = old
        self.detected = detected
        self.logprobs = logprobs
        self._open: deque[_Turn] = deque()
        self._previous: str | None = None
        self._buffer_begins: Seconds = 0.0
        """What came before belongs to turns that are over, or was cleared."""
        self._forgetting = False
        """The session ends, and only turns that are over still get their text."""

    def listen(self) -> None:
        """Another session begins."""
        self._forgetting = False

    def hear(self, event: StreamEvent, base: Seconds) -> Told:
        """Take in what happened in the session, whose own times begin at `base`."""
        if self._forgetting and not self._open:
            return []
        match event:
            case SpeechBegan():
                return self._begin(base + event.at)
            case SpeechEnded():
                return self._end(base + event.at)
            case UtteranceSettled():
                return self._settle()
            case Partial() | FinalText():
                return self._read(event)
            case Endpoint():
                return []

    def commit(self, at: Seconds) -> Told:
        """End the turn where the client says.

        Raises:
            EmptyBuffer: There is no turn to end.
        """
        if at - self._buffer_begins < _LEAST:
            raise EmptyBuffer(
                f"The buffer holds {max(0.0, at - self._buffer_begins) * 1000:.0f} ms of sound, and a turn has at "
                "least 100: append more before it is committed."
            )
        spoken = self._open[-1] if self._open and self._open[-1].ended is None else self._new(self._buffer_begins)
        return self._commit(spoken, at)

    def clear(self, at: Seconds) -> None:
        """Forget the turn that is not over, and what the session says of it."""
        if self._open and self._open[-1].ended is None:
            self._open.pop()
        self._buffer_begins = at
        self._forgetting = True

    def close(self, at: Seconds) -> Told:
        """End what is open: all of its text has come."""
        told = self._commit_last(at)
        while self._open:
            told += self._complete()
        return told

    def fail(self, at: Seconds, error: dict[str, Any]) -> Told:
        """Give up what is open."""
        told = self._commit_last(at)
        told += [Failed(item_id=turn.id, error=error) for turn in self._open]
        self._open.clear()
        return told

    def _new(self, begun: Seconds) -> _Turn:
        self._open.append(_Turn(self._new_id(), begun))
        return self._open[-1]

    def _first(self) -> _Turn:
        return self._open[0] if self._open else self._new(self._buffer_begins)

    def _begin(self, at: Seconds) -> Told:
        if not self.detected or self._open:
            return []
        return [SpeechStarted(audio_start_ms=_milliseconds(at), item_id=self._new(at).id)]

    def _end(self, at: Seconds) -> Told:
        if not self.detected:
            return []
        turn = self._first()
        if turn.ended is not None:
            return []
        turn.paused = True
        return [SpeechStopped(audio_end_ms=_milliseconds(at), item_id=turn.id), *self._commit(turn, at)]

    def _settle(self) -> Told:
        return self._complete() if self._open and self._open[0].paused else []

    def _commit_last(self, at: Seconds) -> Told:
        return self._commit(self._open[-1], at) if self._open and self._open[-1].ended is None else []

    def _commit(self, turn: _Turn, at: Seconds) -> Told:
        turn.ended = self._buffer_begins = at
        previous, self._previous = self._previous, turn.id
        item = Item(id=turn.id)
        names = ("conversation.item.created",) if self._old else ("conversation.item.added", "conversation.item.done")
        return [
            Committed(item_id=turn.id, previous_item_id=previous),
            *(ItemTold(type=name, previous_item_id=previous, item=item) for name in names),
        ]

    def _read(self, event: Partial | FinalText) -> Told:
        """Tell what is new and will stay. A final text may be shorter than what is stable: the rest follows."""
        turn = self._first()
        if isinstance(event, FinalText):
            turn.final += event.segment.text
            turn.logprobs += event.segment.logprobs
        text = (turn.final + (event.stable if isinstance(event, Partial) else "")).strip()
        if not text.startswith(turn.told) or text == turn.told:
            return []
        delta = text[len(turn.told) :]
        turn.told = text
        return [Delta(item_id=turn.id, delta=delta)]

    def _complete(self) -> Told:
        turn = self._open.popleft()
        seconds = max(0.0, (self._buffer_begins if turn.ended is None else turn.ended) - turn.begun)
        return [
            Completed(
                item_id=turn.id,
                transcript=turn.final.strip(),
                logprobs=tuple(map(Logprob.of, turn.logprobs)) if self.logprobs else None,
                usage=Usage(seconds=round(seconds, 3)),
            )
        ]


def _milliseconds(seconds: Seconds) -> int:
    return round(seconds * 1000)
