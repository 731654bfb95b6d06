"""A transcript as `/api/v1` answers with it: everything that is known of it, in one shape."""

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from whisper_inference.composition import Services
from whisper_inference.engines.base import Capabilities, Device, EngineName, Precision
from whisper_inference.transcription import Dropped, DropReason, Segment, Task, Transcript, Word

SERVED_BY_EXAMPLE: Final[dict[str, Any]] = {
    "model": "openai/whisper-base",
    "engine": "openvino",
    "device": "npu",
    "device_name": "Intel(R) AI Boost",
    "precision": "f16",
    "simulated": False,
}


class WordResponse(BaseModel):
    """One word; times are seconds from the start of the audio."""

    text: str
    start: float
    end: float
    probability: float

    @classmethod
    def of(cls, word: Word) -> Self:
        """Describe a word."""
        return cls(
            text=word.text.strip(), start=_rounded(word.start), end=_rounded(word.end), probability=word.probability
        )


class LogprobResponse(BaseModel):
    """One token of the text."""

    token: str
    logprob: float = Field(description="Natural logarithm of its probability.")


class SegmentResponse(BaseModel):
    """A stretch of speech."""

    id: int
    start: float
    end: float
    text: str
    words: list[WordResponse] = Field(description="With word_timestamps.")
    logprobs: list[LogprobResponse] = Field(description="With logprobs.")
    temperature: float = Field(description="Above the first that was asked for: the ones before it gave a bad result.")
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float

    @classmethod
    def of(cls, segment: Segment) -> Self:
        """Describe a segment."""
        return cls(
            id=segment.id,
            start=_rounded(segment.start),
            end=_rounded(segment.end),
            text=segment.text.strip(),
            words=[WordResponse.of(word) for word in segment.words],
            logprobs=[LogprobResponse(token=token.text, logprob=token.logprob) for token in segment.logprobs],
            temperature=segment.temperature,
            avg_logprob=segment.avg_logprob,
            compression_ratio=segment.compression_ratio,
            no_speech_prob=segment.no_speech_prob,
        )


class DroppedResponse(BaseModel):
    """Text that the guard withheld."""

    reason: DropReason
    start: float
    end: float
    text: str = Field(description="Empty where nothing was decoded.")

    @classmethod
    def of(cls, dropped: Dropped) -> Self:
        """Describe what was withheld."""
        return cls(
            reason=dropped.reason, start=_rounded(dropped.start), end=_rounded(dropped.end), text=dropped.text.strip()
        )


class ServedBy(BaseModel):
    """What computed it."""

    model: str
    engine: EngineName
    device: Device
    device_name: str = Field(description="The device's own name.")
    precision: Precision
    simulated: bool = Field(description="The NPU's graphs run on another device: in tests only.")

    @classmethod
    def of(cls, model: str, capabilities: Capabilities) -> Self:
        """Describe a model on a device."""
        return cls(
            model=model,
            engine=capabilities.engine,
            device=capabilities.device,
            device_name=capabilities.device_name,
            precision=capabilities.precision,
            simulated=capabilities.simulated,
        )


class Timings(BaseModel):
    """Where the time went."""

    upload_seconds: float = Field(description="Until the whole upload was here.")
    processing_seconds: float = Field(description="From then to the transcript, waiting included.")
    real_time_factor: float | None = Field(description="Processing over duration; null where there is no audio.")


class TranscriptResponse(BaseModel):
    """A transcript."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "task": "transcribe",
                    "language": "en",
                    "language_name": "english",
                    "duration": 2.4,
                    "text": "Good morning.",
                    "segments": [
                        {
                            "id": 0,
                            "start": 0.0,
                            "end": 1.3,
                            "text": "Good morning.",
                            "words": [{"text": "Good", "start": 0.0, "end": 0.4, "probability": 0.99}],
                            "logprobs": [],
                            "temperature": 0.0,
                            "avg_logprob": -0.1,
                            "compression_ratio": 0.6,
                            "no_speech_prob": 0.01,
                        }
                    ],
                    "dropped": [{"reason": "no_voice", "start": 1.3, "end": 2.4, "text": "Thanks for watching."}],
                    "served_by": SERVED_BY_EXAMPLE,
                    "timings": {"upload_seconds": 0.01, "processing_seconds": 0.12, "real_time_factor": 0.05},
                }
            ]
        }
    )

    task: Task
    language: str = Field(description="Asked for or detected, as a code.")
    language_name: str
    duration: float
    text: str
    segments: list[SegmentResponse]
    dropped: list[DroppedResponse] = Field(description="What the guard withheld, and why.")
    served_by: ServedBy
    timings: Timings

    @classmethod
    def of(cls, transcript: Transcript, services: Services, timings: Timings) -> Self:
        """Describe a transcript."""
        return cls(
            task=transcript.task,
            language=transcript.language,
            language_name=services.model.tokenizer.language_name(transcript.language),
            duration=_rounded(transcript.duration),
            text=transcript.text,
            segments=[SegmentResponse.of(segment) for segment in transcript.segments],
            dropped=[DroppedResponse.of(dropped) for dropped in transcript.dropped],
            served_by=ServedBy.of(services.model_name, services.scheduler.capabilities),
            timings=timings,
        )


def build_timings(upload_seconds: float, processing_seconds: float, duration: float) -> Timings:
    """Put the figures of one request together."""
    return Timings(
        upload_seconds=_rounded(upload_seconds),
        processing_seconds=_rounded(processing_seconds),
        real_time_factor=round(processing_seconds / duration, 4) if duration > 0 else None,
    )


def _rounded(seconds: float) -> float:
    """Milliseconds are what a frame can tell."""
    return round(seconds, 3)
