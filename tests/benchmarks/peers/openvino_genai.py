"""openvino-genai's WhisperPipeline, on an int8 export by optimum-intel."""

import openvino_genai
from faster_whisper import decode_audio

from tests.benchmarks.worker import Settings

FORMAT = "openvino"


class OpenVinoGenAi:
    """One pipeline on the given number of threads."""

    def __init__(self, model: str, threads: int) -> None:
        self._pipeline = openvino_genai.WhisperPipeline(model, "CPU", INFERENCE_NUM_THREADS=threads)

    def transcribe(self, clip: str, settings: Settings) -> str:
        """Return the text of a sound file."""
        samples = decode_audio(clip)
        if settings == "same":
            result = self._pipeline.generate(samples, language="<|en|>", task="transcribe", return_timestamps=True)
        else:
            result = self._pipeline.generate(samples)
        return str(result.texts[0]).strip()


load = OpenVinoGenAi
