"""No field of the spec is passed over: each, when it changes, changes what is made, or is named here with its test."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support.resources import CPU, NPU, NVIDIA, STANDBY, children_of, resource
from whisper_operator.api.schema import structural_schema
from whisper_operator.api.spec import WhisperDeploymentSpec

HUB: Final = {"name": "openai/whisper-base", "source": {"huggingFace": {}}}
CLAIM: Final = {"claimName": "models"}
IMAGE: Final = {"reference": "models:1"}
HOOKS: Final[dict[str, Any]] = {"destinations": ["hooks.example.org", "*.example.com:8443"]}
INGRESS: Final = {"host": "a.example"}
GATEWAY: Final = {"host": "a.example", "kind": "httpRoute", "gateway": {"name": "public"}}
TAINT: Final = {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 5}


def model(**source: Any) -> dict[str, Any]:  # noqa: ANN401 - a source
    """A spec with a model from there."""
    return {"model": {"name": "demo", "source": source}}


def pool(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a pool
    """A spec with one pool on the CPU."""
    return {"pools": [CPU | fields]}


def scaled(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of autoscaling
    """A spec with one pool that autoscales."""
    return pool(autoscaling={"maxReplicas": 5} | fields)


def tainted(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a toleration
    """A spec with one pool that stands a taint."""
    return pool(tolerations=[TAINT | fields])


def stood(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a toleration
    """The same of a taint of any value."""
    return pool(tolerations=[{"key": "a"} | fields])


def spread(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a constraint
    """A spec with one pool that spreads."""
    return pool(topologySpreadConstraints=[fields])


def managed(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a Redis
    """A spec with a Redis of its own."""
    return {"redis": {"managed": fields}}


CHANGES: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "model.name": ({"model": HUB}, {"model": HUB | {"name": "openai/whisper-tiny"}}),
    "model.source.huggingFace.revision": (
        {"model": HUB},
        {"model": HUB | {"source": {"huggingFace": {"revision": "v1"}}}},
    ),
    "model.source.huggingFace.tokenSecret.name": (
        {"model": HUB},
        {"model": HUB | {"source": {"huggingFace": {"tokenSecret": {"name": "hub"}}}}},
    ),
    "model.source.huggingFace.tokenSecret.key": (
        {"model": HUB | {"source": {"huggingFace": {"tokenSecret": {"name": "hub"}}}}},
        {"model": HUB | {"source": {"huggingFace": {"tokenSecret": {"name": "hub", "key": "mine"}}}}},
    ),
    "model.source.persistentVolumeClaim.claimName": (
        model(persistentVolumeClaim=CLAIM),
        model(persistentVolumeClaim={"claimName": "others"}),
    ),
    "model.source.persistentVolumeClaim.path": (
        model(persistentVolumeClaim=CLAIM),
        model(persistentVolumeClaim=CLAIM | {"path": "base"}),
    ),
    "model.source.image.reference": (model(image=IMAGE), model(image={"reference": "models:2"})),
    "model.source.image.path": (model(image=IMAGE), model(image=IMAGE | {"path": "base"})),
    "model.source.image.pullPolicy": (model(image=IMAGE), model(image=IMAGE | {"pullPolicy": "Always"})),
    "model.source.path": (model(path="/models/a"), model(path="/models/b")),
    "model.precision": ({"model": HUB}, {"model": HUB | {"precision": "int8"}}),
    "model.cache.size": ({"model": HUB | {"cache": {"size": "1Gi"}}}, {"model": HUB | {"cache": {"size": "2Gi"}}}),
    "model.cache.storageClassName": (
        {"model": HUB | {"cache": {"size": "1Gi"}}},
        {"model": HUB | {"cache": {"size": "1Gi", "storageClassName": "fast"}}},
    ),
    "model.cache.accessMode": (
        {"model": HUB | {"cache": {"size": "1Gi"}}},
        {"model": HUB | {"cache": {"size": "1Gi", "accessMode": "ReadWriteOnce"}}},
    ),
    "replicas": ({}, {"replicas": 3}),
    "pools[].name": (pool(), pool(name="other")),
    "pools[].device": (pool(), {"pools": [NPU]}),
    "pools[].vendor": ({"pools": [NVIDIA]}, {"pools": [NVIDIA | {"vendor": "intel"}]}),
    "pools[].resourceName": ({"pools": [NVIDIA]}, {"pools": [NVIDIA | {"resourceName": "nvidia.com/gpu.shared"}]}),
    "pools[].standby": ({"pools": [NPU, STANDBY]}, {"pools": [NPU, STANDBY | {"standby": False}]}),
    "pools[].replicas": ({"pools": [NPU, CPU]}, {"pools": [NPU, CPU | {"replicas": 2}]}),
    "pools[].autoscaling.minReplicas": (scaled(), scaled(minReplicas=2)),
    "pools[].autoscaling.maxReplicas": (scaled(), scaled(maxReplicas=6)),
    "pools[].autoscaling.streamLoad": (scaled(), scaled(streamLoad=50)),
    "pools[].autoscaling.slotsInUse": (scaled(), scaled(slotsInUse=3)),
    "pools[].autoscaling.queueAge": (scaled(), scaled(queueAge="9s")),
    "pools[].autoscaling.cpu": (scaled(), scaled(cpu=70)),
    "pools[].autoscaling.prometheus": (scaled(), scaled(prometheus="http://prometheus")),
    "pools[].resources.requests": (pool(), pool(resources={"requests": {"cpu": "2"}})),
    "pools[].resources.limits": (pool(), pool(resources={"limits": {"cpu": "2"}})),
    "pools[].image": (pool(), pool(image="mine:1")),
    "pools[].imagePullSecrets[].name": (pool(), pool(imagePullSecrets=[{"name": "login"}])),
    "pools[].nodeSelector": (pool(), pool(nodeSelector={"a": "b"})),
    "pools[].affinity": (pool(), pool(affinity={"podAntiAffinity": {}})),
    "pools[].tolerations[].key": (tainted(), tainted(key="other")),
    "pools[].tolerations[].operator": (stood(), stood(operator="Exists")),
    "pools[].tolerations[].value": (tainted(), tainted(value="other")),
    "pools[].tolerations[].effect": (stood(effect="NoExecute"), stood(effect="NoSchedule")),
    "pools[].tolerations[].tolerationSeconds": (tainted(), tainted(tolerationSeconds=6)),
    "pools[].runtimeClassName": (pool(), pool(runtimeClassName="nvidia")),
    "pools[].priorityClassName": (pool(), pool(priorityClassName="high")),
    "pools[].env[].name": (pool(env=[{"name": "A", "value": "1"}]), pool(env=[{"name": "B", "value": "1"}])),
    "pools[].env[].value": (pool(env=[{"name": "A", "value": "1"}]), pool(env=[{"name": "A", "value": "2"}])),
    "pools[].podAnnotations": (pool(), pool(podAnnotations={"a": "b"})),
    "pools[].topologySpreadConstraints[].topologyKey": (spread(), spread(topologyKey="zone")),
    "pools[].topologySpreadConstraints[].maxSkew": (spread(), spread(maxSkew=2)),
    "pools[].topologySpreadConstraints[].whenUnsatisfiable": (spread(), spread(whenUnsatisfiable="DoNotSchedule")),
    "credentials.secretName": ({}, {"credentials": {"secretName": "mine"}}),
    "network.policies": ({}, {"network": {"policies": False}}),
    "network.clients[].namespaceLabels": ({}, {"network": {"clients": [{"namespaceLabels": {"a": "b"}}]}}),
    "network.clients[].podLabels": ({}, {"network": {"clients": [{"podLabels": {"a": "b"}}]}}),
    "network.management[].namespaceLabels": ({}, {"network": {"management": [{"namespaceLabels": {"a": "b"}}]}}),
    "network.management[].podLabels": ({}, {"network": {"management": [{"podLabels": {"a": "b"}}]}}),
    "network.egress[].cidr": ({}, {"network": {"egress": [{"cidr": "10.0.0.0/8"}]}}),
    "network.egress[].ports": (
        {"network": {"egress": [{"cidr": "10.0.0.0/8"}]}},
        {"network": {"egress": [{"cidr": "10.0.0.0/8", "ports": [443]}]}},
    ),
    "route.host": ({"route": INGRESS}, {"route": {"host": "b.example"}}),
    "route.kind": ({"route": INGRESS}, {"route": GATEWAY}),
    "route.ingressClassName": ({"route": INGRESS}, {"route": INGRESS | {"ingressClassName": "nginx"}}),
    "route.tlsSecretName": ({"route": INGRESS}, {"route": INGRESS | {"tlsSecretName": "tls"}}),
    "route.gateway.name": ({"route": GATEWAY}, {"route": GATEWAY | {"gateway": {"name": "other"}}}),
    "route.gateway.namespace": (
        {"route": GATEWAY},
        {"route": GATEWAY | {"gateway": {"name": "public", "namespace": "there"}}},
    ),
    "route.gateway.sectionName": (
        {"route": GATEWAY},
        {"route": GATEWAY | {"gateway": {"name": "public", "sectionName": "https"}}},
    ),
    "route.annotations": ({"route": INGRESS}, {"route": INGRESS | {"annotations": {"a": "b"}}}),
    "monitoring.serviceMonitor": ({}, {"monitoring": {"serviceMonitor": True}}),
    "monitoring.alerts": ({}, {"monitoring": {"alerts": True}}),
    "monitoring.dashboard": ({}, {"monitoring": {"dashboard": True}}),
    "monitoring.labels": (
        {"monitoring": {"alerts": True}},
        {"monitoring": {"alerts": True, "labels": {"release": "kps"}}},
    ),
    "sessions.idleTimeout": ({}, {"sessions": {"idleTimeout": "1m"}}),
    "sessions.streamTokenLifetime": ({}, {"sessions": {"streamTokenLifetime": "5m"}}),
    "sessions.absoluteTimeout": ({}, {"sessions": {"absoluteTimeout": "1h"}}),
    "sessions.retention": ({}, {"sessions": {"retention": "48h"}}),
    "redis.secretName": ({}, {"redis": {"secretName": "mine"}}),
    "redis.managed.image": (managed(), managed(image="redis:7")),
    "redis.managed.memory": (managed(), managed(memory="1Gi")),
    "redis.managed.size": (managed(), managed(size="2Gi")),
    "redis.managed.storageClassName": (managed(), managed(storageClassName="fast")),
    "tls.secretName": ({"tls": {"secretName": "mine"}}, {"tls": {"secretName": "other"}}),
    "tls.clientCASecretName": (
        {"tls": {"secretName": "mine"}},
        {"tls": {"secretName": "mine", "clientCASecretName": "theirs"}},
    ),
    "api.maxUploadSize": ({}, {"api": {"maxUploadSize": "1Mi"}}),
    "api.legacy": ({}, {"api": {"legacy": True}}),
    "api.trustedProxies": ({}, {"api": {"trustedProxies": ["10.0.0.0/8"]}}),
    "api.corsOrigins": ({}, {"api": {"corsOrigins": ["https://app.example.org"]}}),
    "api.rateLimits.transcriptions": ({}, {"api": {"rateLimits": {"transcriptions": "9/minute"}}}),
    "api.rateLimits.reads": ({}, {"api": {"rateLimits": {"reads": "9/minute"}}}),
    "api.rateLimits.logins": ({}, {"api": {"rateLimits": {"logins": "9/minute"}}}),
    "api.rateLimits.refusals": ({}, {"api": {"rateLimits": {"refusals": "unlimited"}}}),
    "api.quotas.concurrentRequests": ({}, {"api": {"quotas": {"concurrentRequests": 2}}}),
    "api.quotas.concurrentStreams": ({}, {"api": {"quotas": {"concurrentStreams": 2}}}),
    "api.quotas.audioSecondsPerDay": ({}, {"api": {"quotas": {"audioSecondsPerDay": 3600}}}),
    "api.maxConnections": ({}, {"api": {"maxConnections": 100}}),
    "api.maxAudioDuration": ({}, {"api": {"maxAudioDuration": "1m"}}),
    "audit.retention": ({}, {"audit": {"retention": "24h"}}),
    "audit.syslog.address": ({}, {"audit": {"syslog": {"address": "siem.example.org"}}}),
    "audit.syslog.caSecretName": (
        {"audit": {"syslog": {"address": "siem"}}},
        {"audit": {"syslog": {"address": "siem", "caSecretName": "siem-ca"}}},
    ),
    "audit.http.url": ({}, {"audit": {"http": {"url": "https://siem/events"}}}),
    "audit.http.tokenSecret.name": (
        {"audit": {"http": {"url": "https://siem"}}},
        {"audit": {"http": {"url": "https://siem", "tokenSecret": {"name": "siem"}}}},
    ),
    "audit.http.tokenSecret.key": (
        {"audit": {"http": {"url": "https://siem", "tokenSecret": {"name": "siem"}}}},
        {"audit": {"http": {"url": "https://siem", "tokenSecret": {"name": "siem", "key": "mine"}}}},
    ),
    "streams.partialInterval": ({}, {"streams": {"partialInterval": "500ms"}}),
    "streams.endpointSilence": ({}, {"streams": {"endpointSilence": "1s"}}),
    "streams.resumeWindow": ({}, {"streams": {"resumeWindow": "10m"}}),
    "streams.idleTimeout": ({}, {"streams": {"idleTimeout": "5m"}}),
    "streams.longest": ({}, {"streams": {"longest": "1h"}}),
    "streams.maxPerPod": ({}, {"streams": {"maxPerPod": 10}}),
    "streams.measured": ({}, {"streams": {"measured": False}}),
    "logLevel": ({}, {"logLevel": "debug"}),
    "jobs.maxAudioDuration": ({}, {"jobs": {"maxAudioDuration": "1h"}}),
    "jobs.maxUploadSize": ({}, {"jobs": {"maxUploadSize": "1Mi"}}),
    "jobs.retention": ({}, {"jobs": {"retention": "1h"}}),
    "jobs.storeSize": ({}, {"jobs": {"storeSize": "1Mi"}}),
    "jobs.maxPerOwner": ({}, {"jobs": {"maxPerOwner": 5}}),
    "jobs.atOnce": ({}, {"jobs": {"atOnce": 1}}),
    "jobs.webhooks.destinations": ({}, {"jobs": {"webhooks": HOOKS}}),
    "jobs.webhooks.networks": (
        {"jobs": {"webhooks": HOOKS}},
        {"jobs": {"webhooks": HOOKS | {"networks": ["10.1.0.0/16"]}}},
    ),
    "jobs.webhooks.plainHttp": (
        {"jobs": {"webhooks": HOOKS}},
        {"jobs": {"webhooks": HOOKS | {"plainHttp": True}}},
    ),
}
"""For each field two specs that differ in it."""

OVER_TIME: Final = {"fallback.after", "fallback.strict", "credentials.generate"}
"""Fields that decide what happens, not what is made: test_plan.py and test_reconcile.py."""


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Every field that holds a value; an affinity is Kubernetes' own."""
    inner = schema.get("items", schema)
    if "properties" not in inner or path == "pools[].affinity":
        plain = "items" in schema and "properties" not in inner
        yield path.removesuffix("[]") if plain else path
        return
    for name, field in inner["properties"].items():
        listed = "[]" if "properties" in field.get("items", {}) else ""
        yield from leaves(field, f"{path}.{name}{listed}".removeprefix("."))


def test_every_field_has_its_change() -> None:
    assert set(leaves(structural_schema(WhisperDeploymentSpec))) == CHANGES.keys() | OVER_TIME


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_that_changes_changes_what_is_made(field: str) -> None:
    before, after = CHANGES[field]
    assert children_of(resource(**before)) != children_of(resource(**after))
