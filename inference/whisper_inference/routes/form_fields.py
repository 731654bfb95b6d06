"""The fields of a form with audio: what each means and takes, for those who read forms and those who describe them.

OpenAI's API reference, "Create transcription" and "Create translation"; ours are at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from whisper_inference.formats import FORMATS
from whisper_inference.transcription import Task


@dataclass(frozen=True, slots=True)
class FormField:
    """A field; one whose name ends in `[]` may come more than once, and without the brackets."""

    description: str
    kind: str = "string"
    """JSON Schema's word."""
    choices: tuple[str, ...] = ()
    bounds: tuple[int, int] | None = None
    tasks: tuple[Task, ...] = ("transcribe", "translate")
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further keywords of its schema."""

    def schema(self, name: str) -> dict[str, Any]:
        """Describe its values in JSON Schema."""
        value: dict[str, Any] = {"type": self.kind} | dict(self.more)
        if self.choices:
            value["enum"] = list(self.choices)
        if self.bounds is not None:
            value["minimum"], value["maximum"] = self.bounds
        listed = {"type": "array", "items": value} if name.endswith("[]") else value
        return listed | {"description": self.description}


_ONLY_TRANSCRIBE: Final[tuple[Task, ...]] = ("transcribe",)
_MOST_CANDIDATES: Final = (1, 999)

FIELDS: Final[Mapping[str, FormField]] = MappingProxyType(
    {
        "model": FormField("The loaded model's name, or `whisper-1`.", more={"examples": ["whisper-1"]}),
        "prompt": FormField("Text that comes before the audio: names, spelling, style."),
        "response_format": FormField("What the answer is.", choices=FORMATS, more={"default": "json"}),
        "temperature": FormField(
            "How freely words are chosen. At 0 it is raised only where a result is poor.", "number", bounds=(0, 1)
        ),
        "language": FormField(
            "What is spoken, as a code or an English name; it is detected if the field is left out.",
            tasks=_ONLY_TRANSCRIBE,
            more={"examples": ["en", "german"]},
        ),
        "languages[]": FormField("At most one; the same as `language`.", tasks=_ONLY_TRANSCRIBE),
        "keywords[]": FormField("Words that may be said; they come before the prompt.", tasks=_ONLY_TRANSCRIBE),
        "include[]": FormField(
            "What the answer holds besides, in the format `json`.", choices=("logprobs",), tasks=_ONLY_TRANSCRIBE
        ),
        "timestamp_granularities[]": FormField(
            "What `verbose_json` gives times of.", choices=("segment", "word"), tasks=_ONLY_TRANSCRIBE
        ),
        "stream": FormField("Answer with server-sent events as the text comes.", "boolean", tasks=_ONLY_TRANSCRIBE),
        "chunking_strategy": FormField(
            "`auto`, or an object of type `server_vad` in JSON, cuts the audio where nobody speaks.",
            tasks=_ONLY_TRANSCRIBE,
            more={"examples": ["auto"]},
        ),
        "chunking_strategy[type]": FormField("The same.", choices=("auto", "server_vad"), tasks=_ONLY_TRANSCRIBE),
        "guard": FormField("Withhold words that nobody said. On by default.", "boolean"),
        "beam_size": FormField("Search with so many beams.", "integer", bounds=_MOST_CANDIDATES),
        "best_of": FormField("Above temperature 0, keep the best of so many.", "integer", bounds=_MOST_CANDIDATES),
        "condition_on_previous_text": FormField("Let each window know the text before it.", "boolean"),
    }
)
"""Every field that is obeyed."""


def names_for(task: Task) -> frozenset[str]:
    """Return the fields that a task takes."""
    return frozenset(name for name, each in FIELDS.items() if task in each.tasks)
