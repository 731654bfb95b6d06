"""Run decodings against an engine without a scheduler: one by one, on the calling thread."""

from collections.abc import Callable
from typing import TypeVar

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.long_form import Windows
from whisper_inference.decoding.requests import Align, Decoding, Request, Start, Step
from whisper_inference.decoding.windows import WindowInput, WindowTranscript
from whisper_inference.engines.base import Engine, RowId, WindowId
from whisper_inference.scheduler.rows import plan_rows

ResultT = TypeVar("ResultT")


def run(decoding: Decoding[ResultT], engine: Engine, log_mel: FloatArray) -> ResultT:
    """Encode the window, answer the decoding until it returns, release the window."""
    conversation = _Conversation(engine, engine.encode(log_mel))
    try:
        request = next(decoding)
        while True:
            request = decoding.send(conversation.answer(request))
    except StopIteration as done:
        result: ResultT = done.value
        return result
    finally:
        engine.release(conversation.window)


def run_windows(
    windows: Windows, decode: Callable[[WindowInput], Decoding[WindowTranscript]], engine: Engine
) -> list[WindowTranscript]:
    """Transcribe the windows of a long form in order."""
    transcripts: list[WindowTranscript] = []
    try:
        window = next(windows)
        while True:
            transcripts.append(run(decode(window), engine, window.log_mel))
            window = windows.send(transcripts[-1])
    except StopIteration:
        return transcripts


class _Conversation:
    def __init__(self, engine: Engine, window: WindowId) -> None:
        self._engine, self.window = engine, window
        self._rows: list[RowId] = []

    def answer(self, request: Request) -> FloatArray:
        match request:
            case Start(tokens, logits_at, rows):
                self._engine.finish(self._rows)
                self._rows, logits = self._engine.start(self.window, tokens, rows, logits_at)
                return logits
            case Step(tokens, sources):
                plan = plan_rows(self._rows, sources)
                self._engine.copy_rows(plan.copy_from, plan.copy_to)
                self._engine.finish(plan.leaving)
                self._rows = plan.rows
                return self._engine.step(self._rows, tokens).copy()
            case Align(tokens):
                return self._engine.align(self.window, tokens)
