"""What every route of `/api/v1` does with a request before it looks at what it asks for."""

from collections.abc import Sequence
from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError

from whisper_inference.routes.transcription_form import FormFields

FormT = TypeVar("FormT", bound=BaseModel)


class RequestModel(BaseModel):
    """The base of what clients send: fields that are not known are refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def parse_fields(model: type[FormT], fields: FormFields) -> FormT:
    """Understand the fields of a multipart form; one that is sent empty counts as absent.

    Raises:
        RequestValidationError: One is unknown, sent too often, or means nothing.
    """
    given = {name: [value for value in values if value != ""] for name, values in fields.items()}
    document = {name: _one_or_all(values) for name, values in given.items() if values or name not in model.model_fields}
    try:
        return model.model_validate(document)
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_input=False)
        told = [{"type": each["type"], "loc": ("body", str(each["loc"][0])[:64]), "msg": each["msg"]} for each in found]
        raise RequestValidationError(told) from None


def _one_or_all(values: Sequence[str]) -> str | Sequence[str]:
    return values[0] if len(values) == 1 else values
