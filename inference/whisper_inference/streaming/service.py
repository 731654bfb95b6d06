"""Opens streams: checks what they ask for, gives them a place, and puts their parts together."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, TypeAlias

from whisper_inference.arrays import FloatArray
from whisper_inference.audio.silero import CHUNK_SAMPLES, SileroStream, SileroWeights
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.models.languages import language_code
from whisper_inference.scheduler import Scheduler
from whisper_inference.streaming.connection import Ears, Keeps, StreamConnection, StreamLimits, Surroundings
from whisper_inference.streaming.desk import Opening
from whisper_inference.streaming.events import StreamOptions
from whisper_inference.streaming.frames import FrameDecoder, SoundDecoder
from whisper_inference.streaming.peer import Peer
from whisper_inference.streaming.places import Places
from whisper_inference.streaming.protocol import AudioFormat, Start
from whisper_inference.streaming.recognizer import Recognizer
from whisper_inference.streaming.recordings import READERS, RecordingDecoder
from whisper_inference.streaming.session import SessionState, StreamSession
from whisper_inference.transcriber import Guard
from whisper_inference.transcriber.option_checks import check_options
from whisper_inference.transcription import Seconds, TranscriptionOptions


class Asked(NamedTuple):
    """What a client wants."""

    options: StreamOptions
    audio: AudioFormat


class Kept(NamedTuple):
    """What a connection goes on with."""

    state: SessionState | None = None
    sound: FloatArray | None = None
    place: bytes = b""
    """Where the client's own bytes go on after that; see `SoundDecoder`."""


Connects: TypeAlias = Callable[[Peer, Asked, Surroundings, Kept, Keeps], StreamConnection]
"""Puts a connection together, for whoever has a place."""


class Streams:
    """What all streams of a loaded model share.

    Args:
        recognizer: Decodes.
        scheduler: Admits.
        model: What the rules must know of the checkpoint.
        guard: Tells invented words from heard ones.
        voices: The weights of the voice activity detector.
        threads: Where sound is decoded and listened to.
        limits: What ends a stream.
        places: Says how many there may be, and measures it.
    """

    def __init__(  # noqa: PLR0913 - the service's collaborators
        self,
        recognizer: Recognizer,
        scheduler: Scheduler,
        model: DecodingModel,
        guard: Guard,
        *,
        voices: SileroWeights,
        threads: Executor,
        limits: StreamLimits,
        places: Places,
    ) -> None:
        self.places = places
        self._recognizer = recognizer
        self._scheduler = scheduler
        self._model = model
        self._guard = guard
        self._voices = voices
        self._threads = threads
        self.limits = limits

    @contextmanager
    def open(self, opening: Opening, peer: Peer, server: Surroundings) -> Iterator[StreamConnection]:
        """Give a stream its place while the context lasts.

        Raises:
            Overloaded: There is no room for another one.
            ShuttingDown: The server drains.
            InvalidRequest: An option means nothing.
            UnsupportedField: The model or its device cannot do it.
        """
        start = opening.keeper.start
        options = stream_options(start, self.limits)
        self.check(options)
        with self.place(resumes=opening.state is not None) as connect:
            kept = Kept(opening.state, opening.sound, opening.place)
            connection = connect(peer, Asked(options, start.audio), server, kept, opening.keeper)
            opening.keeper.place = connection.decoder.place
            yield connection

    def check(self, options: StreamOptions) -> None:
        """Refuse what cannot be obeyed.

        Raises:
            InvalidRequest: An option means nothing.
            UnsupportedField: The model or its device cannot do it.
        """
        check_options(options.transcription, self._model, self._scheduler.capabilities)

    @contextmanager
    def place(self, *, resumes: bool = False) -> Iterator[Connects]:
        """Hold a place while the context lasts; give what makes its connections, one after another.

        Args:
            resumes: The stream has begun already.

        Raises:
            Overloaded: There is no room for another one.
            ShuttingDown: The server drains.
        """
        with self.places.take(resumes=resumes) as told, self._scheduler.admit(0.0):
            # One for them all: a place counts as one that speaks, however many connections it has had.
            yield partial(self._connect, told)

    def _connect(
        self, told: Callable[[Seconds], None], peer: Peer, asked: Asked, server: Surroundings, kept: Kept, keeper: Keeps
    ) -> StreamConnection:
        activity = SileroStream(self._voices)
        session = StreamSession(asked.options, self._model, self._guard, kept.state)
        if kept.sound is not None:
            # Whole chunks: the client says the rest again.
            sound = kept.sound[: len(kept.sound) // CHUNK_SAMPLES * CHUNK_SAMPLES]
            session.hear(sound, activity.listen(sound))
        decoder = _decoder(asked.audio, session.heard_samples, kept.place)
        ears = Ears(decoder, activity, self._threads, told)
        return StreamConnection(peer, session, self._recognizer, ears, server, keeper)


def _decoder(audio: AudioFormat, heard: int, place: bytes) -> SoundDecoder:
    if audio.encoding in READERS:
        return RecordingDecoder(audio.encoding, heard, place)
    return FrameDecoder(audio.encoding, audio.sample_rate, heard)


def stream_options(start: Start, usual: StreamLimits) -> StreamOptions:
    """Translate a message's wishes.

    Args:
        start: The message.
        usual: What a stream gets that wishes for nothing.

    Raises:
        InvalidRequest: The language is none.
    """
    transcription = TranscriptionOptions(
        task=start.task,
        language=None if start.language is None else language_code(start.language),
        prompt=start.prompt,
        word_timestamps=start.word_timestamps,
        guard=start.guard,
    )
    interval, silence = start.partial_interval_seconds, start.endpoint_silence_seconds
    return StreamOptions(
        transcription,
        partial_interval=usual.partial_interval if interval is None else interval,
        endpoint_silence=usual.endpoint_silence if silence is None else silence,
        agreement=start.agreement,
    )
