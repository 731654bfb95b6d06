"""The whole object, as the API server hands it out."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from whisper_operator.api.spec import WhisperDeploymentSpec
from whisper_operator.api.status import WhisperDeploymentStatus


class ObjectMeta(BaseModel):
    """The part of `metadata` that matters here; the rest is left alone."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore", frozen=True)

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0


class WhisperDeployment(BaseModel):
    """A resource with its status."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore", frozen=True)

    metadata: ObjectMeta
    spec: WhisperDeploymentSpec
    status: WhisperDeploymentStatus = Field(default_factory=WhisperDeploymentStatus)


def parse(manifest: dict[str, Any]) -> WhisperDeployment:
    """Read an object as the API server stores it.

    Raises:
        pydantic.ValidationError: It is not what this version of the operator understands.
    """
    return WhisperDeployment.model_validate(manifest)


def problems_of(error: ValidationError) -> list[str]:
    """Return what is wrong, each with the field's place."""
    return [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
