"""The form of `/api/v1/transcriptions`: every option of the decoder, by its own name."""

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field

from whisper_inference.models.languages import language_code
from whisper_inference.routes.v1.requests import RequestModel
from whisper_inference.transcription import DEFAULT_TEMPERATURES, Task, TranscriptionOptions

ResponseFormat: TypeAlias = Literal["json", "text", "srt", "vtt"]
RESPONSE_FORMATS: tuple[ResponseFormat, ...] = get_args(ResponseFormat)

Threshold: TypeAlias = float | Literal["off"]
Temperature: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Width: TypeAlias = Annotated[int, Field(ge=1, le=64)]


def _listed(value: object) -> object:
    """A field that may be sent several times may be sent once."""
    return [value] if isinstance(value, str) else value


class TranscriptionRequest(RequestModel):
    """What is asked of one recording, besides the file; everything may be left out."""

    model: str | None = Field(None, max_length=256, description="The loaded model's name, or whisper-1.")
    format: ResponseFormat = Field("json", description="json has everything; the others are for reading.")
    language: str | None = Field(
        None, max_length=32, description="Spoken language, a code or an English name; by default it is detected."
    )
    prompt: str | None = Field(None, description="Text that comes before the audio: names, spelling, style.")
    temperature: Annotated[tuple[Temperature, ...], BeforeValidator(_listed)] = Field(
        DEFAULT_TEMPERATURES,
        min_length=1,
        max_length=8,
        description="Tried in order until a result passes its checks. Send it several times for several.",
    )
    beam_size: Width | None = Field(None, description="Width of the beam at temperature 0; by default greedy.")
    patience: float = Field(1.0, gt=0, le=10, description="How much longer a beam searches.")
    length_penalty: float | None = Field(None, ge=0, le=1, description="Google's alpha; by default the length itself.")
    best_of: Width | None = Field(None, description="Samples at a temperature above 0, of which the best is kept.")
    timestamps: bool = Field(default=True, description="Let the model predict when segments begin and end.")
    word_timestamps: bool = Field(default=False, description="Say when each word was spoken.")
    condition_on_previous_text: bool = Field(default=True, description="Let each window read the text before it.")
    compression_ratio_threshold: Threshold = Field(2.4, description="Beyond it, a result is repetition and fails.")
    logprob_threshold: Threshold = Field(-1.0, description="A result that is less probable fails.")
    no_speech_threshold: Threshold = Field(0.6, description="Above it, an improbable result is silence.")
    long_form: Literal["sequential", "batched"] = Field(
        "sequential", description="batched cuts at pauses and decodes the pieces at once."
    )
    guard: bool = Field(default=True, description="Withhold invented words; the answer lists them with the reason.")
    logprobs: bool = Field(default=False, description="List each token's log-probability.")
    seed: int = Field(0, ge=0, lt=2**32, description="For sampling: the same request gives the same text.")

    def options(self, task: Task) -> TranscriptionOptions:
        """Return what the transcriber is asked for.

        Raises:
            InvalidRequest: There is no such language.
        """
        return TranscriptionOptions(
            task=task,
            language=None if self.language is None else language_code(self.language),
            prompt=self.prompt,
            temperatures=self.temperature,
            beam_size=self.beam_size,
            patience=self.patience,
            length_penalty=self.length_penalty,
            best_of=self.best_of,
            timestamps=self.timestamps,
            word_timestamps=self.word_timestamps,
            condition_on_previous_text=self.condition_on_previous_text,
            compression_ratio_threshold=_threshold(self.compression_ratio_threshold),
            logprob_threshold=_threshold(self.logprob_threshold),
            no_speech_threshold=_threshold(self.no_speech_threshold),
            long_form=self.long_form,
            guard=self.guard,
            logprobs=self.logprobs,
            seed=self.seed,
        )


def _threshold(value: Threshold) -> float | None:
    return None if value == "off" else value
