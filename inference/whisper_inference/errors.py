"""What can go wrong, as typed facts. Each sentence says what happened and what to do.

They know neither HTTP nor an engine's library: `error_responses` maps them to status codes in one table.
"""

from pathlib import Path


class WhisperError(Exception):
    """The base of every error that this package raises on purpose; `str(error)` is fit for the person who asked."""

    code: str = "internal_error"
    """Stable machine-readable name: part of the API."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        """The request field at fault, where there is one."""


class InvalidSettings(WhisperError):
    """The server was told something that it cannot start with."""

    code = "invalid_settings"


# The model and its engine


class InvalidCheckpoint(WhisperError):
    """A model's file is missing, truncated, malformed or not allowed."""

    code = "invalid_checkpoint"

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class ModelNotFound(WhisperError):
    """The named model is neither a path nor in the cache nor at the hub, or is not the loaded one."""

    code = "model_not_found"


class ModelAccessDenied(WhisperError):
    """The hub does not give the named model to whoever asks with this token, or without one."""

    code = "model_access_denied"


class DownloadFailed(WhisperError):
    """The hub could not be reached, or a download broke off or arrived damaged."""

    code = "download_failed"


class DeviceUnavailable(WhisperError):
    """No device that was asked for can run the model; the message says why for each."""

    code = "device_unavailable"


class UnsupportedPrecision(WhisperError):
    """The device cannot compute in the precision that was asked for."""

    code = "unsupported_precision"


class EngineFailed(WhisperError):
    """The engine raised while it computed; the request is lost, the server goes on."""

    code = "engine_failed"


# The request


class InvalidRequest(WhisperError):
    """A field has a value that means nothing here."""

    code = "invalid_value"


class UnsupportedField(WhisperError):
    """A field is known, and this server or its model cannot obey it."""

    code = "unsupported_field"


class Unauthenticated(WhisperError):
    """No credential, or a wrong one."""

    code = "invalid_api_key"


class NotFound(WhisperError):
    """No such path."""

    code = "not_found"


# The audio


class UnreadableAudio(WhisperError):
    """The upload is of an allowed kind, and cannot be decoded (truncated, corrupt, no audio in it)."""

    code = "unreadable_audio"


class UnsupportedAudioFormat(WhisperError):
    """The upload's first bytes are of no kind that is decoded here."""

    code = "unsupported_audio_format"


class UploadTooLarge(WhisperError):
    """The upload has more bytes than allowed."""

    code = "upload_too_large"


class AudioTooLong(WhisperError):
    """The audio plays for longer than allowed."""

    code = "audio_too_long"


class AudioDecodingTimeout(WhisperError):
    """Decoding the audio took longer than allowed."""

    code = "audio_decoding_timeout"


# The moment


class Overloaded(WhisperError):
    """The queue is full."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotReady(WhisperError):
    """The model is still loading."""

    code = "loading"


class ShuttingDown(WhisperError):
    """The server drains: it finishes what it has and takes nothing new."""

    code = "shutting_down"
