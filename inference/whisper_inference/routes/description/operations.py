"""What a route declares, read from its dependencies, and what of its description follows from that. Pure."""

import inspect
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from fastapi.dependencies.models import Dependant

from whisper_inference import errors
from whisper_inference.dependencies import Limited, Requires, loaded_services
from whisper_inference.error_responses import INTERNAL_CODE, INTERNAL_SENTENCE, validation_status
from whisper_inference.routes.admission import Admits
from whisper_inference.routes.description.answers import Fact, Json, Responses, add_error, add_fact, add_headers
from whisper_inference.security.roles import Role

SECURITY_SCHEME: Final = "bearer"
_RAISED: Final[Mapping[object, tuple[Fact, ...]]] = MappingProxyType(
    {
        Requires: (errors.Unauthenticated, errors.RateLimited, errors.StoreUnavailable),
        Limited: (errors.RateLimited,),
        Admits: (errors.ConcurrencyLimited, errors.QuotaExceeded),
        loaded_services: (errors.NotReady, errors.ShuttingDown),
    }
)
"""What each dependency may raise, whichever route has it."""
_UNTOLD: Final = re.compile(r"\n\n(Args|Raises|Returns):.*", re.DOTALL)
"""What a docstring tells programmers."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a route says about itself in its signature."""

    path: str
    name: str
    summary: str | None
    endpoint: Any
    """The function that answers."""
    dependant: Dependant
    has_body: bool

    @property
    def requires(self) -> Requires | None:
        """Who may use it, if not everybody."""
        return next((each for each in self.calls if isinstance(each, Requires)), None)

    @property
    def limited(self) -> Limited | None:
        """How often everybody may use it."""
        return next((each for each in self.calls if isinstance(each, Limited)), None)

    @property
    def calls(self) -> list[Hashable]:
        """Every dependency, nested ones included."""
        return list(_calls(self.dependant))

    @property
    def facts(self) -> Iterator[Fact]:
        """What its dependencies may raise."""
        for call in self.calls:
            yield from _RAISED.get(call, _RAISED.get(type(call), ()))
        if self.requires is not None and self.requires.role is not Role.VIEWER:
            yield errors.Forbidden
        if self.has_body:
            yield from (errors.UploadTooLarge, errors.UnsupportedMediaType, errors.InvalidRequest)


def complete(operation: Json, declared: Declared, components: Json) -> None:
    """Say in an operation what follows from what its route declares."""
    operation["operationId"] = "_".join([*operation.get("tags", ())[:1], declared.name])
    told, explained = _told(declared)
    operation["summary"] = told
    operation["description"] = "\n\n".join(part for part in (explained, _access(declared)) if part)
    operation["security"] = [] if declared.requires is None else [{SECURITY_SCHEME: []}]
    _complete_errors(operation["responses"], declared)
    add_headers(operation["responses"], counted=_counted(declared))
    for content in _contents(operation):
        _lift_example(content, components)


def _complete_errors(responses: Responses, declared: Declared) -> None:
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]  # FastAPI's own body, which is never sent
    for fact in declared.facts:
        add_fact(responses, fact)
    if _counted(declared):
        add_fact(responses, errors.InvalidRequest, validation_status(declared.path))
    add_error(responses, HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_CODE, INTERNAL_SENTENCE)


def _counted(declared: Declared) -> bool:
    return declared.requires is not None or declared.limited is not None


def _told(declared: Declared) -> tuple[str, str]:
    """Return the summary, by default the docstring's first line, and the rest as far as it is for clients."""
    told = _UNTOLD.sub("", inspect.getdoc(declared.endpoint) or "")
    if declared.summary is not None:
        return declared.summary, told.strip()
    summary, _, rest = told.partition("\n")
    return summary.rstrip("."), rest.strip()


def _access(declared: Declared) -> str:
    if declared.requires is not None:
        return f"Needs the role `{declared.requires.role}`; counts as `{declared.requires.rate}`, by credential."
    if declared.limited is not None:
        return f"Needs no credential; counts as `{declared.limited.rate}`, by address."
    return "Needs no credential, and is not counted."


def _calls(dependant: Dependant) -> Iterator[Hashable]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)


def _contents(operation: Json) -> Iterator[Json]:
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()


def _lift_example(content: Json, components: Json) -> None:
    """Show a schema's example at the body, where readers look."""
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    examples = components["schemas"].get(name, {}).get("examples", ())
    if examples and content.keys().isdisjoint({"example", "examples"}):
        content["example"] = examples[0]
