"""From models to a structural schema: what Kubernetes would refuse or ignore is refused here."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from whisper_operator.api.crd import build_crd
from whisper_operator.api.schema import UnsupportedKeyword, structural_schema


class _Inner(BaseModel):
    """Inside."""

    size: int = Field(1, ge=0, description="How large.")


class _Outer(BaseModel):
    """Outside."""

    inner: _Inner = Field(_Inner(), description="Another model.")
    maybe: _Inner | None = Field(None, description="Or nothing.")
    word: Literal["one"] = Field("one", description="A single choice.")


def test_references_are_inlined_and_nothing_is_nullable() -> None:
    inner = {"type": "object", "properties": {"size": _size()}}
    assert structural_schema(_Outer)["properties"] == {
        "inner": {**inner, "default": {"size": 1}, "description": "Another model."},
        "maybe": {**inner, "description": "Or nothing."},
        "word": {"type": "string", "enum": ["one"], "default": "one", "description": "A single choice."},
    }


def _size() -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "default": 1, "description": "How large."}


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (int | str, "union"),
        (Annotated[int, Field(gt=0)], "exclusiveMinimum"),
        (str, "no upper bound"),
        (list[int], "no upper bound"),
        (dict[str, int], "no upper bound"),
    ],
)
def test_what_a_structural_schema_cannot_say_is_an_error(kind: Any, sentence: str) -> None:  # noqa: ANN401 - a type
    model = type("Model", (BaseModel,), {"__annotations__": {"field": kind}})
    with pytest.raises(UnsupportedKeyword, match=sentence):
        structural_schema(model)


def test_every_field_is_described_and_every_rule_says_what_to_write() -> None:
    schema = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    undescribed: list[str] = []
    rules: list[dict[str, str]] = []

    def look(part: dict[str, Any], path: str) -> None:
        rules.extend(part.get("x-kubernetes-validations", ()))
        for name, child in part.get("properties", {}).items():
            if path and "description" not in child:
                undescribed.append(f"{path}.{name}")
            look(child, f"{path}.{name}")
        if isinstance(part.get("items"), dict):
            look(part["items"], f"{path}[]")

    look(schema["properties"]["spec"], "spec")
    look(schema["properties"]["status"], "status")
    assert undescribed == []
    assert len(rules) >= 12
    assert all(rule["message"] for rule in rules)
