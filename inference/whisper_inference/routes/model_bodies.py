"""Models as OpenAI's routes list them, with what ours can do."""

from typing import Annotated, Any, Final, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict

from whisper_inference.engines.base import Device, EngineName, Precision
from whisper_inference.formats import TranscriptFormat

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "openai/whisper-base",
    "object": "model",
    "created": 1795694400,
    "owned_by": "whisper-operator",
    "capabilities": {
        "engine": "openvino",
        "device": "npu",
        "device_name": "Intel(R) AI Boost",
        "precision": "f16",
        "simulated": False,
        "max_rows": 8,
        "word_timestamps": True,
        "languages": ["en", "de"],
        "response_formats": ["json", "text", "srt", "verbose_json", "vtt"],
    },
}


ModelName = Annotated[str, Path(description="The loaded model's name, which may have a slash in it, or `whisper-1`.")]


class CapabilitiesBody(BaseModel):
    """What a model can do on the device that it runs on: `engines.base.Capabilities`, and what is true of any."""

    model_config = ConfigDict(extra="forbid")

    engine: EngineName
    device: Device
    device_name: str
    precision: Precision
    simulated: bool
    max_rows: int
    word_timestamps: bool
    languages: list[str]
    response_formats: list[TranscriptFormat]


class ModelBody(BaseModel):
    """A model."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    capabilities: CapabilitiesBody


class ModelListBody(BaseModel):
    """The models."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"object": "list", "data": [_EXAMPLE]}]})

    object: Literal["list"]
    data: list[ModelBody]
