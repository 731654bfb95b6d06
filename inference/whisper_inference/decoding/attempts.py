"""One window's text: attempts at rising temperatures until one passes its checks.

The checks are openai-whisper's (`decode_with_fallback` in `transcribe.py`), after section 4.5 of Radford et al. 2022.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from whisper_inference.arrays import FloatArray
from whisper_inference.decoding.hypotheses import Hypothesis, most_likely
from whisper_inference.decoding.logit_rules import LogitRules, log_normalisers
from whisper_inference.decoding.requests import Decoding, Start
from whisper_inference.decoding.searches import SearchSpace, beam_search, most_likely_tokens, sample, sampled_tokens
from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.transcription import TranscriptionOptions


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one pass over a window wrote, and the figures it is judged by."""

    hypothesis: Hypothesis
    text: str
    temperature: float
    no_speech_prob: float
    compression_ratio: float

    def is_silence(self, options: TranscriptionOptions) -> bool:
        """The model heard no speech, and is not sure enough of its text to outweigh that."""
        if options.no_speech_threshold is None or self.no_speech_prob <= options.no_speech_threshold:
            return False
        return options.logprob_threshold is None or self.hypothesis.avg_logprob <= options.logprob_threshold

    def passes(self, options: TranscriptionOptions) -> bool:
        """No other temperature is worth a try."""
        too_regular = (
            options.compression_ratio_threshold is not None
            and self.compression_ratio > options.compression_ratio_threshold
        )
        unsure = options.logprob_threshold is not None and self.hypothesis.avg_logprob < options.logprob_threshold
        silent = options.no_speech_threshold is not None and self.no_speech_prob > options.no_speech_threshold
        return (unsure and silent) or not (too_regular or unsure)


def compression_ratio(text: str) -> float:
    """Return how much zlib shrinks the text: speech stays under about 2.4, loops go beyond."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


def attempt_until_good(
    model: DecodingModel, start_sequence: tuple[int, ...], previous: tuple[int, ...], options: TranscriptionOptions
) -> Decoding[Attempt]:
    """Decode at each temperature in turn; the first result that passes is kept, else the last."""
    prompt = _prompt(model, start_sequence, previous)
    random = np.random.default_rng(options.seed)
    attempt = None
    for temperature in options.temperatures:
        attempt = yield from _attempt(model, prompt, temperature, options, random)
        if attempt.passes(options):
            break
    if attempt is None:
        raise ValueError("a request needs at least one temperature")
    return attempt


def _prompt(model: DecodingModel, start_sequence: tuple[int, ...], previous: tuple[int, ...]) -> tuple[int, ...]:
    if not previous:
        return start_sequence
    return (model.tokenizer.start_of_previous, *previous[-model.longest_prompt :], *start_sequence)


def _attempt(
    model: DecodingModel,
    prompt: tuple[int, ...],
    temperature: float,
    options: TranscriptionOptions,
    random: np.random.Generator,
) -> Decoding[Attempt]:
    rows = (options.best_of if temperature > 0 else options.beam_size) or 1
    start_at = prompt.index(model.tokenizer.start_of_transcript)
    after_start, first = yield Start(prompt, logits_at=(start_at, len(prompt) - 1), rows=rows)
    no_speech_prob = _probability(after_start, model.tokenizer.no_speech)
    space = _space(model, prompt, rows, options)
    if temperature > 0:
        hypotheses = yield from sample(first, space, sampled_tokens(temperature, random))
    elif options.beam_size is not None:
        hypotheses = yield from beam_search(first, space, options.patience)
    else:
        hypotheses = yield from sample(first, space, most_likely_tokens)
    best = most_likely(hypotheses, options.length_penalty)
    text = model.tokenizer.decode(best.tokens).strip()
    return Attempt(best, text, temperature, no_speech_prob, compression_ratio(text))


def _space(model: DecodingModel, prompt: tuple[int, ...], rows: int, options: TranscriptionOptions) -> SearchSpace:
    context = model.dimensions.text_context
    return SearchSpace(
        rules=LogitRules(model, timestamps=options.timestamps),
        end_of_text=model.tokenizer.end_of_text,
        rows=rows,
        max_tokens=min(context // 2, context + 1 - len(prompt)),
    )


def _probability(logits: FloatArray, token: int) -> float:
    return float(np.exp(logits[token] - log_normalisers(logits[None])[0]))
