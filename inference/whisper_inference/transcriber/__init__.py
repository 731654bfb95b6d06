"""The service: admit, decode audio, schedule windows, guard, hand out the transcript. Knows no transport."""

from whisper_inference.transcriber.assembly import Guard
from whisper_inference.transcriber.audio_front_end import AudioSteps, ThreadedFrontEnd
from whisper_inference.transcriber.front_end import FrontEnd, PreparedAudio, Source, Span
from whisper_inference.transcriber.observer import TranscriberObserver
from whisper_inference.transcriber.service import Transcriber

__all__ = [
    "AudioSteps",
    "FrontEnd",
    "Guard",
    "PreparedAudio",
    "Source",
    "Span",
    "ThreadedFrontEnd",
    "Transcriber",
    "TranscriberObserver",
]
