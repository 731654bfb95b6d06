"""From models to a structural schema: what Kubernetes would refuse or ignore is refused here."""

import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from whisper_operator.api.crd import build_crd
from whisper_operator.api.network import Destination
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
    called = {name for rule in rules for name in re.findall(r"([A-Za-z]+)\(", re.sub("'[^']*'", "''", rule["rule"]))}
    assert called <= KNOWN_TO_1_29


KNOWN_TO_1_29 = {"has", "size", "all", "exists", "filter", "map", "matches", "contains", "startsWith", "endsWith"}
KNOWN_TO_1_29 |= {"split", "duration", "quantity", "compareTo", "add"}
"""What Kubernetes 1.30 lets a new rule call: what the one before it knew (apiserver/pkg/cel/environment)."""


@pytest.mark.parametrize(
    ("text", "network"),
    [
        *(
            (text, True)
            for text in ("10.0.0.0/8", "0.0.0.0/0", "192.168.255.1/32", "::/0", "fd00::/8", "1:2:3:4:5:6:7:8/128")
        ),
        *((text, True) for text in ("2001:db8::1/64", "1::8/99", "::1/128", "1:2:3:4:5:6:7::/112", "a:b::c:d:e:f:0/1")),
        *((text, False) for text in ("10.0.0/8", "10.0.0.256/8", "10.0.0.0/33", "10.0.0.0", "1::2::3/64", "1:2:3/64")),
        *(
            (text, False)
            for text in ("1:2:3:4:5:6:7:8:9/64", "::/129", "12345::/16", "01.2.3.4/8", ":1/8", "::1.2.3/8")
        ),
    ],
)
def test_a_network_is_told_from_what_looks_like_one(text: str, *, network: bool) -> None:
    expression = Destination.model_json_schema()["properties"]["cidr"]["x-kubernetes-validations"][0]["rule"]
    pattern = expression.removeprefix("self.matches('").removesuffix("')")
    assert bool(re.search(pattern, text)) is network
