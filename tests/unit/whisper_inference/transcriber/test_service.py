"""The transcriber over a scripted engine: texts, streams, refusals, cancellation."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from tests.support.gate import Gate
from tests.support.observer import RecordingObserver
from tests.support.scripted_engine import ScriptedEngine
from tests.support.speech import Line, sound, speaking_engine, speaking_model
from whisper_inference.errors import EngineFailed, Overloaded, ShuttingDown, UnreadableAudio, UnsupportedField
from whisper_inference.scheduler import Scheduler, SchedulerSettings
from whisper_inference.transcriber import PreparedAudio, Source, Span, Transcriber
from whisper_inference.transcription import Dropped, DropReason, Segment, Transcript, TranscriptionOptions

LINES: dict[int, list[Line]] = {
    0: [(0.0, " The first line.", 4.0), (4.0, " The second line.", 20.0)],
    3000: [(0.0, " The third line.", 5.0)],
    6000: [(0.0, " The last line.", 2.0)],
}
TEXT = "The first line. The second line. The third line. The last line."


def keep_all(
    segments: Sequence[Segment],
    speech: Sequence[Span],
    options: TranscriptionOptions,
    before: Sequence[Segment] = (),
) -> tuple[tuple[Segment, ...], tuple[Dropped, ...]]:
    """A guard that trusts the model."""
    del speech, options, before
    return tuple(segments), ()


def drop_second(
    segments: Sequence[Segment],
    speech: Sequence[Span],
    options: TranscriptionOptions,
    before: Sequence[Segment] = (),
) -> tuple[tuple[Segment, ...], tuple[Dropped, ...]]:
    """A guard that withholds what speaks of a second line."""
    del speech, options, before
    dropped = [segment for segment in segments if "second" in segment.text]
    kept = tuple(segment for segment in segments if segment not in dropped)
    return kept, tuple(Dropped(DropReason.REPETITION, each.start, each.end, each.text) for each in dropped)


@dataclass
class FakeFrontEnd:
    """Hands out audio of the length that the upload spells."""

    speech: tuple[Span, ...] = ((0.0, 300.0),)
    before: Callable[[], Coroutine[Any, Any, None]] | None = None
    asked: list[bool] = field(default_factory=list)

    async def prepare(self, source: Source, *, find_speech: bool) -> PreparedAudio:
        """Read the length, for example `b"65"`."""
        self.asked.append(find_speech)
        if self.before is not None:
            await self.before()
        if not isinstance(source, bytes) or not source.isdigit():
            raise UnreadableAudio("not a number of seconds")
        seconds = float(source)
        return PreparedAudio(seconds, sound(seconds), self.speech if find_speech else None)


class Watcher(RecordingObserver):
    """Remembers what the transcriber says, too."""

    def __init__(self) -> None:
        super().__init__()
        self.audio: list[float] = []
        self.drops: list[DropReason] = []

    def transcribed(self, audio_seconds: float, processing_seconds: float) -> None:
        """Remember the audio."""
        assert processing_seconds >= 0
        self.audio.append(audio_seconds)

    def guard_dropped(self, reason: DropReason) -> None:
        """Remember the reason."""
        self.drops.append(reason)


@dataclass
class Service:
    """A transcriber with everything around it."""

    engine: ScriptedEngine = field(default_factory=lambda: speaking_engine(LINES))
    front_end: FakeFrontEnd = field(default_factory=FakeFrontEnd)
    guard: Callable[..., tuple[tuple[Segment, ...], tuple[Dropped, ...]]] = keep_all
    max_backlog: float = 1800.0
    observer: Watcher = field(default_factory=Watcher)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Transcriber, Scheduler]]:
        """Start it, and see at the end that nothing is left."""
        scheduler = Scheduler(self.engine, self.observer, SchedulerSettings(max_backlog=self.max_backlog))
        scheduler.start()
        try:
            yield Transcriber(scheduler, speaking_model(), self.front_end, self.guard, self.observer), scheduler
        finally:
            assert await scheduler.drain(10.0)
            await asyncio.to_thread(scheduler.close)
            assert scheduler.backlog_seconds == 0.0
            assert not self.engine.windows
            assert not self.engine.rows

    def transcribe(self, source: bytes, options: TranscriptionOptions | None = None) -> Transcript:
        """Transcribe one upload from beginning to end."""

        async def once() -> Transcript:
            async with self.running() as (transcriber, _):
                return await asyncio.wait_for(transcriber.transcribe(source, options or TranscriptionOptions()), 20)

        return asyncio.run(once())


def test_a_long_file_gives_the_text_of_all_its_windows() -> None:
    transcript = Service().transcribe(b"65")
    assert transcript.text == TEXT
    assert transcript.language == "en"
    assert transcript.duration == 65.0


def test_segments_are_numbered_and_timed_in_the_whole_audio() -> None:
    segments = Service().transcribe(b"65").segments
    assert [segment.id for segment in segments] == [0, 1, 2, 3]
    assert [(segment.start, segment.end) for segment in segments] == [
        (0.0, 4.0),
        (4.0, 20.0),
        (30.0, 35.0),
        (60.0, 62.0),
    ]


def test_a_spoken_language_is_detected() -> None:
    assert Service(engine=speaking_engine(LINES, language="de")).transcribe(b"10").language == "de"


def test_batched_windows_run_at_once_and_come_in_order() -> None:
    service = Service(front_end=FakeFrontEnd(speech=((0.0, 20.0), (30.0, 40.0), (60.0, 65.0))))
    transcript = service.transcribe(b"65", TranscriptionOptions(long_form="batched", language="en"))
    assert transcript.text == TEXT
    assert max(service.engine.batch_sizes) == 3


def test_batched_windows_share_the_language_of_the_first() -> None:
    service = Service(engine=speaking_engine(LINES, language="de"))
    service.front_end.speech = ((0.0, 20.0), (30.0, 40.0), (60.0, 65.0))
    transcript = service.transcribe(b"65", TranscriptionOptions(long_form="batched"))
    assert (transcript.language, transcript.text) == ("de", TEXT)


def test_streamed_segments_are_those_of_the_transcript() -> None:
    async def test() -> None:
        async with Service().running() as (transcriber, _):
            items = [item async for item in transcriber.stream(b"65", TranscriptionOptions())]
        *segments, transcript = items
        assert isinstance(transcript, Transcript)
        assert tuple(segments) == transcript.segments
        assert "".join(item.text for item in segments if isinstance(item, Segment)).strip() == transcript.text

    asyncio.run(test())


def test_the_audio_is_counted_once_it_is_known_and_until_its_transcript_is_done_or_has_failed() -> None:
    seen: list[float | type[BaseException] | None] = []

    @asynccontextmanager
    async def metered(seconds: float) -> AsyncIterator[None]:
        seen.append(seconds)
        try:
            yield
        except BaseException as problem:
            seen.append(type(problem))
            raise
        seen.append(None)

    def fail(_: str) -> None:
        raise RuntimeError("the engine broke")

    async def test() -> None:
        async with Service().running() as (transcriber, _):
            with pytest.raises(UnreadableAudio):
                await transcriber.transcribe(b"no audio", TranscriptionOptions(), metered)
            await transcriber.transcribe(b"65", TranscriptionOptions(), metered)
            async with aclosing(transcriber.stream(b"66", TranscriptionOptions(), metered)) as items:
                await anext(items)
        broken = Service()
        broken.engine.before = fail
        async with broken.running() as (transcriber, _):
            with pytest.raises(EngineFailed):
                await transcriber.transcribe(b"67", TranscriptionOptions(), metered)

    asyncio.run(test())
    assert seen == [65.0, None, 66.0, GeneratorExit, 67.0, EngineFailed]


def test_a_segment_is_streamed_before_the_next_window_is_decoded() -> None:
    async def test() -> None:
        service = Service()
        async with (
            service.running() as (transcriber, _),
            aclosing(transcriber.stream(b"65", TranscriptionOptions())) as items,
        ):
            first = await anext(items)
            assert isinstance(first, Segment)
            assert service.engine.encoded == [0]

    asyncio.run(test())


def test_what_the_guard_withholds_is_in_the_result_with_its_reason_and_nowhere_else() -> None:
    service = Service(guard=drop_second)
    transcript = service.transcribe(b"65")
    assert transcript.text == "The first line. The third line. The last line."
    assert [segment.id for segment in transcript.segments] == [0, 1, 2]
    assert [drop.text for drop in transcript.dropped] == [" The second line."]
    assert service.observer.drops == [DropReason.REPETITION]


def test_the_guard_is_shown_what_earlier_windows_ended_with_also_what_it_withheld() -> None:
    shown: list[list[str]] = []

    def withhold_all(
        segments: Sequence[Segment],
        speech: Sequence[Span],
        options: TranscriptionOptions,
        before: Sequence[Segment] = (),
    ) -> tuple[tuple[Segment, ...], tuple[Dropped, ...]]:
        del segments, speech, options
        shown.append([segment.text for segment in before])
        return (), ()

    assert Service(guard=withhold_all).transcribe(b"65").text == ""
    assert shown[0] == []
    assert " The first line." in shown[1]


def test_without_guard_nothing_is_withheld_and_no_voice_is_looked_for() -> None:
    service = Service(guard=drop_second, front_end=FakeFrontEnd(speech=()))
    assert service.transcribe(b"65", TranscriptionOptions(guard=False)).text == TEXT
    assert service.front_end.asked == [False]


def test_a_file_without_any_voice_skips_the_model() -> None:
    service = Service(front_end=FakeFrontEnd(speech=()))
    transcript = service.transcribe(b"12")
    assert (transcript.text, transcript.language) == ("", "en")
    assert transcript.dropped == (Dropped(DropReason.NO_VOICE, 0.0, 12.0, ""),)
    assert service.engine.encoded == []


def test_finished_audio_is_reported() -> None:
    service = Service()
    service.transcribe(b"65")
    assert service.observer.audio == [65.0]


def test_refused_options_cost_nothing() -> None:
    service = Service()
    with pytest.raises(UnsupportedField):
        service.transcribe(b"65", TranscriptionOptions(beam_size=9))
    assert service.front_end.asked == []


def test_refused_audio_gives_its_place_back() -> None:
    with pytest.raises(UnreadableAudio):
        Service().transcribe(b"noise")


def test_a_full_backlog_refuses_before_the_audio_is_decoded() -> None:
    async def test() -> None:
        service = Service(max_backlog=60.0)
        async with service.running() as (transcriber, scheduler):
            with scheduler.admit(60.0), pytest.raises(Overloaded):
                await transcriber.transcribe(b"5", TranscriptionOptions())
        assert service.front_end.asked == []

    asyncio.run(test())


def test_a_long_file_is_refused_once_its_length_is_known() -> None:
    async def test() -> None:
        service = Service(max_backlog=90.0)
        async with service.running() as (transcriber, scheduler):
            with scheduler.admit(60.0), pytest.raises(Overloaded):
                await transcriber.transcribe(b"65", TranscriptionOptions())
        assert service.engine.encoded == []

    asyncio.run(test())


def test_draining_lets_a_long_file_finish_and_refuses_the_next() -> None:
    async def test() -> None:
        async with Service().running() as (transcriber, scheduler):
            items = transcriber.stream(b"65", TranscriptionOptions())
            await anext(items)
            draining = asyncio.create_task(scheduler.drain(10.0))
            await asyncio.sleep(0)
            with pytest.raises(ShuttingDown):
                await transcriber.transcribe(b"5", TranscriptionOptions())
            rest = [item async for item in items]
            assert isinstance(rest[-1], Transcript)
            assert rest[-1].text == TEXT
            assert await draining

    asyncio.run(test())


@pytest.mark.parametrize("long_form", ["sequential", "batched"])
def test_a_cancelled_request_leaves_nothing_behind(long_form: Literal["sequential", "batched"]) -> None:
    async def test() -> None:
        service = Service(engine=speaking_engine(LINES, max_rows=1))
        service.front_end.speech = ((0.0, 20.0), (30.0, 40.0), (60.0, 65.0))
        gate = service.engine.before = Gate("step")
        async with service.running() as (transcriber, scheduler):
            options = TranscriptionOptions(long_form=long_form, language="en")
            task = asyncio.create_task(transcriber.transcribe(b"65", options))
            await gate.reached()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert scheduler.backlog_seconds == 0.0
            gate.open()
        assert service.observer.audio == []

    asyncio.run(test())


def test_cancelling_while_the_audio_is_decoded_gives_the_place_back() -> None:
    async def test() -> None:
        async def forever() -> None:
            await asyncio.Event().wait()

        service = Service(front_end=FakeFrontEnd(before=forever))
        async with service.running() as (transcriber, scheduler):
            task = asyncio.create_task(transcriber.transcribe(b"65", TranscriptionOptions()))
            await asyncio.sleep(0)
            assert scheduler.backlog_seconds == 30.0
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(test())


def test_a_short_request_overtakes_the_later_windows_of_a_long_file() -> None:
    async def test() -> None:
        service = Service(engine=speaking_engine(LINES, max_rows=1))
        service.front_end.speech = ((0.0, 20.0), (30.0, 40.0), (60.0, 65.0))
        gate = service.engine.before = Gate("step")
        batched = TranscriptionOptions(long_form="batched", language="en")
        async with service.running() as (transcriber, _):
            long = asyncio.create_task(transcriber.transcribe(b"65", batched))
            await gate.reached()
            short = asyncio.create_task(transcriber.transcribe(b"5", TranscriptionOptions()))
            await asyncio.sleep(0)
            gate.open()
            await asyncio.gather(long, short)
        assert service.engine.encoded == [0, 0, 3000, 6000]

    asyncio.run(test())


def test_eight_at_once_say_the_same_as_one_by_one() -> None:
    async def test() -> None:
        service = Service()
        async with service.running() as (transcriber, _):
            texts = await asyncio.gather(
                *(transcriber.transcribe(str(length).encode(), TranscriptionOptions()) for length in range(58, 66))
            )
        assert {transcript.text for transcript in texts if transcript.duration > 60} == {TEXT}
        assert max(service.engine.batch_sizes) > 1

    asyncio.run(test())
