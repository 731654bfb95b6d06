"""Definitions of kinds in a cluster."""

from http import HTTPStatus
from typing import Any

from kubernetes import client

from tests.support.patience import eventually
from whisper_operator.children.names import Manifest


def define(api: client.ApiClient, definition: Manifest) -> bool:
    """Let a cluster have a kind and wait until it serves it; return whether it did not have it before."""
    extensions: Any = client.ApiextensionsV1Api(api)
    name = definition["metadata"]["name"]
    try:
        extensions.create_custom_resource_definition(definition)
    except client.ApiException as problem:
        if problem.status != HTTPStatus.CONFLICT:
            raise
        return False

    def established() -> bool:
        conditions = extensions.read_custom_resource_definition(name).status.conditions or ()
        return any(each.type == "Established" and each.status == "True" for each in conditions)

    eventually(established)
    return True


def upgrade(api: client.ApiClient, definition: Manifest) -> None:
    """Let a kind be as this definition says."""
    extensions: Any = client.ApiextensionsV1Api(api)
    extensions.patch_custom_resource_definition(definition["metadata"]["name"], {"spec": definition["spec"]})
