"""The loaded model, and the device that serves it."""

from typing import Any, Final, Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from whisper_contract.surface import API_PATH
from whisper_inference.composition import Services
from whisper_inference.dependencies import Loaded, Requires
from whisper_inference.errors import ModelNotFound
from whisper_inference.routes.audio import ALIAS, check_model
from whisper_inference.routes.description import may_raise
from whisper_inference.routes.model_bodies import ModelName
from whisper_inference.routes.v1.transcript_response import SERVED_BY_EXAMPLE, ServedBy
from whisper_inference.routes.v1.transcription_request import RESPONSE_FORMATS, ResponseFormat
from whisper_inference.security.roles import Role
from whisper_inference.transcription import Task

_EXAMPLE: Final[dict[str, Any]] = {
    "name": "openai/whisper-base",
    "aliases": ["whisper-1"],
    "served_by": SERVED_BY_EXAMPLE,
    "tasks": ["transcribe", "translate"],
    "languages": [{"code": "en", "name": "english"}],
    "word_timestamps": True,
    "widest_beam": 8,
    "formats": ["json", "text", "srt", "vtt"],
}


class Language(BaseModel):
    """One that the model knows."""

    code: str
    name: str


class ModelResponse(BaseModel):
    """A model and what it can do here."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str
    aliases: list[str] = Field(description="Other names that it answers to.")
    served_by: ServedBy
    tasks: list[Task]
    languages: list[Language]
    word_timestamps: bool
    widest_beam: int = Field(description="The largest beam_size and best_of.")
    formats: list[ResponseFormat]

    @classmethod
    def of(cls, services: Services) -> Self:
        """Describe the loaded model."""
        tokenizer, capabilities = services.model.tokenizer, services.scheduler.capabilities
        return cls(
            name=services.model_name,
            aliases=[ALIAS],
            served_by=ServedBy.of(services.model_name, capabilities),
            tasks=["transcribe", "translate"] if tokenizer.multilingual else ["transcribe"],
            languages=[Language(code=code, name=tokenizer.language_name(code)) for code in tokenizer.languages],
            word_timestamps=capabilities.word_timestamps,
            widest_beam=capabilities.max_rows,
            formats=list(RESPONSE_FORMATS),
        )


class ModelsResponse(BaseModel):
    """All that are loaded."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"models": [_EXAMPLE]}]})

    models: list[ModelResponse]


router = APIRouter(
    prefix=f"{API_PATH}/models",
    tags=["models"],
    dependencies=[Depends(Requires(Role.VIEWER))],
)


@router.get("", summary="List the loaded models")
async def list_models(services: Loaded) -> ModelsResponse:
    """Say which model is loaded, on what it runs, and which languages, tasks and formats it offers."""
    return ModelsResponse(models=[ModelResponse.of(services)])


@router.get("/{name:path}", summary="Describe a model", responses=may_raise(ModelNotFound))
async def describe_model(name: ModelName, services: Loaded) -> ModelResponse:
    """Describe the loaded model by its name, which may have a slash in it."""
    check_model(name, services)
    return ModelResponse.of(services)
