"""What a request asks for, held against what this model on this engine can do: obeyed or refused, never ignored."""

from whisper_inference.decoding.windows import DecodingModel
from whisper_inference.engines.base import Capabilities
from whisper_inference.errors import InvalidRequest, UnsupportedField
from whisper_inference.models.tokenizer import Tokenizer
from whisper_inference.transcription import TranscriptionOptions


def rows_needed(options: TranscriptionOptions) -> int:
    """Return the most decoder rows that a window of such a request has at once."""
    greedy_or_beam = (options.beam_size or 1) if 0.0 in options.temperatures else 1
    sampled = (options.best_of or 1) if any(temperature > 0 for temperature in options.temperatures) else 1
    return max(greedy_or_beam, sampled)


def check_options(options: TranscriptionOptions, model: DecodingModel, capabilities: Capabilities) -> None:
    """Refuse what cannot be obeyed.

    Raises:
        UnsupportedField: This model or its engine cannot do it.
        InvalidRequest: The value means nothing, here or anywhere.
    """
    _check_language(options, model.tokenizer)
    _check_search(options, capabilities)
    _check_temperatures(options)
    _check_prompt(options, model)
    if options.word_timestamps and not capabilities.word_timestamps:
        message = f"Word timestamps are not available on this server's device ({capabilities.device})."
        raise UnsupportedField(message, param="timestamp_granularities[]")


def _check_language(options: TranscriptionOptions, tokenizer: Tokenizer) -> None:
    if options.task == "translate" and not tokenizer.multilingual:
        raise UnsupportedField("The loaded model knows English only and cannot translate.", param="task")
    if options.language is not None:
        tokenizer.language_token(options.language)


def _check_search(options: TranscriptionOptions, capabilities: Capabilities) -> None:
    for param, width in (("beam_size", options.beam_size), ("best_of", options.best_of)):
        if width is None:
            continue
        if width < 1:
            raise InvalidRequest(f"{param} must be at least 1.", param=param)
        if width > capabilities.max_rows:
            raise UnsupportedField(f"{param} may be at most {capabilities.max_rows} on this server.", param=param)
    if options.patience <= 0:
        raise InvalidRequest("patience must be above 0.", param="patience")
    if options.length_penalty is not None and not 0 <= options.length_penalty <= 1:
        raise InvalidRequest("length_penalty must be between 0 and 1.", param="length_penalty")


def _check_temperatures(options: TranscriptionOptions) -> None:
    if not options.temperatures or not all(0 <= temperature <= 1 for temperature in options.temperatures):
        raise InvalidRequest("temperature must be between 0 and 1.", param="temperature")


def _check_prompt(options: TranscriptionOptions, model: DecodingModel) -> None:
    if options.prompt is None:
        return
    most = model.longest_prompt
    count = len(model.tokenizer.encode(" " + options.prompt.strip()))
    if count > most:
        message = f"The prompt has {count} tokens; the loaded model takes at most {most}. Shorten it."
        raise InvalidRequest(message, param="prompt")
