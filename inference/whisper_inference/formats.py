"""A transcript as the formats that people and OpenAI's clients read. Pure.

Shapes: OpenAI's API reference, "Create transcription". SubRip has no standard; WebVTT is W3C's.
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from whisper_inference.transcription import Dropped, Seconds, Segment, TokenLogprob, Transcript, Word

TranscriptFormat: TypeAlias = Literal["json", "text", "srt", "verbose_json", "vtt"]
PlainFormat: TypeAlias = Literal["text", "srt", "vtt"]
FORMATS: tuple[TranscriptFormat, ...] = get_args(TranscriptFormat)

Json: TypeAlias = dict[str, Any]
"""What `json.dumps` takes; its shape is OpenAI's."""


class Rendered(NamedTuple):
    """A transcript in one of the formats, as bytes."""

    media_type: str
    body: bytes


class Rendering(NamedTuple):
    """How a transcript is wanted."""

    response_format: TranscriptFormat
    segments: bool = True
    """List segments in `verbose_json`."""
    words: bool = False
    """List words in it; they must have been asked for."""
    logprobs: bool = False
    """List log-probabilities in `json`; they must have been asked for."""


def render(transcript: Transcript, rendering: Rendering, language_name: str) -> Rendered:
    """Return a transcript in the format that was asked for; its language in words is for `verbose_json`."""
    match rendering.response_format:
        case "json":
            return _as_json(build_json(transcript, logprobs=rendering.logprobs))
        case "verbose_json":
            segments, words = rendering.segments, rendering.words
            return _as_json(build_verbose_json(transcript, language_name, segments=segments, words=words))
        case plain:
            return render_plain(transcript, plain)


def render_plain(transcript: Transcript, wanted: PlainFormat) -> Rendered:
    """Return the text alone, or subtitles."""
    match wanted:
        case "text":
            return Rendered("text/plain", render_text(transcript).encode())
        case "srt":
            return Rendered("text/plain", render_srt(transcript).encode())
        case "vtt":
            return Rendered("text/vtt", render_vtt(transcript).encode())


def _as_json(body: Json) -> Rendered:
    return Rendered("application/json", json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


def render_text(transcript: Transcript) -> str:
    """Return the text alone, with a line feed at its end."""
    return transcript.text + "\n"


def render_srt(transcript: Transcript) -> str:
    """Return SubRip subtitles."""
    cues = (
        f"{index}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n"
        for index, (start, end, text) in enumerate(_cues(transcript), start=1)
    )
    return "\n".join(cues)


def render_vtt(transcript: Transcript) -> str:
    """Return WebVTT subtitles."""
    cues = (
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n{_escape_vtt(text)}\n" for start, end, text in _cues(transcript)
    )
    return "\n".join(["WEBVTT\n", *cues])


def build_json(transcript: Transcript, *, logprobs: bool = False) -> Json:
    """Return OpenAI's `json`: the text, the usage, and the tokens' log-probabilities when they were asked for."""
    body: Json = {"text": transcript.text}
    if logprobs:
        body["logprobs"] = _logprobs(transcript.segments)
    return body | {"usage": _usage(transcript)}


def build_verbose_json(
    transcript: Transcript, language_name: str, *, segments: bool = True, words: bool = False
) -> Json:
    """Return OpenAI's `verbose_json`, and in `guard` what was withheld and why.

    Args:
        transcript: The result.
        language_name: Its language in words, for example `english`.
        segments: List them.
        words: List them; they must have been asked for.
    """
    body: Json = {
        "task": transcript.task,
        "language": language_name,
        "duration": round(transcript.duration, 3),
        "text": transcript.text,
    }
    if words:
        body["words"] = [_word(word) for word in transcript.words]
    if segments:
        body["segments"] = [_segment(segment) for segment in transcript.segments]
    return body | {"usage": _usage(transcript), "guard": {"dropped": [_dropped(item) for item in transcript.dropped]}}


def build_delta(segment: Segment, *, first: bool, logprobs: bool = False) -> Json:
    """Return the server-sent event of a segment's text; joined, all of them are the final text."""
    text = segment.text.lstrip() if first else segment.text
    event: Json = {"type": "transcript.text.delta", "delta": text, "segment_id": str(segment.id)}
    return event | ({"logprobs": _logprobs([segment])} if logprobs else {})


def build_segment_event(segment: Segment) -> Json:
    """Return the server-sent event of a segment with its times."""
    return {
        "type": "transcript.text.segment",
        "id": str(segment.id),
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text.strip(),
    }


def build_done(transcript: Transcript, *, logprobs: bool = False) -> Json:
    """Return the last server-sent event."""
    return {"type": "transcript.text.done"} | build_json(transcript, logprobs=logprobs)


def _cues(transcript: Transcript) -> Iterator[tuple[Seconds, Seconds, str]]:
    for segment in transcript.segments:
        text = " ".join(segment.text.split())
        if text:
            yield segment.start, max(segment.start, segment.end), text.replace("-->", "->")


def _clock(seconds: Seconds, separator: str) -> str:
    milliseconds = max(0, round(seconds * 1000))
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{separator}{milliseconds % 1000:03}"


def _escape_vtt(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _word(word: Word) -> Json:
    return {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}


def _segment(segment: Segment) -> Json:
    return {
        "id": segment.id,
        "seek": segment.seek,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _dropped(dropped: Dropped) -> Json:
    return {
        "reason": dropped.reason.value,
        "start": round(dropped.start, 3),
        "end": round(dropped.end, 3),
        "text": dropped.text,
    }


def _logprobs(segments: Sequence[Segment]) -> list[Json]:
    return [_logprob(token) for segment in segments for token in segment.logprobs]


def _logprob(token: TokenLogprob) -> Json:
    return {"token": token.text, "logprob": token.logprob, "bytes": list(token.text.encode())}


def _usage(transcript: Transcript) -> Json:
    return {"type": "duration", "seconds": math.ceil(transcript.duration)}
