"""What follows for the description from what a route declares."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict

from whisper_inference.dependencies import Limited, Loaded, Requires
from whisper_inference.errors import EngineFailed, ModelNotFound, Overloaded, RateLimited
from whisper_inference.routes.description import describe, may_raise
from whisper_inference.security.rate_limits import RateClass
from whisper_inference.security.roles import Principal, Role


class Thing(BaseModel):
    """Something."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": None}]})

    name: str | None


@pytest.fixture
def operations() -> dict[str, Any]:
    """The operations of a small application, by path and method."""
    app = FastAPI(title="Things", version="1")

    @app.get("/public", dependencies=[Depends(Limited(RateClass.LOGINS))])
    def look() -> Thing:
        """Look at a thing.

        It is there.

        Raises:
            ValueError: Programmers read this.
        """
        return Thing(name=None)

    @app.post("/v1/things", responses=may_raise(ModelNotFound, EngineFailed, Overloaded))
    def change(who: Annotated[Principal, Depends(Requires(Role.ADMIN))], thing: Thing, services: Loaded) -> Thing:
        """Change a thing."""
        del who, services
        return thing

    paths: dict[str, Any] = describe(app)["paths"]
    return {path: operation for path, methods in paths.items() for operation in methods.values()}


def test_a_docstring_becomes_summary_and_description(operations: dict[str, Any]) -> None:
    assert operations["/public"]["summary"] == "Look at a thing"
    assert (
        operations["/public"]["description"] == "It is there.\n\nNeeds no credential; counts as `logins`, by address."
    )
    assert operations["/v1/things"]["description"] == "Needs the role `admin`; counts as `reads`, by credential."


def test_errors_follow_from_the_signature(operations: dict[str, Any]) -> None:
    assert operations["/public"]["responses"].keys() == {"200", "422", "429", "500"}
    answers = operations["/v1/things"]["responses"]
    assert answers.keys() == {"200", "400", "401", "403", "404", "413", "415", "429", "500", "503"}
    assert _codes(answers["429"]) == {RateLimited.code, Overloaded.code}
    assert _codes(answers["503"]) == {"session_store_unavailable", "loading", "shutting_down"}
    assert answers["404"]["description"] == (ModelNotFound.__doc__ or "").strip()


def test_security_and_headers_follow_from_the_role(operations: dict[str, Any]) -> None:
    assert operations["/public"]["security"] == []
    assert operations["/v1/things"]["security"] == [{"bearer": []}]
    assert "WWW-Authenticate" in operations["/v1/things"]["responses"]["401"]["headers"]
    assert "RateLimit-Limit" in operations["/public"]["responses"]["200"]["headers"]


def test_an_example_of_a_model_is_shown_whole(operations: dict[str, Any]) -> None:
    assert operations["/public"]["responses"]["200"]["content"]["application/json"]["example"] == {"name": None}
    assert operations["/v1/things"]["requestBody"]["content"]["application/json"]["example"] == {"name": None}


def _codes(answer: dict[str, Any]) -> set[str]:
    return set(answer["content"]["application/json"]["examples"])
