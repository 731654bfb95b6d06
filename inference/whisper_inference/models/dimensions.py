"""The shape of a Whisper model."""

from dataclasses import dataclass

_MULTILINGUAL_VOCABULARY = 51_865
"""Tokens of the first multilingual vocabulary, with 99 languages; later ones add languages only."""


@dataclass(frozen=True, slots=True)
class ModelDimensions:
    """OpenAI's `ModelDimensions`, in words. Widths and counts, no units."""

    mel_bins: int
    """80, or 128 from large-v3 on."""
    audio_context: int
    """Encoder positions of a 30 s window: 1500."""
    audio_width: int
    audio_heads: int
    audio_layers: int
    vocabulary: int
    text_context: int
    """Decoder positions: 448. Half of it, less one, is for prompts."""
    text_width: int
    text_heads: int
    text_layers: int

    @property
    def multilingual(self) -> bool:
        """English-only models have 51,864 tokens; all others have more."""
        return self.vocabulary >= _MULTILINGUAL_VOCABULARY

    @property
    def language_count(self) -> int:
        """Languages in the vocabulary: 99, or 100 from large-v3 on; 0 for an English-only model."""
        return 99 + self.vocabulary - _MULTILINGUAL_VOCABULARY if self.multilingual else 0
