"""From Pydantic's JSON schema to a structural schema, which is what Kubernetes accepts.

A structural schema has no references, no unions and no `null` (Kubernetes prunes nulls of fields that are not
nullable, so an optional field is simply not required). A keyword that is not known here is an error: Kubernetes would
ignore it in silence. https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

Schema: TypeAlias = dict[str, Any]

_KEPT: Final = frozenset(
    {
        "type", "description", "enum", "default", "pattern", "format", "required",
        "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties", "maxProperties",
        "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    }
)  # fmt: skip
_DROPPED: Final = frozenset({"title", "$defs"})


class UnsupportedKeyword(ValueError):
    """The JSON schema says something that a structural schema cannot."""


def structural_schema(model: type[BaseModel]) -> Schema:
    """Return the structural schema of a model.

    Raises:
        UnsupportedKeyword: The model cannot be written as one, or leaves a text or a list unbounded.
    """
    schema = model.model_json_schema(by_alias=True)
    return _Converter(schema.get("$defs", {})).convert(schema, model.__name__)


class _Converter:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._special: Mapping[str, Callable[[Any, str], Schema]] = MappingProxyType(
            {
                "properties": self._properties,
                "items": lambda value, path: {"items": self.convert(value, f"{path}[]")},
                "additionalProperties": self._additional,
                "const": lambda value, _: {"enum": [value]},
                # Kubernetes has no rules for keys: the API server checks those of labels where they are used.
                "propertyNames": lambda _, __: {},
            }
        )

    def convert(self, schema: Schema, path: str) -> Schema:
        """Return the structural form of a part; the path names it in errors."""
        plain = self._without_null(self._inlined(schema), path)
        result: Schema = {}
        for keyword, value in plain.items():
            if keyword in self._special:
                result |= self._special[keyword](value, path)
            elif keyword in _KEPT:
                result[keyword] = _pruned(value) if keyword == "default" else value
            elif keyword not in _DROPPED:
                raise UnsupportedKeyword(f"{path} has {keyword!r}, which a structural schema does not know.")
        if result.get("default", ...) is None:
            del result["default"]
        _require_bounds(result, path)
        return result

    def _inlined(self, schema: Schema) -> Schema:
        reference = schema.get("$ref")
        if reference is None:
            return schema
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return self._inlined(self._definitions[reference.rpartition("/")[2]]) | beside

    def _without_null(self, schema: Schema, path: str) -> Schema:
        branches = schema.get("anyOf")
        if branches is None:
            return schema
        real = [branch for branch in branches if branch.get("type") != "null"]
        if len(real) != 1:
            raise UnsupportedKeyword(f"{path} is a union, which a structural schema cannot say.")
        beside = {key: value for key, value in schema.items() if key != "anyOf"}
        return self._inlined(real[0]) | beside

    def _properties(self, properties: Mapping[str, Schema], path: str) -> Schema:
        return {"properties": {name: self.convert(value, f"{path}.{name}") for name, value in properties.items()}}

    def _additional(self, value: bool | Schema, path: str) -> Schema:  # noqa: FBT001 - JSON schema's own
        # `false` is what a structural schema means anyway; it is not allowed beside properties.
        return {} if isinstance(value, bool) else {"additionalProperties": self.convert(value, f"{path}{{}}")}


def _pruned(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out the nulls of a default: what is absent is not null."""
    if isinstance(value, dict):
        return {key: _pruned(child) for key, child in value.items() if child is not None}
    return [_pruned(child) for child in value] if isinstance(value, list) else value


def _require_bounds(schema: Schema, path: str) -> None:
    """The cost of a rule is estimated from the bounds: without them the API server refuses the CRD."""
    bounded = {
        "string": {"maxLength", "enum", "format"} & schema.keys(),
        "array": {"maxItems"} & schema.keys(),
        "object": {"properties", "maxProperties"} & schema.keys(),
    }
    if not bounded.get(str(schema.get("type")), True):
        raise UnsupportedKeyword(f"{path} has no upper bound.")
