"""A transcript as the text of one output. Pure."""

import json

from whisper_inference.cli.options import OutputFormat
from whisper_inference.formats import build_json, build_verbose_json, render_srt, render_text, render_vtt
from whisper_inference.models.tokenizer import Tokenizer
from whisper_inference.transcription import Transcript


def render_output(transcript: Transcript, output_format: OutputFormat, tokenizer: Tokenizer) -> str:
    """Return the transcript in the format; JSON is one line, as a person's pipe wants it."""
    match output_format:
        case "txt":
            return render_text(transcript)
        case "srt":
            return render_srt(transcript)
        case "vtt":
            return render_vtt(transcript)
        case "json":
            return _line(build_json(transcript))
        case "verbose_json":
            name = tokenizer.language_name(transcript.language)
            return _line(build_verbose_json(transcript, name, words=any(s.words for s in transcript.segments)))


def _line(document: dict[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False) + "\n"
