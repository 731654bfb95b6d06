"""The same speech as a file and as a stream: what a live text costs in words."""

import io
import wave
from dataclasses import dataclass

import httpx

from tests.benchmarks.streams.capacity import word_error_rate
from tests.benchmarks.streams.figures import percentile
from tests.benchmarks.streams.server import KEY, Server
from tests.benchmarks.streams.speaker import Speakers
from tests.benchmarks.streams.speech import SAMPLE_RATE, make_speech


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both, against what was said."""

    words: int
    stream: float
    """Word error rate of the final segments."""
    batch: float
    """Of the transcript of the same sound as a file."""
    first_p50: float
    """Seconds from where somebody begins to speak to the first text, when nobody else speaks."""
    first_p95: float
    lag_p50: float
    lag_p95: float
    retracted: int


async def compare_with_batch(server: Server, speakers: Speakers, seconds: float, interval: float) -> Comparison:
    """Say it in real time, alone, and send it as a file."""
    speech = make_speech(0, seconds, 0.8)
    heard = await speakers.speak(speech, language="en", partial_interval_seconds=interval)
    if heard.problem is not None:
        raise RuntimeError(heard.problem)
    text = await _transcribe(server, speech.sound)
    return Comparison(
        words=len(speech.text.split()),
        stream=word_error_rate([speech.text], [heard.text]),
        batch=word_error_rate([speech.text], [text]),
        first_p50=percentile(heard.firsts, 50),
        first_p95=percentile(heard.firsts, 95),
        lag_p50=percentile(heard.lags, 50),
        lag_p95=percentile(heard.lags, 95),
        retracted=heard.retracted,
    )


async def _transcribe(server: Server, sound: bytes) -> str:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(sound)
    async with httpx.AsyncClient(
        base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=600
    ) as client:
        answer = await client.post(
            "/v1/audio/transcriptions",
            data={"model": "whisper-1", "language": "en"},
            files={"file": ("speech.wav", file.getvalue())},
        )
    answer.raise_for_status()
    return str(answer.json()["text"])
