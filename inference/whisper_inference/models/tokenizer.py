"""Whisper's tokenizer: text to byte-pair tokens and back, and the numbers of the special tokens.

Special tokens are never read out of a text: a prompt that spells `<|endoftext|>` is text like any other.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import tokenizers

from whisper_inference.errors import InvalidCheckpoint, InvalidRequest
from whisper_inference.models.byte_alphabet import CHARACTERS, unspell
from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.json_files import read_json
from whisper_inference.models.languages import LANGUAGE_NAMES
from whisper_inference.models.non_speech import find_non_speech_tokens
from whisper_inference.models.special_tokens import SpecialTokens, find_special_tokens, standard_special_tokens
from whisper_inference.models.words import merge_at_spaces, split_at_characters
from whisper_inference.transcription import Task

_SPACELESS_LANGUAGES: Final = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Written without spaces between words, so a word is a run of tokens that makes whole characters."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokenizer:
    """One vocabulary with the numbers of its special tokens."""

    multilingual: bool
    special: SpecialTokens
    non_speech_tokens: tuple[int, ...]
    """Text tokens that annotate sounds instead of spelling speech: brackets, notes, leading hyphens."""
    _vocabulary: tokenizers.Tokenizer
    _special_names: dict[int, str]

    @classmethod
    def from_file(cls, path: Path, dimensions: ModelDimensions) -> "Tokenizer":
        """Load a `tokenizer.json` of the Hugging Face layout.

        Raises:
            InvalidCheckpoint: The file is missing or malformed, or is no vocabulary of such a model.
        """
        vocabulary, added = _read(path)
        try:
            special = find_special_tokens(vocabulary.get_vocab() | added)
        except KeyError as error:
            raise InvalidCheckpoint(path, f"the special token {error.args[0]} is missing.") from error
        return cls._build(path, vocabulary, special, dimensions)

    @classmethod
    def shipped(cls, dimensions: ModelDimensions) -> "Tokenizer":
        """Load Whisper's own vocabulary, which the package holds, for a checkpoint that brings none."""
        name = "multilingual.json" if dimensions.multilingual else "english.json"
        data = files("whisper_inference.models").joinpath("vocabulary", name).read_bytes()
        vocabulary = tokenizers.Tokenizer.from_buffer(data)
        return cls._build(Path(name), vocabulary, standard_special_tokens(dimensions), dimensions)

    @classmethod
    def _build(
        cls, path: Path, vocabulary: tokenizers.Tokenizer, special: SpecialTokens, dimensions: ModelDimensions
    ) -> "Tokenizer":
        problem = _mismatch(vocabulary, special, dimensions)
        if problem:
            raise InvalidCheckpoint(path, problem)
        return cls(
            multilingual=dimensions.multilingual,
            special=special,
            non_speech_tokens=find_non_speech_tokens(lambda text: _encode(vocabulary, text)),
            _vocabulary=vocabulary,
            _special_names=special.names(),
        )

    @property
    def end_of_text(self) -> int:
        """Ends a transcript; every id from here on is special."""
        return self.special.end_of_text

    @property
    def start_of_transcript(self) -> int:
        """Begins every transcript."""
        return self.special.start_of_transcript

    @property
    def start_of_previous(self) -> int:
        """Begins the text that came before."""
        return self.special.start_of_previous

    @property
    def start_of_lm(self) -> int:
        """Of OpenAI's training only; never sampled."""
        return self.special.start_of_lm

    @property
    def no_speech(self) -> int:
        """Its probability after `start_of_transcript` says that nobody speaks."""
        return self.special.no_speech

    @property
    def no_timestamps(self) -> int:
        """Asks for text without times."""
        return self.special.no_timestamps

    @property
    def timestamp_begin(self) -> int:
        """0.00 s; each later id is 20 ms more."""
        return self.special.timestamp_begin

    @property
    def transcribe(self) -> int:
        """Asks for the spoken language's own text."""
        return self.special.transcribe

    @property
    def translate(self) -> int:
        """Asks for English text."""
        return self.special.translate

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that the model knows, in the order of their tokens."""
        return self.special.languages if self.multilingual else ("en",)

    def encode(self, text: str) -> list[int]:
        """Return the text's tokens; special tokens are not recognised in it."""
        return _encode(self._vocabulary, text)

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of the tokens, special and timestamp tokens left out, broken UTF-8 as U+FFFD."""
        return self._join(token for token in tokens if token < self.end_of_text)

    def token_bytes(self, token: int) -> bytes:
        """Return the UTF-8 bytes that a token stands for, possibly part of a character; a special token's name.

        Raises:
            InvalidRequest: The vocabulary has no such token.
        """
        if token >= self.end_of_text:
            return self._special_names.get(token, "").encode()
        spelled = self._vocabulary.id_to_token(token) if token >= 0 else None
        if spelled is None:
            raise InvalidRequest(f"{token} is no token of this vocabulary.")
        return unspell(spelled)

    def split_to_words(self, tokens: Sequence[int], language: str) -> list[tuple[str, list[int]]]:
        """Split tokens into words: their text, with its leading space, and their tokens.

        As openai-whisper does it: at spaces and punctuation, or at every whole character in languages that are
        written without spaces. A special token is a word of its own.
        """
        pieces = split_at_characters(tokens, self._join)
        if language in _SPACELESS_LANGUAGES:
            return pieces
        return merge_at_spaces(pieces, self.end_of_text)

    def language_token(self, code: str) -> int:
        """Return the token of a language.

        Raises:
            InvalidRequest: The model does not know the language.
        """
        if code not in self.languages:
            known = "English only" if not self.multilingual else f"{len(self.languages)} languages, {code!r} not among"
            raise InvalidRequest(f"The loaded model knows {known}{' them' * self.multilingual}.", param="language")
        return self.start_of_transcript + 1 + self.languages.index(code)

    def language_name(self, code: str) -> str:
        """Return the English name of a language in lower case, or the code itself if it has none here."""
        return LANGUAGE_NAMES.get(code, code)

    def start_sequence(self, language: str, task: Task, *, timestamps: bool) -> tuple[int, ...]:
        """Return the tokens that begin a transcript; an English-only model takes no language and no task."""
        sequence = [self.start_of_transcript]
        if self.multilingual:
            sequence += [self.language_token(language), self.transcribe if task == "transcribe" else self.translate]
        if not timestamps:
            sequence.append(self.no_timestamps)
        return tuple(sequence)

    def _join(self, tokens: Iterable[int]) -> str:
        return b"".join(map(self.token_bytes, tokens)).decode("utf-8", errors="replace")


def _read(path: Path) -> tuple[tokenizers.Tokenizer, dict[str, int]]:
    """Read a file's text vocabulary, and the ids of its added tokens by name.

    Only vocabulary and merges are taken: without added tokens and processors, no text can turn into special tokens.
    """
    parsed = read_json(path)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    try:
        added = {str(token["content"]): int(token["id"]) for token in parsed.get("added_tokens", [])}
        model = {"type": "BPE", "vocab": parsed["model"]["vocab"], "merges": parsed["model"]["merges"]}
        whole = {"version": "1.0", "added_tokens": [], "pre_tokenizer": byte_level, "model": model}
        return tokenizers.Tokenizer.from_str(json.dumps(whole)), added
    except Exception as error:  # `tokenizers` raises bare Exception for what its parser refuses
        raise InvalidCheckpoint(path, f"not a readable tokenizer: {error!r}") from error


def _encode(vocabulary: tokenizers.Tokenizer, text: str) -> list[int]:
    # A lone surrogate has no UTF-8; tiktoken replaces it in the same way.
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return list(vocabulary.encode(whole, add_special_tokens=False).ids)


def _mismatch(vocabulary: tokenizers.Tokenizer, special: SpecialTokens, dimensions: ModelDimensions) -> str | None:
    """Say what keeps this vocabulary from serving a model of these dimensions."""
    if special.last_timestamp >= dimensions.vocabulary:
        return f"its timestamps end at {special.last_timestamp}, the model has {dimensions.vocabulary} tokens."
    if dimensions.multilingual and len(special.languages) < len(LANGUAGE_NAMES) - 1:
        return f"it has {len(special.languages)} languages in a row, a multilingual Whisper has at least 99."
    text_tokens = (vocabulary.id_to_token(token) for token in range(special.end_of_text))
    if not special.distinct:
        return "its special tokens share numbers, or come before <|endoftext|>."
    alphabet = set(CHARACTERS)
    if not all(token is not None and alphabet.issuperset(token) for token in text_tokens):
        return "its text tokens have gaps, or are not spelled in GPT-2's byte alphabet."
    return None
