"""The service: from an upload and options to a transcript, whole or as it grows."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.scheduler import Scheduler
from whisper_inference.timing import Clock
from whisper_inference.transcriber.assembly import Assembly, Guard
from whisper_inference.transcriber.front_end import FrontEnd, Source
from whisper_inference.transcriber.metering import Metering, unmetered
from whisper_inference.transcriber.observer import TranscriberObserver
from whisper_inference.transcriber.option_checks import check_options
from whisper_inference.transcriber.windows import WINDOW_SECONDS, RequestWindows, charge
from whisper_inference.transcription import Seconds, Segment, Transcript, TranscriptionOptions


class Transcriber:
    """Transcribes uploads with one loaded model.

    A caller that is cancelled takes everything with it: its place in the backlog, its rows, its waiting windows.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        model: DecodingModel,
        front_end: FrontEnd,
        guard: Guard,
        observer: TranscriberObserver,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self._scheduler = scheduler
        self._model = model
        self._front_end = front_end
        self._guard = guard
        self._observer = observer
        self._clock = clock
        """The scheduler's own clock: deadlines are told by it."""

    def check(self, options: TranscriptionOptions) -> None:
        """Say beforehand whether options can be obeyed.

        Raises:
            WhisperError: As `transcribe`, of the options.
        """
        check_options(options, self._model, self._scheduler.capabilities)

    def has_spare_room(self, audio_seconds: Seconds) -> bool:
        """Say whether so much audio may come that nobody waits for: what people wait for must find room beside it."""
        return self._scheduler.has_spare_room(charge(audio_seconds))

    async def transcribe(
        self,
        source: Source,
        options: TranscriptionOptions,
        metered: Metering = unmetered,
        *,
        patience: Seconds = 0.0,
    ) -> Transcript:
        """Transcribe an upload, and let its audio be counted.

        Args:
            source: The upload.
            options: What is asked for.
            metered: Counts the audio.
            patience: For how long everything that comes meanwhile goes first.

        Raises:
            WhisperError: The options or the audio are refused, the server is full or drains, or the engine failed;
                each as its own type.
        """
        last: Segment | Transcript | None = None
        async with aclosing(self.stream(source, options, metered, patience=patience)) as items:
            async for item in items:
                last = item
        if not isinstance(last, Transcript):
            raise TypeError("a stream of a transcription ends with its transcript")
        return last

    async def stream(
        self,
        source: Source,
        options: TranscriptionOptions,
        metered: Metering = unmetered,
        *,
        patience: Seconds = 0.0,
    ) -> AsyncGenerator[Segment | Transcript, None]:
        """Transcribe an upload and yield each segment as its window is done, then the transcript.

        The transcript's segments are those that were yielded. Close the generator (`contextlib.aclosing`) when you
        leave it early: that gives back what the request holds.

        Raises:
            WhisperError: As `transcribe`.
        """
        arrived = self._clock()
        self.check(options)
        with self._scheduler.admit(WINDOW_SECONDS) as admission:
            find_speech = options.guard or options.long_form == "batched"
            audio = await self._front_end.prepare(source, find_speech=find_speech)
            admission.resize(charge(audio.duration))
            assembly = Assembly(audio, options, self._model, self._guard)
            async with metered(audio.duration):
                if not audio.silent:
                    request = RequestWindows(self._scheduler, admission, self._model, options, arrived + patience)
                    async with aclosing(request.decode(audio)) as windows:
                        async for window in windows:
                            for segment in assembly.add(window):
                                yield segment
        transcript = assembly.finish()
        self._tell(transcript, self._clock() - arrived)
        yield transcript

    def _tell(self, transcript: Transcript, processing_seconds: Seconds) -> None:
        self._observer.transcribed(transcript.duration, processing_seconds)
        for dropped in transcript.dropped:
            self._observer.guard_dropped(dropped.reason)
