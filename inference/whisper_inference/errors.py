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


class UnsupportedMediaType(WhisperError):
    """The body has another content type than the route takes."""

    code = "unsupported_media_type"


class Unauthenticated(WhisperError):
    """No credential, or a wrong one."""

    code = "invalid_api_key"


class Forbidden(WhisperError):
    """The credential is right and not good for this."""

    code = "insufficient_role"


class NotFound(WhisperError):
    """No such path."""

    code = "not_found"


class Gone(WhisperError):
    """What the service that this one replaces had, and this one has not."""

    code = "gone"


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


class Postponed(WhisperError):
    """The base of what goes better later, and knows when."""

    def __init__(self, message: str, *, retry_after_seconds: int, audio_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.audio_seconds = audio_seconds
        """For how much audio there was no room."""


class Overloaded(Postponed):
    """The queue is full."""

    code = "overloaded"


class TooManyConnections(WhisperError):
    """As many are open as may be."""

    code = "too_many_connections"


class NotReady(WhisperError):
    """The model is still loading."""

    code = "loading"


class ShuttingDown(WhisperError):
    """The server drains: it finishes what it has and takes nothing new."""

    code = "shutting_down"


class StoreUnavailable(Postponed):
    """What keeps sessions does not answer."""

    code = "session_store_unavailable"


class TooManyAttempts(Postponed):
    """Too many wrong passwords for one account, or from one address."""

    code = "too_many_attempts"


class RateLimited(Postponed):
    """More requests than a credential, or an address, may send."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, limit: int, retry_after_seconds: int) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.limit = limit
        """How many may be sent."""


class ConcurrencyLimited(Postponed):
    """As many requests of a credential are under way as it may have at once."""

    code = "concurrency_limit_exceeded"


class QuotaExceeded(Postponed):
    """A credential has used what it may use in a day."""

    code = "quota_exceeded"


class SlowReader(WhisperError):
    """A client of a stream does not take what it is sent."""

    code = "slow_reader"


class StreamTaken(WhisperError):
    """A stream goes on over another connection."""

    code = "stream_taken"


class StreamNotFound(WhisperError):
    """There is no stream to go on with: it has ended, or waited for too long, or is somebody else's."""

    code = "stream_not_found"


class EmptyBuffer(WhisperError):
    """A turn of a conversation is ended in which nothing was said."""

    code = "input_audio_buffer_commit_empty"


class SessionExpired(WhisperError):
    """A conversation was silent for too long, or lasted as long as it may."""

    code = "session_expired"


class StreamRefused(WhisperError):
    """A server that this one is a client of does not take the stream; the sentence is the server's own."""

    code = "stream_refused"

    def __init__(self, message: str, *, later: bool = False, elsewhere: bool = False) -> None:
        super().__init__(message)
        self.later = later
        """Another try, a moment later, may succeed."""
        self.elsewhere = elsewhere
        """Another server behind the same address has room."""


class MicrophoneUnavailable(WhisperError):
    """This computer has no microphone that can be used, or what it takes is not installed."""

    code = "microphone_unavailable"


# Jobs


class JobNotFound(WhisperError):
    """No such job, or it is somebody else's, or its time is over."""

    code = "job_not_found"


class JobNotFinished(WhisperError):
    """The job has no result yet."""

    code = "job_not_finished"


class JobWithoutResult(WhisperError):
    """The job is over, and came to nothing."""

    code = "job_without_result"


class BatchNotFound(WhisperError):
    """No such batch, or it is somebody else's, or none of its jobs is kept any more."""

    code = "batch_not_found"


class JobStoreFull(Postponed):
    """All jobs together take as much as they may."""

    code = "job_store_full"


class TooManyJobs(Postponed):
    """Somebody has as many unfinished jobs as one may."""

    code = "too_many_jobs"
