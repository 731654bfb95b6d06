"""The tokens that describe sounds instead of spelling what is said, for decoding to suppress.

The symbols are openai-whisper's `Tokenizer.non_speech_tokens` (MIT): brackets and notes as in `♪♪♪` and `[DAVID]`.
Plain punctuation stays.
"""

from collections.abc import Callable, Iterator

_SYMBOLS = (
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *("<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", '("', "((", "))", "(((", ")))"),
    *("[[", "]]", "{{", "}}", "♪♪", "♪♪♪"),
)
"""Suppressed where they are one token."""

_MUSIC = tuple("♩♪♫♬♭♮♯")
"""Suppressed by their first token, which only U+2640 to U+267F share."""

_WORD_STARTS = (" -", " '")
"""Allowed within a word, not before one."""


def find_non_speech_tokens(encode: Callable[[str], list[int]]) -> tuple[int, ...]:
    """Return the suppressed tokens of a vocabulary in ascending order."""
    return tuple(sorted(set(_tokens(encode))))


def _tokens(encode: Callable[[str], list[int]]) -> Iterator[int]:
    for start in _WORD_STARTS:
        yield encode(start)[0]
    for symbol in (*_SYMBOLS, *_MUSIC):
        for tokens in (encode(symbol), encode(f" {symbol}")):
            if len(tokens) == 1 or symbol in _MUSIC:
                yield tokens[0]
