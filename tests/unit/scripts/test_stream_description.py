"""What docs/asyncapi.json says of the stream: every message, as its model has it, and nothing that leads nowhere."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from openapi_schema_validator import OAS31Validator
from pydantic import TypeAdapter

from scripts.stream_description import EXAMPLES, describe_stream
from whisper_contract.surface import STREAM_PATH
from whisper_inference.streaming.protocol import ClientMessage, ServerMessage, parse_message

ROOT = Path(__file__).parents[3]
SERVER_MESSAGE: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)


def types_of(union: object) -> set[str]:
    """The `type` of each message of a union."""
    return {get_args(model.model_fields["type"].annotation)[0] for model in get_args(get_args(union)[0])}


CLIENT, SERVER = types_of(ClientMessage), types_of(ServerMessage) | {"error"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The description."""
    return describe_stream()


def references(part: object) -> Iterator[str]:
    """Every `$ref` below."""
    if isinstance(part, dict):
        yield from (value for key, value in part.items() if key == "$ref")
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from references(each)


def resolve(document: dict[str, Any], reference: str) -> Any:  # noqa: ANN401 - any part of the document
    """Follow a reference, and those that it leads to."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return resolve(document, found["$ref"]) if isinstance(found, dict) and "$ref" in found else found


def fits(document: dict[str, Any], name: str, message: object) -> bool:
    """Say whether a message is as the schema of its type has it."""
    payload = document["components"]["messages"][name]["payload"]
    return bool(OAS31Validator(payload | {"components": document["components"]}).is_valid(message))


@pytest.mark.filterwarnings("ignore:Field name .schema. in:UserWarning")
def test_it_is_valid_asyncapi(document: dict[str, Any]) -> None:
    validate = importlib.import_module("asyncapi3.models.asyncapi").AsyncAPI3.model_validate  # it warns of its models
    validate(document)
    document = json.loads(json.dumps(document))
    document["channels"]["stream"]["adress"] = STREAM_PATH
    with pytest.raises(ValueError, match="adress"):
        validate(document)


def test_every_message_of_the_protocol_is_there_in_its_direction(document: dict[str, Any]) -> None:
    said = {
        operation["action"]: {reference.rsplit("/", 1)[1] for reference in references(operation["messages"])}
        for operation in document["operations"].values()
    }
    assert said == {"receive": CLIENT | {"sound"}, "send": SERVER}
    assert document["channels"]["stream"]["messages"].keys() == CLIENT | SERVER | {"sound"}
    assert document["channels"]["stream"]["address"] == STREAM_PATH


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert len(found) > 20
    for reference in found:
        assert resolve(document, reference), reference


def test_every_message_and_field_is_explained_where_its_name_does_not(document: dict[str, Any]) -> None:
    for name, message in document["components"]["messages"].items():
        assert message["summary"].endswith("."), name
    start = document["components"]["schemas"]["Start"]
    said = start["properties"]["endpoint_silence_seconds"]["description"]
    assert said.startswith("A pause of this length ends an utterance.")
    assert start["additionalProperties"] is False
    assert document["components"]["schemas"]["PartialText"].get("additionalProperties", True)


@pytest.mark.parametrize("name", sorted(CLIENT | SERVER))
def test_every_example_is_a_message(document: dict[str, Any], name: str) -> None:
    example = EXAMPLES[name]
    assert fits(document, name, example)
    assert not fits(document, name, example | {"type": "other"})
    if name in CLIENT:
        assert parse_message(json.dumps(example)).type == name
        assert not fits(document, name, example | {"colour": "blue"})
    elif name != "error":
        assert SERVER_MESSAGE.validate_python(example).model_dump(mode="json") == example


def test_the_page_on_streams_names_every_message() -> None:
    page = (ROOT / "docs/streaming.md").read_text(encoding="utf-8")
    for name in CLIENT:
        assert f'"type": "{name}"' in page
    for name in SERVER:
        assert f"| `{name}` |" in page
