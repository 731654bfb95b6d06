"""Render docs/api.md: every field of the resource, from the same models as the CRD."""

from collections.abc import Iterator
from typing import Any, Final

from whisper_operator.api.base import API_VERSION, KIND
from whisper_operator.api.crd import build_crd

_INTRODUCTION = f"""# {KIND} ({API_VERSION})

`kubectl explain wd.spec --recursive` says the same. Lists show `[]` after their name; a field without a default that is
not required is simply absent. A rule that is broken is answered by `kubectl apply` with its sentence.
"""


_KUBERNETES: Final = frozenset({"affinity"})
"""Fields that are Kubernetes' own: its documentation has what is in them."""


def render_api() -> str:
    """Render spec and status as tables, and the rules between fields."""
    schema = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    sections = [_INTRODUCTION]
    for part in ("spec", "status"):
        rows = "".join(_rows(schema["properties"][part], part))
        sections.append(f"## {part}\n\n| field | type | default | meaning |\n|---|---|---|---|\n{rows}")
    rules = "".join(f"- {message}\n" for message in dict.fromkeys(_messages(schema)))
    return "\n".join([*sections, f"## Rules\n\n{rules}"])


def _rows(schema: dict[str, Any], path: str) -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        inner = field["items"] if isinstance(field.get("items"), dict) else field
        here = f"{path}.{name}" + ("[]" if inner is not field else "")
        default = "required" if name in required else _default(field)
        yield f"| `{here}` | {_kind(inner)} | {default} | {field.get('description', '')} |\n"
        if name not in _KUBERNETES:
            yield from _rows(inner, here)


def _default(field: dict[str, Any]) -> str:
    # The default of an object repeats those of its fields.
    simple = "default" in field and not isinstance(field["default"], dict | list)
    return f"`{str(field['default']).lower() if field['type'] == 'boolean' else field['default']}`" if simple else ""


def _kind(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    if "additionalProperties" in field:
        return "map"
    kinds = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return kinds.get(field["type"], str(field["type"]))


def _messages(schema: dict[str, Any]) -> Iterator[str]:
    yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
    for child in schema.get("properties", {}).values():
        yield from _messages(child)
    if isinstance(schema.get("items"), dict):
        yield from _messages(schema["items"])
