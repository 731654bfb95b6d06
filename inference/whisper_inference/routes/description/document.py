"""The whole document: FastAPI's, and what it does not know."""

from collections.abc import Iterator
from typing import Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

from whisper_inference.error_body import ErrorBody, ErrorDetail
from whisper_inference.routes.description.answers import HEADERS, Json, error_examples
from whisper_inference.routes.description.operations import SECURITY_SCHEME, Declared, complete

_ABOUT: Final = """\
Speech to text with Whisper: OpenAI's own routes under `/v1`, and this server's under `/api/v1`.

Send a bearer token: an API key, or the token that a login gave. Every error has one body, and its `correlation_id`
finds the request in the server's log. A path that is not here answers 404, a method that a path does not take 405.
"""
_BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, or the token of a session that `POST /api/v1/auth/login` opened.",
}
_FASTAPI_ERRORS: Final = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> Json:
    """Describe every route that the application has now."""
    document = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    document["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    document["servers"] = [{"url": "/", "description": "This server"}]
    components = document["components"]
    for name in _FASTAPI_ERRORS:
        components["schemas"].pop(name, None)
    components["schemas"] |= _error_schemas()
    components["headers"] = dict(HEADERS)
    components["examples"] = error_examples()
    components["securitySchemes"] = {SECURITY_SCHEME: _BEARER}
    for model in _models(app):
        shown = model.model_config.get("json_schema_extra")
        if isinstance(shown, dict):  # FastAPI leaves out what is None in an example
            components["schemas"].get(model.__name__, {}).update(shown)
    for method, declared in declared_operations(app):
        complete(document["paths"][declared.path][method], declared, components)
    return document


def declared_operations(app: FastAPI) -> Iterator[tuple[str, Declared]]:
    """Return every method of every route that is described, and what the route says of itself."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema and route.path_format and route.name:
            has_body = route.body_field is not None or "requestBody" in (route.openapi_extra or {})
            declared = Declared(route.path_format, route.name, route.summary, route.endpoint, route.dependant, has_body)
            for method in sorted(route.methods or ()):
                yield method.lower(), declared


def _models(app: FastAPI) -> Iterator[type[BaseModel]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute):
            body = None if route.body_field is None else route.body_field.field_info.annotation
            given = [route.response_model, body, *(each.get("model") for each in route.responses.values())]
            yield from (each for each in given if isinstance(each, type) and issubclass(each, BaseModel))


def _error_schemas() -> Json:
    reference = "#/components/schemas/{model}"
    return {
        ErrorBody.__name__: {
            key: value for key, value in ErrorBody.model_json_schema(ref_template=reference).items() if key != "$defs"
        },
        ErrorDetail.__name__: ErrorDetail.model_json_schema(ref_template=reference),
    }
