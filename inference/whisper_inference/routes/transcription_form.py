"""OpenAI's form fields as options: each is obeyed or refused by name, none is ignored. Pure.

What each field takes stands in `form_fields`.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from whisper_inference.errors import InvalidRequest, UnsupportedField
from whisper_inference.formats import FORMATS, Rendering, TranscriptFormat
from whisper_inference.models.languages import language_code
from whisper_inference.routes.form_fields import FIELDS, names_for
from whisper_inference.transcription import DEFAULT_TEMPERATURES, Task, TranscriptionOptions

FormFields = Mapping[str, Sequence[str]]
"""Each field with all its values, files left out."""

_SPEAKERS: Final = "This server does not tell speakers apart: leave the field out."
_FIXED_VOICE_ACTIVITY: Final = "This server's voice activity detection is not adjustable: send chunking_strategy=auto."
_UNSUPPORTED: Final[Mapping[str, str]] = {
    "known_speaker_names[]": _SPEAKERS,
    "known_speaker_references[]": _SPEAKERS,
    "chunking_strategy[threshold]": _FIXED_VOICE_ACTIVITY,
    "chunking_strategy[prefix_padding_ms]": _FIXED_VOICE_ACTIVITY,
    "chunking_strategy[silence_duration_ms]": _FIXED_VOICE_ACTIVITY,
}
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class TranscriptionForm:
    """A request, understood."""

    model: str
    options: TranscriptionOptions
    response_format: TranscriptFormat = "json"
    stream: bool = False
    segments: bool = True
    """List segments in `verbose_json`."""

    @property
    def rendering(self) -> Rendering:
        """How the transcript is wanted."""
        return Rendering(self.response_format, self.segments, self.options.word_timestamps, self.options.logprobs)


def parse_form(fields: FormFields, task: Task) -> TranscriptionForm:
    """Understand the fields of a transcription or a translation.

    Raises:
        InvalidRequest: A value means nothing, or fields exclude each other.
        UnsupportedField: A field of OpenAI's that cannot be obeyed here.
    """
    reader = _Reader(_with_brackets(fields))
    reader.refuse_unknown(names_for(task))
    response_format = _response_format(reader.text("response_format") or "json")
    granularities = reader.many("timestamp_granularities[]")
    stream = reader.flag("stream") or False
    logprobs = bool(reader.many("include[]"))
    _check_combination(response_format, stream=stream, logprobs=logprobs, granularities=bool(granularities))
    return TranscriptionForm(
        model=reader.required("model"),
        options=TranscriptionOptions(
            task=task,
            language=_language(reader),
            prompt=_prompt(reader),
            temperatures=_temperatures(reader.number("temperature")),
            beam_size=reader.count("beam_size"),
            best_of=reader.count("best_of"),
            word_timestamps="word" in granularities,
            condition_on_previous_text=reader.flag("condition_on_previous_text") is not False,
            long_form="batched" if _chunking(reader) else "sequential",
            guard=reader.flag("guard") is not False,
            logprobs=logprobs,
        ),
        response_format=response_format,
        stream=stream,
        segments=not granularities or "segment" in granularities,
    )


class _Reader:
    """Takes typed values out of a form; every error names its field."""

    def __init__(self, fields: FormFields) -> None:
        self._fields = fields

    def refuse_unknown(self, known: frozenset[str]) -> None:
        for name in self._fields:
            if name in _UNSUPPORTED:
                raise UnsupportedField(_UNSUPPORTED[name], param=name.removesuffix("[]"))
            if name not in known:
                raise InvalidRequest(f"Unknown field {name[:64]!r}: remove it.", param=name[:64])

    def text(self, name: str) -> str | None:
        values = self._fields.get(name, ())
        if len(values) > 1:
            raise InvalidRequest(f"{name} is given {len(values)} times; send it once.", param=name)
        return values[0] if values and values[0] != "" else None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise InvalidRequest(f"The field {name} is missing.", param=name)
        return value

    def many(self, name: str) -> Sequence[str]:
        allowed = FIELDS[name].choices
        for value in self._fields.get(name, ()):
            if value not in allowed:
                raise InvalidRequest(
                    f"{name} takes {' or '.join(allowed)}, not {value[:64]!r}.", param=name.removesuffix("[]")
                )
        return self._fields.get(name, ())

    def flag(self, name: str) -> bool | None:
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in _BOOLEANS:
            raise InvalidRequest(f"{name} takes true or false, not {value[:64]!r}.", param=name)
        return _BOOLEANS[value.lower()]

    def number(self, name: str) -> float | None:
        """Return a field as a number within its bounds."""
        value = self.text(name)
        least, most = FIELDS[name].bounds or (-math.inf, math.inf)
        try:
            number = None if value is None else float(value)
        except ValueError:
            number = math.nan
        if number is not None and not least <= number <= most:
            raise InvalidRequest(f"{name} takes a number from {least} to {most}.", param=name)
        return number

    def count(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        least, most = FIELDS[name].bounds or (0, sys.maxsize)
        if not (value.isdecimal() and len(value) <= len(str(most)) and least <= int(value) <= most):
            raise InvalidRequest(f"{name} takes a whole number from {least} to {most}.", param=name)
        return int(value)

    def values(self, name: str) -> Sequence[str]:
        return [value.strip() for value in self._fields.get(name, ()) if value.strip()]


def _with_brackets(fields: FormFields) -> FormFields:
    """Lists may be sent with or without brackets: `include[]` and `include` are one field."""
    merged: dict[str, list[str]] = {}
    for name, values in fields.items():
        bracketed = f"{name}[]"
        known = bracketed in FIELDS or bracketed in _UNSUPPORTED
        merged.setdefault(bracketed if known else name, []).extend(values)
    return merged


def _response_format(value: str) -> TranscriptFormat:
    if value == "diarized_json":
        raise UnsupportedField(
            "This server does not tell speakers apart: ask for verbose_json instead of diarized_json.",
            param="response_format",
        )
    for known in FORMATS:
        if value == known:
            return known
    raise InvalidRequest(
        f"response_format takes {', '.join(get_args(TranscriptFormat))}, not {value[:64]!r}.", param="response_format"
    )


def _check_combination(response_format: TranscriptFormat, *, stream: bool, logprobs: bool, granularities: bool) -> None:
    if granularities and response_format != "verbose_json":
        raise InvalidRequest(
            "timestamp_granularities needs response_format=verbose_json.", param="timestamp_granularities"
        )
    if logprobs and response_format != "json":
        raise InvalidRequest("include[]=logprobs needs response_format=json.", param="include")
    if stream and response_format in {"srt", "vtt"}:
        raise InvalidRequest(f"stream cannot send {response_format}: ask for json.", param="stream")


def _language(reader: _Reader) -> str | None:
    language, candidates = reader.text("language"), reader.values("languages[]")
    if language and candidates:
        raise InvalidRequest("language and languages exclude each other: send one of them.", param="languages")
    if len(candidates) > 1:
        raise UnsupportedField(
            "This server cannot choose among several languages: send one, or none to detect it.", param="languages"
        )
    chosen = language or next(iter(candidates), None)
    return language_code(chosen) if chosen else None


def _prompt(reader: _Reader) -> str | None:
    """Whisper has no list of keywords; words in its prompt have the same effect."""
    keywords = ", ".join(reader.values("keywords[]"))
    parts = [part for part in (f"{keywords}." if keywords else None, reader.text("prompt")) if part]
    return " ".join(parts) or None


def _temperatures(temperature: float | None) -> tuple[float, ...]:
    """At 0, as OpenAI says, log-probabilities raise the temperature until the result passes."""
    return (temperature,) if temperature else DEFAULT_TEMPERATURES


def _chunking(reader: _Reader) -> bool:
    """Say whether speech is cut at pauses; JSON and bracketed forms of the field are one."""
    value = reader.text("chunking_strategy") or reader.text("chunking_strategy[type]")
    if value is None or value in {"auto", "server_vad"}:
        return value is not None
    try:
        strategy = json.loads(value)
    except (ValueError, RecursionError):
        strategy = None
    if not isinstance(strategy, dict) or strategy.get("type") != "server_vad":
        raise InvalidRequest(
            "chunking_strategy takes auto, or an object of type server_vad.", param="chunking_strategy"
        )
    if strategy.keys() - {"type"}:
        raise UnsupportedField(_FIXED_VOICE_ACTIVITY, param="chunking_strategy")
    return True
