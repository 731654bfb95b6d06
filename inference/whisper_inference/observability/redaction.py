"""What must not be in a log is taken out of it: keys, tokens, passwords, what people say and who they are. Pure.

Every expression begins at a fixed word or at the beginning of a run of characters, and never steps back over what it
has read: the time is linear in the text, whoever wrote it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

HIDDEN: Final = "[redacted]"
LONGEST: Final = 32_768
"""Characters of a text: what is beyond is cut off."""

_SECRETS: Final = (
    r"(?:api|access|secret|private|signing)[_-]?key(?:[_-]previous)?|x-api-key|passphrase|passwor[dt]|passwd|pwd"
    r"|secret|token|credential"
)
_HEADER: Final = r"(?:proxy-)?authorization|(?:set-)?cookie"
_CONTENT: Final = r"text|transcript|prompt|hotwords|keywords|sentence"
_QUOTED: Final = r"""(?:"(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?)"""


def _compile(pattern: str, replacement: str = HIDDEN) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE), replacement


_RULES: Final = (
    # A private key in a file's text.
    _compile(r"-----BEGIN (?:[A-Z]+ ){0,2}PRIVATE KEY-----(?s:.*?)(?:-----END[^\n-]*-----|\Z)"),
    # Headers, as text and as a list or a dictionary prints them: to the end of the quotes, or of the line.
    _compile(rf"({_HEADER})(['\"]?+\s*+[:=,]\s*+b?+)(?:{_QUOTED}|[^\n]++)", rf"\1\2{HIDDEN}"),
    # RFC 6750; a shorter one can be no key of ours, and is more likely the next word of a sentence.
    _compile(r"\b(bearer|basic)\s++[A-Za-z0-9._~+/=-]{16,}+", rf"\1 {HIDDEN}"),
    # Our own keys and tokens, the hub's, OpenAI's, and JWTs.
    _compile(r"ws[a-z]_[A-Za-z0-9_.-]{16,}+"),
    _compile(r"hf_[A-Za-z0-9]{16,}+"),
    _compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}+"),
    _compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){1,4}+"),
    _compile(r"\$argon2(?:id|i|d)\$[A-Za-z0-9$+/=,.-]*+"),
    # A user and a password before a host; a password may hold an @ of its own.
    _compile(r"://[^\s/?#'\"<>]*@", f"://{HIDDEN}@"),
    # name=value, name: value, and what JSON and Python print.
    _compile(rf"((?:{_SECRETS})['\"]?+\s*+[:=]\s*+b?+)(?:{_QUOTED}|[^\s,;&'\")}}\]]++)", rf"\1{HIDDEN}"),
    _compile(rf"(?<![a-z0-9_-])((?:{_CONTENT})['\"]?+\s*+[:=]\s*+){_QUOTED}", rf"\1{HIDDEN}"),
)
_PERSONAL: Final = (
    _compile(r"(?<![\w.%+-])[\w.%+-]++@[a-z0-9-]++(?:\.[a-z0-9-]++)++", "[e-mail]"),
    _compile(r"(?<![\w+.])\+[1-9][0-9]{0,2}+(?:[ ()/-]{0,2}+[0-9]){6,14}(?![0-9])", "[telephone]"),
)

_SECRET_NAME: Final = re.compile(rf"(?:^|[_.-])(?:{_SECRETS}|{_HEADER})s?$", re.IGNORECASE)
_CONTENT_NAMES: Final = frozenset(
    {"text", "texts", "transcript", "transcripts", "prompt", "hotwords", "keywords", "sentence", "words", "segments"}
    | {"audio", "samples", "body", "content", "file", "files", "data"}
)


def redact(text: str, *, personal: bool = True) -> str:
    """Return a text without secrets, and, with `personal`, without e-mail addresses and telephone numbers."""
    for pattern, replacement in (*_RULES, *_PERSONAL) if personal else _RULES:
        text = pattern.sub(replacement, text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST} more)"


def redact_fields(fields: Mapping[str, object], *, personal: bool = True) -> dict[str, object]:
    """Return named values without what their names or their texts give away; numbers stay."""
    return {
        name: _redact_field(name, value, lambda text: redact(text, personal=personal)) for name, value in fields.items()
    }


def _redact_field(name: str, value: object, clean: Callable[[str], str]) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return HIDDEN if _gives_away(name) else _redact_value(value, clean)


def _gives_away(name: str) -> bool:
    return name.lower() in _CONTENT_NAMES or _SECRET_NAME.search(name) is not None


def _redact_value(value: object, clean: Callable[[str], str]) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {str(key): _redact_field(str(key), each, clean) for key, each in value.items()}
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, str):
        return [_redact_field("", each, clean) for each in value]
    return clean(str(value))
