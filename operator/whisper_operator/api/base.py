"""What all models of the resource share, and the texts that Kubernetes parses: names, sizes, durations."""

import re
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

ImageReference: TypeAlias = Annotated[str, Field(max_length=500, min_length=1)]
"""An image, best with its digest."""

Size: TypeAlias = Annotated[str, Field(max_length=20, pattern=r"^[1-9][0-9]*(Ki|Mi|Gi|Ti)?$")]
"""Bytes, as Kubernetes writes them, for example 10Gi."""

Duration: TypeAlias = Annotated[str, Field(max_length=20, pattern=r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", min_length=2)]
"""A duration, for example 90s or 1h30m."""

_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = f"({_OCTET}[.]){{3}}{_OCTET}/(3[0-2]|[12]?[0-9])"
_GROUP: Final = "[0-9a-fA-F]{1,4}"
_SHORTENED: Final = "|".join(f"({_GROUP}:){{1,{7 - after}}}(:{_GROUP}){{1,{after}}}" for after in range(1, 7))
_IPV6: Final = (
    f"(({_GROUP}:){{7}}{_GROUP}|({_GROUP}:){{1,7}}:|{_SHORTENED}|:((:{_GROUP}){{1,7}}|:))"
    "/(12[0-8]|1[01][0-9]|[1-9]?[0-9])"
)

Cidr: TypeAlias = Annotated[
    str,
    Field(
        max_length=43,
        pattern=r"^[0-9a-fA-F:.]+/[0-9]{1,3}$",
        # Not isCIDR: an API server of 1.30 takes in new rules only what 1.29 knew.
        json_schema_extra=rules(rule(f"self.matches('^({_IPV4}|{_IPV6})$')", "write a network such as 10.0.0.0/8")),
    ),
]
"""A network."""

Origin: TypeAlias = Annotated[str, Field(max_length=253, pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")]
"""A scheme, a host and perhaps a port (RFC 6454)."""

LabelMap: TypeAlias = Annotated[
    dict[Annotated[str, Field(max_length=316)], Annotated[str, Field(max_length=4096)]], Field(max_length=64)
]
"""Labels or annotations."""

_SIZE_UNITS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_DURATION_UNITS: Final = {"h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_DURATION_PART: Final = re.compile(r"([0-9]+)(ms|[hms])")


def size_bytes(size: str) -> int:
    """Return the bytes of a `Size`."""
    unit = size[-2:]
    return int(size[:-2]) * _SIZE_UNITS[unit] if unit in _SIZE_UNITS else int(size)


def duration(text: str) -> timedelta:
    """Return the length of a `Duration`, or of a text with milliseconds."""
    return timedelta(**{_DURATION_UNITS[unit]: int(number) for number, unit in _DURATION_PART.findall(text)})
