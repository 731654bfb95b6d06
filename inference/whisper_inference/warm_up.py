"""A real clip through the whole server: only after it does the server say that it is ready."""

import logging
from importlib import resources
from typing import Final

from whisper_inference.transcriber import Transcriber
from whisper_inference.transcription import TranscriptionOptions

logger = logging.getLogger(__name__)

_CLIP: Final = "warm_up.wav"
_WORDS: Final = frozenset({"please", "sleep", "your", "thirty", "shirt", "plastic", "city"})


async def transcribe_warm_up_clip(transcriber: Transcriber) -> None:
    """Transcribe the packaged clip of English speech.

    An engine that fails raises. One that answers nonsense may hold a model of another language, so that is only
    logged; but a compiled-model cache gone bad looks the same, and then the log says what to try.
    """
    clip = resources.files("whisper_inference").joinpath(_CLIP).read_bytes()
    transcript = await transcriber.transcribe(clip, TranscriptionOptions(temperatures=(0.0,), guard=False))
    heard = set(transcript.text.lower().replace(".", " ").replace(",", " ").split())
    if len(heard & _WORDS) * 2 < len(_WORDS):
        logger.warning(
            "The warm-up clip was not understood. If the model should know English, empty the compiled-model cache."
        )
