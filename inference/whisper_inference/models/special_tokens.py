"""Whisper's tokens that are no text: where a transcript starts, its language and task, silence, timestamps."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from whisper_inference.models.dimensions import ModelDimensions
from whisper_inference.models.languages import LANGUAGE_NAMES

TIMESTAMP_COUNT = 1501
"""0.00 s to 30.00 s in steps of 20 ms."""

MULTILINGUAL_TEXT_TOKENS = 50_257
"""Text tokens of the multilingual vocabulary, the empty one included."""

ENGLISH_TEXT_TOKENS = 50_256
"""Text tokens of the English-only vocabulary, which is GPT-2's."""

ENGLISH_LANGUAGE_TOKENS = 99
"""An English-only vocabulary holds language tokens too; its models were never trained with them."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The ids of the special tokens. Every id from `end_of_text` on is special."""

    end_of_text: int
    start_of_transcript: int
    languages: tuple[str, ...]
    """Codes in token order: the first language's id follows `start_of_transcript`."""
    translate: int
    transcribe: int
    start_of_lm: int
    start_of_previous: int
    no_speech: int
    no_timestamps: int
    timestamp_begin: int

    @property
    def last_timestamp(self) -> int:
        """The id of `<|30.00|>`, the largest that Whisper uses."""
        return self.timestamp_begin + TIMESTAMP_COUNT - 1

    @property
    def distinct(self) -> bool:
        """No two share an id, and `end_of_text` is the first."""
        names = self.names()
        return len(set(names.values())) == len(self.languages) + 8 + TIMESTAMP_COUNT and min(names) == self.end_of_text

    def names(self) -> dict[int, str]:
        """How each special token is written, by id: `<|endoftext|>`, `<|en|>`, `<|0.02|>` and so on."""
        first_language = self.start_of_transcript + 1
        return {
            self.end_of_text: "<|endoftext|>",
            self.start_of_transcript: "<|startoftranscript|>",
            **{first_language + index: f"<|{code}|>" for index, code in enumerate(self.languages)},
            self.translate: "<|translate|>",
            self.transcribe: "<|transcribe|>",
            self.start_of_lm: "<|startoflm|>",
            self.start_of_previous: "<|startofprev|>",
            self.no_speech: "<|nospeech|>",
            self.no_timestamps: "<|notimestamps|>",
            **{self.timestamp_begin + index: f"<|{index * 0.02:.2f}|>" for index in range(TIMESTAMP_COUNT)},
        }


def standard_special_tokens(dimensions: ModelDimensions) -> SpecialTokens:
    """Return the ids as OpenAI numbers them: right behind the text tokens, without a gap."""
    end = MULTILINGUAL_TEXT_TOKENS if dimensions.multilingual else ENGLISH_TEXT_TOKENS
    count = dimensions.language_count if dimensions.multilingual else ENGLISH_LANGUAGE_TOKENS
    behind = end + 2 + count
    return SpecialTokens(
        end_of_text=end,
        start_of_transcript=end + 1,
        languages=tuple(LANGUAGE_NAMES)[:count],
        translate=behind,
        transcribe=behind + 1,
        start_of_lm=behind + 2,
        start_of_previous=behind + 3,
        no_speech=behind + 4,
        no_timestamps=behind + 5,
        timestamp_begin=behind + 6,
    )


def find_special_tokens(ids: Mapping[str, int]) -> SpecialTokens:
    """Find the special tokens by name in a vocabulary.

    `<|nospeech|>` may be called `<|nocaptions|>`, and timestamps may be left out, as in Hugging Face's first files.

    Raises:
        KeyError: A token is missing; its argument is the name.
    """
    start = ids["<|startoftranscript|>"]
    by_id = {token_id: name for name, token_id in ids.items()}
    following = (by_id.get(start + 1 + index, "").removeprefix("<|").removesuffix("|>") for index in range(len(by_id)))
    no_timestamps = ids["<|notimestamps|>"]
    no_speech = ids.get("<|nospeech|>", ids.get("<|nocaptions|>"))
    if no_speech is None:
        raise KeyError("<|nospeech|>")
    return SpecialTokens(
        end_of_text=ids["<|endoftext|>"],
        start_of_transcript=start,
        languages=tuple(takewhile(LANGUAGE_NAMES.__contains__, following)),
        translate=ids["<|translate|>"],
        transcribe=ids["<|transcribe|>"],
        start_of_lm=ids["<|startoflm|>"],
        start_of_previous=ids["<|startofprev|>"],
        no_speech=no_speech,
        no_timestamps=no_timestamps,
        timestamp_begin=ids.get("<|0.00|>", no_timestamps + 1),
    )
