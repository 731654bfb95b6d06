"""faster-whisper (CTranslate2), int8."""

from faster_whisper import WhisperModel

from tests.benchmarks.worker import Settings

FORMAT = "ctranslate2"


class FasterWhisper:
    """One model on the given number of threads."""

    def __init__(self, model: str, threads: int) -> None:
        self._model = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads)

    def transcribe(self, clip: str, settings: Settings) -> str:
        """Return the text of a sound file."""
        if settings == "same":
            segments, _ = self._model.transcribe(clip, language="en", beam_size=1, temperature=0.0)
        else:
            segments, _ = self._model.transcribe(clip)
        return "".join(segment.text for segment in segments).strip()


load = FasterWhisper
