"""Whisper's tokenizer: text to byte-pair tokens and back, and the numbers of the special tokens."""


class Tokenizer:
    """Placeholder that the first slice of `models` replaces."""
