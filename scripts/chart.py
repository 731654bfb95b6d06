"""What of the Helm chart is made: the values' schema and README from the comments in values.yaml, roles, the CRD."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from whisper_operator.api.crd import build_crd
from whisper_operator.rights import RIGHTS

CHART: Final = Path("helm/whisper-operator")
_ENTRY: Final = re.compile(r"^(?P<indent> *)(?P<key>\w+):")
_CHOICES: Final = re.compile(r" \((?P<choices>[\w ]+(?: \| [\w ]+)+)\)$")
_FREE: Final = frozenset({"resources", "affinity"})
"""Objects that Kubernetes describes: the API server checks them."""


class UndescribedValue(ValueError):
    """A value has no comment above it."""


class Value(NamedTuple):
    """One entry of values.yaml."""

    path: tuple[str, ...]
    default: Any
    description: str
    choices: tuple[str, ...]


def read_values(text: str) -> list[Value]:
    """Read values with the comments above them.

    Raises:
        UndescribedValue: One has none.
    """
    values = []
    for path, comment in _entries(text.splitlines()):
        if _FREE & set(path[:-1]):
            continue
        if not comment:
            raise UndescribedValue(f"{'.'.join(path)} in values.yaml has no comment above it.")
        choices = _CHOICES.search(comment)
        chosen = tuple(choices["choices"].split(" | ")) if choices else ()
        values.append(Value(path, _look_up(yaml.safe_load(text), path), _CHOICES.sub("", comment), chosen))
    return values


def _entries(lines: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    parents: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in lines:
        entry = _ENTRY.match(line)
        if entry is not None:
            indent = len(entry["indent"])
            parents = [(depth, key) for depth, key in parents if depth < indent]
            parents.append((indent, entry["key"]))
            yield tuple(key for _, key in parents), " ".join(comment)
        comment = [*comment, line.strip("# ")] if line.lstrip().startswith("#") else []


def _look_up(values: Any, path: Sequence[str]) -> Any:  # noqa: ANN401 - YAML
    for key in path:
        values = values[key]
    return values


def render_schema() -> str:
    """Render values.schema.json: an unknown value is refused, not passed over."""
    schema: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#"} | _object("The chart's values.")
    # Helm puts `global` among every chart's values.
    schema["properties"]["global"] = {"type": "object"}
    for value in read_values((CHART / "values.yaml").read_text()):
        parent = schema
        for key in value.path[:-1]:
            parent = parent["properties"][key]
        parent["properties"][value.path[-1]] = _schema_of(value)
    return json.dumps(schema, indent=2) + "\n"


def _object(description: str) -> dict[str, Any]:
    return {"type": "object", "description": description, "additionalProperties": False, "properties": {}}


def _schema_of(value: Value) -> dict[str, Any]:
    described = {"description": value.description}
    if value.choices:
        return described | {"type": "string", "enum": list(value.choices)}
    if isinstance(value.default, dict):
        closed = value.default and value.path[-1] not in _FREE
        return _object(value.description) if closed else described | {"type": "object"}
    if isinstance(value.default, list):
        return described | {"type": "array"} | _items(value.default)
    kinds = {bool: "boolean", int: "integer", str: "string"}
    return described | {"type": kinds[type(value.default)]}


def _items(default: list[Any]) -> dict[str, Any]:
    return {"items": {"type": "integer"}} if default and isinstance(default[0], int) else {}


def render_readme() -> str:
    """Render the chart's README."""
    rows = "".join(
        f"| `{'.'.join(value.path)}` | {_cell(value)} | {value.description.replace('|', chr(92) + '|')} |\n"
        for value in read_values((CHART / "values.yaml").read_text())
        if not _is_heading(value)
    )
    return _README.format(rows=rows)


def _is_heading(value: Value) -> bool:
    return isinstance(value.default, dict) and bool(value.default) and value.path[-1] not in _FREE


def _cell(value: Value) -> str:
    default = f"`{json.dumps(value.default)}`"
    return f"{default} of {', '.join(f'`{choice}`' for choice in value.choices)}" if value.choices else default


def render_crd_template() -> str:
    """Render the template with the CRD: upgraded with the chart, kept when it goes."""
    crd = build_crd()
    crd["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    body = yaml.safe_dump(crd, sort_keys=False, width=120)
    return f"{{{{- /* {_NOTICE} */}}}}\n{{{{- if .Values.crds.install }}}}\n{body}{{{{- end }}}}\n"


def render_rights() -> str:
    """Render the rules of the chart's roles."""
    rules = "".join(
        f'- apiGroups: ["{right.group}"]\n  resources: ["{right.resource}"]\n  verbs: {json.dumps(list(right.verbs))}\n'
        for right in RIGHTS
    )
    return f'{{{{- /* {_NOTICE} */}}}}\n{{{{- define "whisper-operator.rights" -}}}}\n{rules}{{{{- end }}}}\n'


_NOTICE: Final = "Made by `make generate`; do not edit."

_README: Final = """<!-- Made by `make generate`; do not edit. -->
# whisper-operator

The operator of `WhisperDeployment` resources. Needs Kubernetes 1.30 and Helm 3.

```sh
helm install whisper-operator helm/whisper-operator --namespace whisper-operator --create-namespace
```

`helm upgrade` upgrades the resource's definition, too. `helm uninstall` leaves it, the resources and the servers: they
run on without the operator. A later install under the same release name and namespace takes them over; under another,
add `--take-ownership`. To remove everything: `kubectl delete wd -A --all`, uninstall, and
`kubectl delete crd whisperdeployments.whisperoperator.dev`.

There is one operator pod, and no PodDisruptionBudget for it: a budget for a single pod would block the drain of its
node, and the servers do not need it to go on.

## Values

| value | default | meaning |
|---|---|---|
{rows}"""
