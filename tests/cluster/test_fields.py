"""Every field of the spec, changed under a running operator in a real API server."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from kubernetes import client

from tests.support.patience import eventually
from tests.support.person import Person, condition
from tests.support.resources import children_of, manifest
from tests.support.running_operator import Operator
from tests.unit.whisper_operator.test_fields import CHANGES
from whisper_operator.api.base import GROUP, PLURAL, VERSION
from whisper_operator.api.resource import parse
from whisper_operator.children.names import INSTANCE_LABEL, MANAGED_LABEL, Manifest, label_selector
from whisper_operator.kinds import CHILDREN, SECRET

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("foreign_kinds")]

REFUSED: Final = {
    "model.cache.storageClassName",
    "model.cache.accessMode",
    "redis.managed.size",
    "redis.managed.storageClassName",
}
"""What a claim cannot follow: the definition refuses it (test_crd.py)."""
GROWS: Final = {"model.cache.size"}
"""What only a claim with a volume can follow, and there are no volumes here."""
SECRETS: Final = ("mine", "other", "theirs")
"""Those that the specs name."""
EVERY_KEY: Final = {
    **dict.fromkeys(("API_KEY", "SECRET_KEY", "ADMIN_PASSWORD"), "k" * 32),
    "url": "redis://redis",
    **dict.fromkeys(("tls.crt", "ca.crt"), "-----BEGIN CERTIFICATE-----"),
    "tls.key": "-----BEGIN PRIVATE KEY-----",
}
"""What they must have for whatever they are named for."""
PATIENT: Final = {"fallback": {"after": "1h"}}
"""No standby stands in while the test runs."""

Made: TypeAlias = dict[str, dict[str, str]]
"""By resource: each child's kind and name, and the checksum of what was asked for."""


def test_each_field_that_changes_reaches_the_cluster(
    kubeconfig: Path, person: Person, api: client.ApiClient, tmp_path: Path
) -> None:
    fields = {f"field-{number}": field for number, field in enumerate(sorted(CHANGES.keys() - REFUSED - GROWS))}
    for name in SECRETS:
        person.core.create_namespaced_secret(person.namespace, {"metadata": {"name": name}, "stringData": EVERY_KEY})
    with Operator(kubeconfig, [person.namespace], tmp_path / "operator.log").running("3600"):
        for name, field in fields.items():
            person.create(name, **CHANGES[field][0] | PATIENT)
        eventually(lambda: unsettled(person, 1), lambda found: found == [], seconds=180)
        before = made(api, person.namespace)
        for name, field in fields.items():
            replace(person, name, manifest(name, **CHANGES[field][1] | PATIENT))
        eventually(lambda: unsettled(person, 2), lambda found: found == [], seconds=180)
        after = made(api, person.namespace)
    assert [field for name, field in fields.items() if before[name] == after[name]] == []
    wanted = {name: set(checksums(children_of(parse(resource)))) for name, resource in read(person).items()}
    assert {name: set(found) for name, found in after.items()} == wanted


def read(person: Person) -> dict[str, Manifest]:
    """The resources by name."""
    items = person.custom.list_namespaced_custom_object(GROUP, VERSION, person.namespace, PLURAL)["items"]
    return {item["metadata"]["name"]: item for item in items}


def replace(person: Person, name: str, body: Manifest) -> None:
    """Let a resource be so, and in nothing as it was."""

    def put() -> bool:
        version = read(person)[name]["metadata"]["resourceVersion"]
        placed = body | {"metadata": {"name": name, "namespace": person.namespace, "resourceVersion": version}}
        person.custom.replace_namespaced_custom_object(GROUP, VERSION, person.namespace, PLURAL, name, placed)
        return True

    eventually(put)


def unsettled(person: Person, generation: int) -> list[str]:
    """Resources whose spec of this generation is not applied yet, and what is said of them."""
    return [
        f"{name}: {condition(each, 'Accepted')}"
        for name, each in read(person).items()
        if each.get("status", {}).get("observedGeneration") != generation
        or condition(each, "Accepted") != ("True", "Accepted")
    ]


def made(api: client.ApiClient, namespace: str) -> Made:
    """The children that there are, without Secrets."""
    found: Made = {}
    for kind in (kind for kind in CHILDREN if kind is not SECRET):
        path = f"{kind.path(namespace)}?labelSelector={label_selector(MANAGED_LABEL)}"
        request = api.param_serialize("GET", path, auth_settings=["BearerToken"])
        for item in json.loads(api.call_api(*request).read())["items"]:
            owner = item["metadata"]["labels"][INSTANCE_LABEL]
            found.setdefault(owner, {}).update(checksums([item | {"kind": kind.name}]))
    return found


def checksums(children: Iterable[Manifest]) -> dict[str, str]:
    """What was asked for of each child."""
    return {
        f"{child['kind']} {child['metadata']['name']}": child["metadata"]
        .get("annotations", {})
        .get("whisperoperator.dev/applied", "")
        for child in children
    }
