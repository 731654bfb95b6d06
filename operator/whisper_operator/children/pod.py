"""The pod of a pool: on its device, and restricted."""

from collections.abc import Mapping
from typing import Any, Final

from whisper_contract.runtime import ENVIRONMENT_PREFIX
from whisper_contract.surface import HEALTH_PATH, HTTP_PORT, MANAGEMENT_PORT, READY_PATH
from whisper_operator.api.base import ApiModel
from whisper_operator.api.pool import Pool
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.environment import DRAIN_SECONDS, LEAVING_SECONDS, environment, runtime_config
from whisper_operator.children.names import pool_selector, scheme
from whisper_operator.children.resources import container_resources
from whisper_operator.children.restricted import LOCKED, pod_security, pull_secrets
from whisper_operator.children.service_account import service_account_name
from whisper_operator.children.volumes import (
    CA_FILE,
    CACHE_FOLDER,
    HUB_TOKEN_FOLDER,
    server_volumes,
    trust,
    writable_mounts,
)
from whisper_operator.defaults import Defaults
from whisper_operator.devices import profile_of, tolerations_of

_PROBE_SECONDS: Final = 10
_STARTUP_PROBE_SECONDS: Final = 2
"""A small model is ready within seconds, and would wait for the next probe."""
_MARGIN_SECONDS: Final = 15

_ADDRESS_VARIABLE: Final = f"{ENVIRONMENT_PREFIX}ADVERTISED_HOST"
_CA_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Read by OpenSSL's users and by the hub's client."""


def build_pod_spec(owner: WhisperDeployment, pool: Pool, defaults: Defaults) -> dict[str, Any]:
    """Build the `spec` of a pool's pods."""
    profile = profile_of(pool)
    image = pool.image or defaults.image_for(profile.engine)
    volumes, mounts = server_volumes(owner)
    ca_volumes, ca_mounts = trust(defaults.ca_config_map)
    logins = (*(each.name for each in pool.image_pull_secrets), *defaults.image_pull_secrets)
    spec: dict[str, Any] = {
        "serviceAccountName": service_account_name(owner.metadata.name),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": LEAVING_SECONDS + DRAIN_SECONDS + _MARGIN_SECONDS,
        "securityContext": pod_security(defaults.render_groups if profile.render_group else ()),
        "containers": [_server(owner, pool, defaults, image, [*mounts, *ca_mounts])],
        "volumes": [*volumes, *ca_volumes, *_hub_token(owner)],
        "tolerations": [*tolerations_of(pool), *(_plain(each) for each in pool.tolerations)],
        "topologySpreadConstraints": [
            _plain(each) | {"labelSelector": {"matchLabels": pool_selector(owner.metadata.name, pool.name)}}
            for each in pool.topology_spread_constraints
        ],
        "initContainers": _fetch(owner, pool, defaults, image),
        "nodeSelector": dict(pool.node_selector),
        # What is empty the API server does not keep: it would be written again and again.
        "affinity": pool.affinity and pool.affinity.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "imagePullSecrets": pull_secrets(logins),
        "runtimeClassName": pool.runtime_class_name,
        "priorityClassName": pool.priority_class_name,
    }
    return {key: value for key, value in spec.items() if value not in ([], {}, None)}


def _server(
    owner: WhisperDeployment, pool: Pool, defaults: Defaults, image: str, mounts: list[dict[str, Any]]
) -> dict[str, Any]:
    attempts = int(profile_of(pool).startup.total_seconds()) // _STARTUP_PROBE_SECONDS
    return {
        "name": "server",
        "image": image,
        "args": ["serve"],
        "env": _variables(owner, pool, defaults),
        "ports": [
            {"name": scheme(owner), "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "management", "containerPort": MANAGEMENT_PORT, "protocol": "TCP"},
        ],
        "resources": container_resources(owner.spec.model, pool),
        "securityContext": LOCKED,
        "volumeMounts": mounts,
        # Ready means that a real clip was transcribed: until then a start goes on, for as long as the device may take.
        "startupProbe": _probe(READY_PATH, failures=attempts, seconds=_STARTUP_PROBE_SECONDS),
        "readinessProbe": _probe(READY_PATH, failures=2),
        "livenessProbe": _probe(HEALTH_PATH, failures=3),
    }


def _variables(owner: WhisperDeployment, pool: Pool, defaults: Defaults) -> list[dict[str, Any]]:
    computed = {each["name"]: each["value"] for each in environment(runtime_config(owner, pool))}
    return [*_merged(defaults, computed, pool), *_own_address(owner)]


def _own_address(owner: WhisperDeployment) -> list[dict[str, Any]]:
    """Pods that share a Redis tell each other where they are: a full one hands requests to the others."""
    if owner.spec.redis is None:
        return []
    return [{"name": _ADDRESS_VARIABLE, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}]


def _merged(defaults: Defaults, computed: Mapping[str, str], pool: Pool) -> list[dict[str, str]]:
    """The pool's own come before what is computed, and that before every pod's; a name comes once."""
    trusted = dict.fromkeys(_CA_VARIABLES, CA_FILE) if defaults.ca_config_map else {}
    chosen = {variable.name: variable.value for variable in pool.env}
    whole = {**trusted, **defaults.pod_env, **computed, **chosen}
    return [{"name": name, "value": value} for name, value in whole.items()]


def _probe(path: str, *, failures: int, seconds: int = _PROBE_SECONDS) -> dict[str, Any]:
    get = {"path": path, "port": "management", "scheme": "HTTP"}
    return {"httpGet": get, "periodSeconds": seconds, "timeoutSeconds": 5, "failureThreshold": failures}


def _fetch(owner: WhisperDeployment, pool: Pool, defaults: Defaults, image: str) -> list[dict[str, Any]]:
    """Download the model before the server starts: a hub that fails is then told from a device that fails."""
    hub = owner.spec.model.source.hugging_face
    if hub is None:
        return []
    variables = {"WHISPER_CACHE_DIR": CACHE_FOLDER}
    mounts = [*writable_mounts(), *trust(defaults.ca_config_map)[1]]
    if hub.token_secret is not None:
        variables["HF_TOKEN_PATH"] = f"{HUB_TOKEN_FOLDER}/{hub.token_secret.key}"
        mounts.append({"name": "hub-token", "mountPath": HUB_TOKEN_FOLDER})
    return [
        {
            "name": "fetch-model",
            "image": image,
            "args": ["fetch-model", owner.spec.model.name, "--revision", hub.revision],
            "env": _merged(defaults, variables, pool),
            "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
            "securityContext": LOCKED,
            "volumeMounts": mounts,
        }
    ]


def _hub_token(owner: WhisperDeployment) -> list[dict[str, Any]]:
    hub = owner.spec.model.source.hugging_face
    if hub is None or hub.token_secret is None:
        return []
    return [{"name": "hub-token", "secret": {"secretName": hub.token_secret.name, "defaultMode": 0o440}}]


def _plain(model: ApiModel) -> dict[str, Any]:
    plain: dict[str, Any] = model.model_dump(by_alias=True, exclude_none=True)
    return plain
