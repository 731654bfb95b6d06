"""A real clip through the whole server: only after it does the server say that it is ready."""

import logging
import time
from importlib import resources
from typing import Final

from whisper_inference.transcriber import Transcriber
from whisper_inference.transcription import TranscriptionOptions

logger = logging.getLogger(__name__)

_CLIP: Final = "warm_up.wav"
_SHORT_SECONDS: Final = 5.0
_WORDS: Final = frozenset({"please", "sleep", "your", "thirty", "shirt", "plastic", "city"})


async def transcribe_warm_up_clip(transcriber: Transcriber) -> None:
    """Transcribe the packaged clip of English speech.

    An engine that fails raises. One that answers nonsense may hold a model of another language, so that is only
    logged; but a compiled-model cache gone bad looks the same, and then the log says what to try.

    It is transcribed a second time where that takes no time: what a window takes when all is warm is the first guess of
    how many streams the engine can follow.
    """
    clip = resources.files("whisper_inference").joinpath(_CLIP).read_bytes()
    options = TranscriptionOptions(temperatures=(0.0,), guard=False)
    began = time.monotonic()
    transcript = await transcriber.transcribe(clip, options)
    if time.monotonic() - began < _SHORT_SECONDS:
        await transcriber.transcribe(clip, options)
    heard = set(transcript.text.lower().replace(".", " ").replace(",", " ").split())
    if len(heard & _WORDS) * 2 < len(_WORDS):
        logger.warning(
            "The warm-up clip was not understood. If the model should know English, empty the compiled-model cache."
        )
