"""What all models of the resource share, and the texts that Kubernetes parses: names, sizes, durations."""

from datetime import timedelta
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP: Final = "whisperoperator.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "WhisperDeployment"
PLURAL: Final = "whisperdeployments"

Rule: TypeAlias = dict[str, str]
"""A rule of the CRD in CEL and the sentence that says what to write."""


def rule(expression: str, message: str) -> Rule:
    """Make a rule (https://kubernetes.io/docs/reference/using-api/cel/)."""
    return {"rule": expression, "message": message}


def rules(*of_all: Rule) -> dict[str, Any]:
    """Return the schema extension that holds the rules of a model or a field."""
    return {"x-kubernetes-validations": list(of_all)}


class ApiModel(BaseModel):
    """A part of the resource: camelCase outside, frozen, and nothing unknown is passed over."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True)


Name: TypeAlias = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""The name of another object (RFC 1123)."""

Key: TypeAlias = Annotated[str, Field(max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
"""A key of a Secret."""

Size: TypeAlias = Annotated[str, Field(max_length=20, pattern=r"^[1-9][0-9]*(Ki|Mi|Gi|Ti)?$")]
"""Bytes, as Kubernetes writes them, for example 10Gi."""

Duration: TypeAlias = Annotated[str, Field(max_length=20, pattern=r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", min_length=2)]
"""A duration, for example 90s or 1h30m."""

LabelMap: TypeAlias = Annotated[
    dict[Annotated[str, Field(max_length=316)], Annotated[str, Field(max_length=4096)]], Field(max_length=64)
]
"""Labels or annotations."""

_SIZE_UNITS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DURATION_UNITS: Final = {"h": "hours", "m": "minutes", "s": "seconds"}


def size_bytes(size: str) -> int:
    """Return the bytes of a `Size`."""
    unit = size[-2:]
    return int(size[:-2]) * _SIZE_UNITS[unit] if unit in _SIZE_UNITS else int(size)


def duration(text: str) -> timedelta:
    """Return the length of a `Duration`."""
    parts: dict[str, float] = {}
    number = ""
    for character in text:
        if character.isdigit():
            number += character
        else:
            parts[_DURATION_UNITS[character]] = int(number)
            number = ""
    return timedelta(**parts)
