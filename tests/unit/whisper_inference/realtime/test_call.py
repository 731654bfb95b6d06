"""A conversation goes on after what a client does wrong, and says why it ends."""

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from whisper_inference.arrays import FloatArray
from whisper_inference.errors import EngineFailed, SlowReader, WhisperError
from whisper_inference.realtime.call import Call, Line, Understanding
from whisper_inference.realtime.sessions import Session, SessionIdentity
from whisper_inference.realtime.understanding import asked_by
from whisper_inference.streaming.connection import Keeps, StreamLimits, Surroundings
from whisper_inference.streaming.events import Final, SpeechBegan, StreamOptions
from whisper_inference.streaming.peer import Peer, PeerGone, Stop
from whisper_inference.streaming.protocol import Closed, EndReason, Usage
from whisper_inference.streaming.service import Asked, Connects, Kept
from whisper_inference.streaming.session import SessionState, StreamSession
from whisper_inference.transcription import Seconds, Segment, TranscriptionOptions

Run: TypeAlias = Callable[[Peer], Coroutine[Any, Any, EndReason]]
"""What a connection does."""


class ScriptedLine(Line):
    """Says what was written down, and keeps what it is told."""

    def __init__(self, *events: object, hangs: bool = False) -> None:
        self.events = [each if isinstance(each, bytes | str) else json.dumps(each) for each in events]
        self.told: list[dict[str, Any]] = []
        self.hangs = hangs

    @override
    async def receive(self) -> bytes | str:
        if not self.events:
            raise PeerGone
        return self.events.pop(0)

    @override
    async def send(self, text: str) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self.told.append(json.loads(text))

    @property
    def kinds(self) -> list[str]:
        """What it was told, in short."""
        return [each["type"].rpartition(".")[2] for each in self.told]


class ScriptedConnection:
    """Runs a script; what it says it heard is nothing."""

    def __init__(self, peer: Peer, run: Run, session: StreamSession) -> None:
        self.peer, self.script, self.session = peer, run, session

    async def run(self) -> Closed:
        """Run."""
        reason = await self.script(self.peer)
        return Closed(reason=reason, segments=0, language=None, usage=Usage(seconds=0))


class NoSession:
    """A session in which nothing was heard."""

    heard: Seconds = 0.0
    heard_samples = 0
    options = TranscriptionOptions()

    def state(self) -> SessionState:
        """Return what was said."""
        return SessionState(language="en", history=(1, 2))

    def sound_between(self, _start: int, _stop: int) -> FloatArray:
        """Return none."""
        return np.zeros(0, dtype=np.float32)


class ScriptedStreams:
    """Makes connections that do what is written down, one after another."""

    def __init__(self, *runs: Run) -> None:
        self.runs = list(runs)
        self.limits: list[StreamLimits] = []
        self.asked: list[StreamOptions] = []
        self.kept: list[Kept] = []

    def connect(self, peer: Peer, asked: Asked, server: Surroundings, kept: Kept, _keeper: Keeps) -> ScriptedConnection:
        """Make the next one."""
        self.limits.append(server.limits)
        self.asked.append(asked.options)
        self.kept.append(kept)
        return ScriptedConnection(peer, self.runs.pop(0), cast("StreamSession", NoSession()))


async def until_stopped(peer: Peer) -> EndReason:
    """Listen to all the sound."""
    while not isinstance(await peer.receive(), Stop):
        pass
    return "finished"


async def charge(_seconds: Seconds) -> None:
    """Cost nothing."""


def describe(problem: WhisperError) -> dict[str, Any]:
    return {"message": str(problem), "code": problem.code, "param": problem.param}


def call_of(line: Line, *, patience: Seconds = 60) -> Call:
    understanding = Understanding(asked_by, lambda kind: kind, describe)
    identity = SessionIdentity(id="sess", expires_at=0)
    return Call(line, Session(), identity, understanding, old=False, patience=patience)


def run(call: Call, streams: ScriptedStreams, clock: Callable[[], float] = lambda: 0.0) -> EndReason:
    """Have the conversation."""
    server = Surroundings(clock, lambda: False, charge, lambda _: None, StreamLimits(longest=100))
    return asyncio.run(call.run(cast("Connects", streams.connect), server))


SECOND = {"type": "input_audio_buffer.append", "audio": base64.b64encode(b"\0" * 48_000).decode()}
COMMIT = {"type": "input_audio_buffer.commit"}


@pytest.mark.parametrize("reason", ["idle", "longest", "drain"])
def test_a_connection_that_ends_by_itself_ends_the_conversation(reason: EndReason) -> None:
    async def speak_and_end(peer: Peer) -> EndReason:
        await peer.send(SpeechBegan(0.0))
        await peer.send(Final(Segment(0, 0, 0.0, 1.0, " Aye.", (), 0.0, -0.1, 1.0, 0.0)))
        return reason

    line = ScriptedLine()
    assert run(call_of(line), ScriptedStreams(speak_and_end)) == reason
    assert line.kinds == ["created", "speech_started", "delta", "committed", "added", "done", "completed"]


def test_all_turns_together_may_last_as_long_as_a_stream() -> None:
    now = iter([0.0, 10.0, 40.0, 70.0])
    streams = ScriptedStreams(until_stopped, until_stopped, until_stopped)
    with pytest.raises(PeerGone):
        run(call_of(ScriptedLine(SECOND, COMMIT, SECOND, COMMIT)), streams, lambda: next(now))
    assert [each.longest for each in streams.limits] == [90, 60, 30]


def test_a_turn_that_the_engine_fails_is_told_and_the_conversation_goes_on() -> None:
    async def fail(peer: Peer) -> EndReason:
        await until_stopped(peer)
        raise EngineFailed("The engine failed.")

    line = ScriptedLine(SECOND, COMMIT, SECOND, COMMIT)
    with pytest.raises(PeerGone):
        run(call_of(line), ScriptedStreams(fail, until_stopped, until_stopped))
    assert line.kinds[1:] == ["committed", "added", "done", "failed", "committed", "added", "done", "completed"]
    assert line.told[4]["error"]["code"] == "engine_failed"


def test_what_ends_a_conversation_fails_the_turn_that_is_open() -> None:
    line = ScriptedLine()
    call = call_of(line)

    async def die(peer: Peer) -> EndReason:
        await peer.send(SpeechBegan(0.0))
        raise SlowReader("Too slow.")

    with pytest.raises(SlowReader):
        run(call, ScriptedStreams(die))
    asyncio.run(call.fail(SlowReader("Too slow.")))
    assert line.kinds[-2:] == ["failed", "error"]


def test_a_client_that_does_not_read_is_given_up() -> None:
    with pytest.raises(SlowReader):
        run(call_of(ScriptedLine(hangs=True), patience=0.01), ScriptedStreams(until_stopped))


def test_an_update_goes_on_with_what_was_said_otherwise_set() -> None:
    def update(name: str, **given: object) -> object:
        session = {"audio": {"input": given}}
        return {"type": "session.update", "session": session, "event_id": name}

    vad = {"type": "server_vad", "silence_duration_ms": 700}
    line = ScriptedLine(
        update("wrong", colour="blue"), COMMIT, update("right", transcription={"language": "de"}, turn_detection=vad)
    )
    streams = ScriptedStreams(until_stopped, until_stopped)
    with pytest.raises(PeerGone):
        run(call_of(line), streams)
    assert line.kinds == ["created", "error", "error", "updated"]
    assert line.told[1]["error"]["event_id"] == "wrong"
    assert line.told[2]["error"]["code"] == "input_audio_buffer_commit_empty"
    assert [each.endpoint_silence for each in streams.asked] == [0.5, 0.7]
    assert streams.kept[1].state == SessionState(language="de", history=(1, 2))


EVENTS = st.lists(
    st.one_of(
        st.just(SECOND),
        st.just(COMMIT),
        st.just({"type": "input_audio_buffer.clear"}),
        st.builds(lambda audio: {"type": "input_audio_buffer.append", "audio": audio}, st.text(max_size=9)),
        st.builds(lambda kind, rest: {"type": kind} | rest, st.text(max_size=9), st.dictionaries(st.text(), st.text())),
        st.binary(max_size=9),
        st.text(max_size=9),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(events=EVENTS)
def test_whatever_a_client_sends_it_is_answered_and_the_conversation_goes_on(events: list[object]) -> None:
    line = ScriptedLine(*events)
    with pytest.raises(PeerGone):
        run(call_of(line), ScriptedStreams(*[until_stopped] * (len(events) + 1)))
    assert line.events == []
    assert all(each["error"]["message"] for each in line.told if each["type"] == "error")
    assert line.kinds.count("committed") == line.kinds.count("completed")
