"""The tokens that decoding never samples, as openai-whisper decides them."""

from collections.abc import Collection

from whisper_inference.models.tokenizer import Tokenizer

NON_SPEECH = -1
"""In a list of suppressed tokens: all non-speech tokens of the vocabulary."""


def suppressed_tokens(tokenizer: Tokenizer, listed: Collection[int] = (NON_SPEECH,)) -> tuple[int, ...]:
    """Return openai-whisper's `DecodingTask._get_suppress_tokens` for a list: the tokens in ascending order.

    Tokens that control the decoder are suppressed whatever the list says. Hugging Face's lists of the stock models
    come to the same tokens: they leave out at most `<|translate|>` and `<|transcribe|>`.
    """
    text = {token for token in listed if token >= 0}
    if NON_SPEECH in listed:
        text.update(tokenizer.non_speech_tokens)
    control = {
        tokenizer.transcribe,
        tokenizer.translate,
        tokenizer.start_of_transcript,
        tokenizer.start_of_previous,
        tokenizer.start_of_lm,
        tokenizer.no_speech,
    }
    return tuple(sorted(text | control))
