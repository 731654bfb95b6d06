"""openai-whisper, as shipped, in f32."""

import torch
import whisper
from faster_whisper import decode_audio

from tests.benchmarks.worker import Settings

FORMAT = "openai"


class OpenAiWhisper:
    """One model; torch's threads are the process's."""

    def __init__(self, model: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._model = whisper.load_model(model, device="cpu")

    def transcribe(self, clip: str, settings: Settings) -> str:
        """Return the text of a sound file."""
        samples = decode_audio(clip)  # its own `load_audio` needs the ffmpeg program
        if settings == "same":
            result = self._model.transcribe(samples, language="en", temperature=0.0, fp16=False)
        else:
            result = self._model.transcribe(samples, fp16=False)
        return str(result["text"]).strip()


load = OpenAiWhisper
