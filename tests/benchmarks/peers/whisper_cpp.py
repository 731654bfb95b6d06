"""whisper.cpp through pywhispercpp, f16 weights."""

from pywhispercpp.model import Model

from tests.benchmarks.worker import Settings

FORMAT = "ggml"


class WhisperCpp:
    """One context on the given number of threads."""

    def __init__(self, model: str, threads: int) -> None:
        self._model = Model(model, n_threads=threads, print_progress=False, print_realtime=False)

    def transcribe(self, clip: str, settings: Settings) -> str:
        """Return the text of a sound file."""
        if settings == "same":
            segments = self._model.transcribe(clip, language="en", temperature=0.0, temperature_inc=0.0)
        else:
            segments = self._model.transcribe(clip)
        return " ".join(segment.text.strip() for segment in segments)


load = WhisperCpp
