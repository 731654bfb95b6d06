"""The description of the API (OpenAPI 3.1): what routes declare, completed by what follows from it."""

from whisper_inference.routes.description.answers import may_raise, with_headers
from whisper_inference.routes.description.document import declared_operations, describe
from whisper_inference.routes.description.forms import audio_form

__all__ = ["audio_form", "declared_operations", "describe", "may_raise", "with_headers"]
