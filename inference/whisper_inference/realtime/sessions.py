"""A transcription session as OpenAI writes it: whole, or the part of it that an update changes. Pure.

The current form and the older one (`transcription_session.update`) say the same. What this server cannot obey is a
field that nothing but `null` fits, so that a client is told by name; what can only be absent is not shown.
"""

from typing import Annotated, Any, Final, Literal, LiteralString, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from whisper_inference.errors import UnsupportedField

LOGPROBS: Final = "item.input_audio_transcription.logprobs"
PCM_RATE: Final = 24_000
_G711_RATE: Final = 8_000
_LONGEST_PROMPT: Final = 4096

Delay: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]


def _refused(sentence: LiteralString, *, but: object = None) -> BeforeValidator:
    """Let `null` pass, and what asks for nothing; refuse the rest by name."""

    def check(value: object) -> None:
        if value is not None and value != but:
            raise PydanticCustomError(UnsupportedField.code, sentence)

    return BeforeValidator(check)


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def merged(self, update: Self) -> Self:
        """Return this with what the update says; what it leaves out stays."""
        changes = {}
        for name in update.model_fields_set:
            old, new = getattr(self, name), getattr(update, name)
            changes[name] = old.merged(new) if isinstance(old, _Wish) and type(old) is type(new) else new
        return self.model_copy(update=changes)


class Format(BaseModel):
    """What the appended sound is: one channel of 16-bit samples, or of G.711 at 8 kHz."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] = "audio/pcm"
    rate: int | None = Field(None, ge=8_000, le=48_000)
    """Of `audio/pcm`, by default 24,000. OpenAI knows no other; this server does."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.type != "audio/pcm" and self.rate not in {None, _G711_RATE}:
            raise PydanticCustomError("rate", "G.711 has 8000 samples a second: leave the rate out")
        return self

    @property
    def sample_rate(self) -> int:
        """Samples in a second."""
        return self.rate or (PCM_RATE if self.type == "audio/pcm" else _G711_RATE)


class Transcription(_Wish):
    """How speech becomes text."""

    model: str | None = Field(None, max_length=256)
    """The loaded one's name, or `whisper-1`; by default the loaded one."""
    language: str | None = Field(None, max_length=32)
    """Code or English name; detected by default."""
    prompt: str | None = Field(None, max_length=_LONGEST_PROMPT)
    """Text that comes before: names, spelling, style."""
    delay: Delay | None = None
    """How long text waits for hypotheses that agree: more is steadier and later. By default `medium`."""
    keywords: Annotated[
        None, _refused("keywords are not taken here: write them into the prompt, which guides Whisper's spelling")
    ] = Field(None, exclude=True)
    languages: Annotated[
        None, _refused("a list of languages is not taken here: name one as language, or none to have it detected")
    ] = Field(None, exclude=True)


class ServerVad(_Wish):
    """Turns end where somebody pauses."""

    type: Literal["server_vad"] = "server_vad"
    threshold: float = Field(0.5, ge=0, le=1)
    """How sure the detector must be that somebody speaks."""
    prefix_padding_ms: int = Field(300, ge=0, le=5_000)
    """Heard of what came before."""
    silence_duration_ms: int = Field(500, ge=200, le=5_000)
    """A pause of this length ends a turn."""
    create_response: Annotated[None, _refused("this server transcribes, and creates no responses", but=False)] = Field(
        None, exclude=True
    )
    interrupt_response: Annotated[
        None, _refused("this server transcribes, and has no responses to interrupt", but=False)
    ] = Field(None, exclude=True)
    idle_timeout_ms: Annotated[
        None, _refused("this server transcribes, and does not prompt who is silent: leave it out")
    ] = Field(None, exclude=True)


def _no_semantics(value: object) -> object:
    if isinstance(value, dict) and value.get("type") == "semantic_vad":
        raise PydanticCustomError(
            UnsupportedField.code, "semantic_vad is not available here: ask for server_vad, or for null, and commit"
        )
    return value


def _stays_on(value: object) -> object:
    if value is None:
        raise PydanticCustomError(
            UnsupportedField.code, "transcription cannot be turned off: it is all that the session does"
        )
    return value


TurnDetection: TypeAlias = Annotated[ServerVad | None, BeforeValidator(_no_semantics)]
"""`null`: the client commits."""
Transcribed: TypeAlias = Annotated[Transcription, BeforeValidator(_stays_on)]
NoNoiseReduction: TypeAlias = Annotated[
    None, _refused("noise is not reduced here, for Whisper hears better without it: leave it out, or send null")
]
Include: TypeAlias = list[Literal["item.input_audio_transcription.logprobs"]] | None


class Input(_Wish):
    """What comes in."""

    format: Format = Format()
    noise_reduction: NoNoiseReduction = None
    transcription: Transcribed = Transcription()
    turn_detection: TurnDetection = ServerVad()


class Audio(_Wish):
    """The session's audio, of which there is only what comes in."""

    input: Input = Input()


class Session(_Wish):
    """A transcription session."""

    type: Literal["transcription"] = "transcription"
    audio: Audio = Audio()
    include: Include = None
    """What else is told: the log-probabilities of the tokens of a turn."""

    @property
    def input(self) -> Input:
        """What comes in, and how it becomes text."""
        return self.audio.input

    @property
    def logprobs(self) -> bool:
        """The probabilities of tokens are asked for."""
        return LOGPROBS in (self.include or ())


_OLD_FORMATS: Final = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}


class OldTranscription(_Wish):
    """How speech becomes text, in the older form."""

    model: str | None = Field(None, max_length=256)
    language: str | None = Field(None, max_length=32)
    prompt: str | None = Field(None, max_length=_LONGEST_PROMPT)


class OldSession(_Wish):
    """A transcription session in the older form."""

    input_audio_format: Literal["pcm16", "g711_ulaw", "g711_alaw"] = "pcm16"
    input_audio_transcription: Annotated[OldTranscription, BeforeValidator(_stays_on)] = OldTranscription()
    input_audio_noise_reduction: NoNoiseReduction = None
    turn_detection: TurnDetection = ServerVad()
    include: Include = None
    modalities: Annotated[None, _refused("a session that transcribes has one modality: leave it out", but=["text"])] = (
        None
    )
    client_secret: Annotated[
        None, _refused("a session has no secret of its own: ask POST /v1/realtime/client_secrets for one")
    ] = None

    def as_update(self) -> Session:
        """Return what it says in the current form, and no more than that."""
        said = self.model_dump(exclude_unset=True)
        given: dict[str, Any] = {}
        if "input_audio_format" in said:
            given["format"] = {"type": _OLD_FORMATS[self.input_audio_format]}
        if "input_audio_transcription" in said:
            given["transcription"] = said["input_audio_transcription"]
        if "turn_detection" in said:
            given["turn_detection"] = said["turn_detection"]
        session: dict[str, Any] = {"audio": {"input": given}}
        return Session.model_validate(session | ({"include": self.include} if "include" in said else {}))


class SessionIdentity(BaseModel):
    """What a session has that nobody can ask for."""

    id: str
    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"
    expires_at: int
    """Seconds since 1970."""


def describe(session: Session, identity: SessionIdentity) -> dict[str, Any]:
    """Return a session as clients are shown it."""
    shown = session.model_dump()
    shown["audio"]["input"]["format"] = _shown_format(session.input.format)
    return {**identity.model_dump(), **shown}


def describe_old(session: Session, identity: SessionIdentity) -> dict[str, Any]:
    """Return a session as older clients are shown it."""
    given = session.model_dump()["audio"]["input"]
    formats = {new: old for old, new in _OLD_FORMATS.items()}
    return {
        **identity.model_dump(),
        "input_audio_format": formats[session.input.format.type],
        "input_audio_transcription": {name: given["transcription"][name] for name in ("model", "language", "prompt")},
        "input_audio_noise_reduction": None,
        "turn_detection": given["turn_detection"],
        "include": session.include,
        "client_secret": None,
    }


def _shown_format(given: Format) -> dict[str, Any]:
    return {"type": given.type} | ({"rate": given.sample_rate} if given.type == "audio/pcm" else {})
