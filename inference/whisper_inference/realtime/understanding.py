"""What a session of OpenAI's asks of a stream. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from whisper_inference.audio.voice_activity import VoiceActivityRules
from whisper_inference.models.languages import language_code
from whisper_inference.realtime.sessions import Audio, Delay, Format, Input, ServerVad, Session, Transcription
from whisper_inference.streaming.events import StreamOptions
from whisper_inference.streaming.frames import Encoding
from whisper_inference.streaming.protocol import AudioFormat
from whisper_inference.streaming.service import Asked
from whisper_inference.transcription import Seconds, TranscriptionOptions

_HYSTERESIS: Final = 0.15
"""Speech ends at a probability so much lower than where it begins: Silero's own rule."""
_LEAST_RELEASE: Final = 0.01


class _Pace(NamedTuple):
    agreement: int
    partial_interval: Seconds


_PACES: Final[Mapping[Delay | None, _Pace]] = MappingProxyType(
    {
        None: _Pace(2, 1.0),
        "minimal": _Pace(1, 0.5),
        "low": _Pace(2, 0.5),
        "medium": _Pace(2, 1.0),
        "high": _Pace(3, 1.0),
        "xhigh": _Pace(4, 1.0),
    }
)
_ENCODINGS: Final[Mapping[str, Encoding]] = MappingProxyType(
    {"audio/pcm": "pcm_s16le", "audio/pcmu": "pcm_mulaw", "audio/pcma": "pcm_alaw"}
)


def asked_by(session: Session) -> Asked:
    """Translate a session's wishes.

    Raises:
        InvalidRequest: The language is none.
    """
    transcription = session.input.transcription
    options = TranscriptionOptions(
        language=language_code(transcription.language) if transcription.language else None,
        prompt=transcription.prompt or None,
        logprobs=session.logprobs,
    )
    pace = _PACES[transcription.delay]
    stream = StreamOptions(options, partial_interval=pace.partial_interval, agreement=pace.agreement)
    vad = session.input.turn_detection
    return Asked(stream if vad is None else _with_detection(stream, vad), _audio(session.input.format))


def _with_detection(stream: StreamOptions, vad: ServerVad) -> StreamOptions:
    rules = VoiceActivityRules(threshold=vad.threshold, release=max(_LEAST_RELEASE, vad.threshold - _HYSTERESIS))
    return replace(
        stream,
        endpoint_silence=vad.silence_duration_ms / 1000,
        pre_roll=vad.prefix_padding_ms / 1000,
        voice=rules,
    )


def _audio(given: Format) -> AudioFormat:
    return AudioFormat(encoding=_ENCODINGS[given.type], sample_rate=given.sample_rate)


def with_model(session: Session, model: str) -> Session:
    """Return a session with its model named."""
    return session.merged(Session(audio=Audio(input=Input(transcription=Transcription(model=model)))))
