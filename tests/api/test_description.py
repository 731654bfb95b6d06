"""What `/openapi.json` says: of every route all that a client needs, and nothing that is not so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from tests.api.test_surface import PAGES, routes
from tests.support.running_server import RunningServer
from whisper_inference.dependencies import Limited, Requires
from whisper_inference.error_responses import validation_status
from whisper_inference.routes.description import describe
from whisper_inference.routes.transcript_bodies import TranscriptBody, VerboseTranscriptBody
from whisper_inference.security.roles import Role

Json = dict[str, Any]
LONGEST_SUMMARY = 80


@pytest.fixture(scope="module")
def document(server: RunningServer) -> Json:
    """The description of the running server."""
    return describe(server.app)


def described_routes(server: RunningServer) -> list[APIRoute]:
    """Every route but static files."""
    return [route for route in routes(server) if route.path not in PAGES]


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """Every operation, with a name for a person."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def resolve(document: Json, value: Json) -> Json:
    """Follow a reference."""
    found: Any = document
    for part in value["$ref"].split("/")[1:] if "$ref" in value else ():
        found = found[part]
    return found if "$ref" in value else value


def bodies(document: Json, operation: Json) -> Iterator[Json]:
    """What an operation takes and gives, by media type."""
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from resolve(document, response).get("content", {}).values()


def examples(document: Json, body: Json) -> list[Any]:
    """The examples of a body."""
    named = [resolve(document, each)["value"] for each in body.get("examples", {}).values()]
    return named + ([body["example"]] if "example" in body else [])


def test_the_description_is_valid_openapi(document: Json) -> None:
    validate(document)


def test_the_description_is_served_to_viewers(client: httpx.Client, server: RunningServer, document: Json) -> None:
    assert client.get("/openapi.json").json() == document
    assert httpx.get(f"{server.url}/openapi.json").status_code == 401


def test_every_route_is_described_for_people(server: RunningServer, document: Json) -> None:
    """Walks the route table: a new route without words fails here."""
    described = dict(operations(document))
    declared = {f"{method} {route.path_format}" for route in described_routes(server) for method in route.methods or ()}
    assert described.keys() == declared
    names = [operation["operationId"] for operation in described.values()]
    assert len(set(names)) == len(names)
    for name, operation in described.items():
        assert 0 < len(operation["summary"]) <= LONGEST_SUMMARY, name
        assert operation["summary"][0].isupper(), name
        assert operation["summary"][-1] not in ".:", name
        assert operation["description"], name
        assert operation["tags"], name
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (name, parameter["name"])


def test_every_body_has_a_schema_and_an_example_that_fits_it(document: Json) -> None:
    for name, operation in operations(document):
        for body in bodies(document, operation):
            assert body["schema"], name
            shown = examples(document, body)
            assert shown, (name, body)
            for example in shown:
                OAS31Validator(body["schema"] | {"components": document["components"]}).validate(example)


def test_every_route_names_each_error_that_follows_from_what_it_declares(server: RunningServer, document: Json) -> None:
    described = dict(operations(document))
    for route in described_routes(server):
        checks = [each.call for each in route.dependant.dependencies if isinstance(each.call, Requires | Limited)]
        for method in route.methods or ():
            operation = described[f"{method} {route.path_format}"]
            answers = operation["responses"].keys()
            assert "500" in answers
            if checks:
                assert {"429", str(int(validation_status(route.path)))} <= answers, route.path
            if isinstance(check := next(iter(checks), None), Requires):
                assert {"401", "503"} <= answers
                assert "403" in answers or check.role is Role.VIEWER
                assert operation["security"] == [{"bearer": []}]
            else:
                assert operation["security"] == []
            if "requestBody" in operation:
                assert {"400", "413", "415"} <= answers


def test_every_answer_names_its_headers(document: Json) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            headers = resolve(document, response)["headers"].keys()
            assert "X-Request-Id" in headers, name
            assert ("Retry-After" in headers) == (status in {"429", "503"}), name


def test_every_error_has_the_one_body(document: Json) -> None:
    probes = {"GET /health", "GET /ready"}
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and not (name in probes and status == "503"):
                schema = resolve(document, response)["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (name, status)


@pytest.mark.parametrize("extra", [{}, {"include[]": "logprobs"}])
def test_the_format_json_is_as_described(client: httpx.Client, clip: Path, extra: dict[str, str]) -> None:
    form = {"model": "whisper-1"} | extra
    answer = client.post("/v1/audio/transcriptions", data=form, files={"file": ("x.wav", clip.read_bytes())})
    TranscriptBody.model_validate(answer.json())


@pytest.mark.parametrize("granularity", ["word", "segment"])
def test_the_format_verbose_json_is_as_described(client: httpx.Client, clip: Path, granularity: str) -> None:
    form = {"model": "whisper-1", "response_format": "verbose_json", "timestamp_granularities[]": granularity}
    answer = client.post("/v1/audio/transcriptions", data=form, files={"file": ("x.wav", clip.read_bytes())})
    VerboseTranscriptBody.model_validate(answer.json())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models?limit=3", 400),
        ("GET", "/api/v1/auth/me?limit=3", 422),
        ("POST", "/api/v1/auth/login?a", 422),
    ],
)
def test_an_unknown_query_parameter_is_refused(client: httpx.Client, method: str, path: str, status: int) -> None:
    body = {"username": "nobody", "password": "no such password"} if method == "POST" else None
    answer = client.request(method, path.replace("?a", "?a=1"), json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["param"] in {"limit", "a"}
