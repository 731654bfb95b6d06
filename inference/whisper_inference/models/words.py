"""Where words begin in a row of tokens, by the rules of openai-whisper's `split_to_word_tokens`."""

import string
from collections.abc import Callable, Sequence
from typing import TypeAlias

Piece: TypeAlias = tuple[str, list[int]]
"""A stretch of text and the tokens that make it."""

_REPLACEMENT = "\ufffd"


def split_at_characters(tokens: Sequence[int], join: Callable[[Sequence[int]], str]) -> list[Piece]:
    """Split tokens at every position where those before it make whole characters.

    Tokens that never make one (broken UTF-8 at the end) are left out, as openai-whisper does.

    Args:
        tokens: Text and special tokens.
        join: Turns tokens into text, broken UTF-8 as U+FFFD.
    """
    whole = join(tokens)
    pieces: list[Piece] = []
    current: list[int] = []
    offset = 0
    for token in tokens:
        current.append(token)
        text = join(current)
        broken = text.find(_REPLACEMENT)
        # A replacement character that the whole text has there too is the text's own.
        if broken < 0 or whole[offset + broken : offset + broken + 1] == _REPLACEMENT:
            pieces.append((text, current))
            offset += len(text)
            current = []
    return pieces


def merge_at_spaces(pieces: Sequence[Piece], end_of_text: int) -> list[Piece]:
    """Join pieces into words: a new one begins at a space, at punctuation and at a special token."""
    words: list[Piece] = []
    for text, tokens in pieces:
        begins = tokens[0] >= end_of_text or text.startswith(" ") or text.strip() in string.punctuation
        if begins or not words:
            words.append((text, list(tokens)))
        else:
            word, word_tokens = words[-1]
            words[-1] = (word + text, word_tokens + tokens)
    return words
