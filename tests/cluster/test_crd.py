"""The definition in a real API server: what it refuses and with which sentence, and what it fills in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from kubernetes import client

from tests.support.examples import EXAMPLES, resources_of
from tests.support.resources import CPU, NPU, NVIDIA, manifest
from whisper_operator.api.base import GROUP, PLURAL, VERSION
from whisper_operator.api.crd import build_crd
from whisper_operator.api.resource import parse
from whisper_operator.children.names import Manifest

HUB: Final[dict[str, Any]] = {"name": "openai/whisper-base", "source": {"huggingFace": {}}}


@pytest.fixture
def custom(api: client.ApiClient) -> client.CustomObjectsApi:
    """The client for our resource."""
    return client.CustomObjectsApi(api)


def create(custom: client.CustomObjectsApi, namespace: str, body: Manifest, **options: Any) -> Manifest:  # noqa: ANN401
    """Create a resource, as strictly as kubectl does."""
    placed = body | {"metadata": {**body["metadata"], "namespace": namespace}}
    untyped: Any = custom
    created = untyped.create_namespaced_custom_object(
        GROUP, VERSION, namespace, PLURAL, placed, field_validation="Strict", **options
    )
    return dict(created)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_taken_and_understood(custom: client.CustomObjectsApi, namespace: str, example: Path) -> None:
    for written in resources_of(example):
        stored = create(custom, namespace, written, dry_run="All")
        assert parse(stored).spec == parse(written).spec


def test_defaults_are_filled_in(custom: client.CustomObjectsApi, namespace: str) -> None:
    spec = create(custom, namespace, manifest(pools=[{"name": "npu", "device": "npu"}]), dry_run="All")["spec"]
    assert spec["replicas"] == 1
    assert spec["fallback"] == {"after": "60s", "strict": False}
    assert spec["pools"][0]["standby"] is False
    assert spec["model"]["precision"] == "auto"


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"model": {"name": "a", "source": {}}}, "exactly one source"),
        ({"model": {"name": "a", "source": {"path": "/a", "huggingFace": {}}}}, "exactly one source"),
        ({"model": {"name": "a/b", "source": {"path": "/a"}}}, "only the name of a model at a hub has a slash"),
        ({"model": {"name": "../a", "source": {"huggingFace": {}}}}, "spec.model.name"),
        ({"model": {"name": "a", "source": {"path": "/a/../b"}}}, "spec.model.source.path"),
        ({"model": {"name": "a", "source": {"persistentVolumeClaim": {"claimName": "a", "path": "../b"}}}}, "path"),
        ({"model": HUB | {"cache": {"size": "lots"}}}, "spec.model.cache.size"),
        ({"model": HUB | {"precision": "f8"}}, "Unsupported value"),
        ({"pools": []}, "at least 1"),
        ({"pools": [CPU, CPU]}, "the same name"),
        ({"pools": [CPU | {"standby": True}]}, "cannot be a standby"),
        ({"pools": [CPU | {"replicas": 2}]}, "spec.replicas"),
        ({"pools": [CPU | {"vendor": "intel"}]}, "only a pool with device: gpu has a vendor"),
        ({"pools": [{"name": "gpu", "device": "gpu"}]}, "needs vendor"),
        ({"pools": [CPU | {"resourceName": "a.b/c"}]}, "takes no resourceName"),
        ({"pools": [NPU | {"name": "Loud"}]}, "spec.pools[0].name"),
        ({"pools": [NPU, NVIDIA | {"replicas": 0}]}, "greater than or equal to 1"),
        ({"pools": [{"name": f"p{index}", "device": "cpu"} for index in range(9)]}, "at most 8"),
        ({"pools": [NPU | {"resources": {"limits": {"nvidia.com/gpu": "2"}}}]}, "the device is added"),
        ({"pools": [CPU | {"env": [{"name": "WHISPER_DEVICE", "value": "gpu"}]}]}, "other fields decide them"),
        ({"pools": [CPU | {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}]}, "Duplicate value"),
        ({"pools": [NVIDIA | {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}]}, "at most maxReplicas"),
        ({"pools": [NVIDIA | {"autoscaling": {"minReplicas": 0, "maxReplicas": 2}}]}, "greater than or equal to 1"),
        ({"pools": [NVIDIA | {"autoscaling": {"maxReplicas": 2, "cpu": 80}}]}, "little about a pool on another device"),
        ({"pools": [CPU | {"autoscaling": {"maxReplicas": 2, "cpu": 80, "prometheus": "http://p"}}]}, "itself"),
        ({"pools": [NPU, NVIDIA | {"replicas": 2, "autoscaling": {"maxReplicas": 2}}]}, "either replicas or"),
        ({"jobs": {"retention": "0s"}}, "retention is from 1m to 720h"),
        ({"jobs": {"maxAudioDuration": "25h"}}, "maxAudioDuration is from 1s to 24h"),
        ({"jobs": {"storeSize": "1Gi"}, "redis": {"managed": {"memory": "1Gi"}}}, "at most half of redis.managed"),
        ({"jobs": {"webhooks": {"plainHttp": True}}}, "without webhooks.destinations nobody is called"),
        ({"jobs": {"webhooks": {"destinations": ["https://a.example"]}}}, "destinations"),
        ({"jobs": {"atOnce": 0}}, "greater than or equal to 1"),
        ({"replicas": 2, "pools": [NVIDIA | {"autoscaling": {"maxReplicas": 2}}]}, "remove spec.replicas"),
        ({"pools": [CPU | {"affinity": {"nodeAffinity": {"required": {}}}}]}, "unknown field"),
        ({"pools": [CPU | {"tolerations": [{"effect": "NoSchedule"}]}]}, "without a key"),
        ({"pools": [CPU | {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}]}, "stands every value"),
        ({"pools": [CPU | {"tolerations": [{"key": "a", "tolerationSeconds": 5}]}]}, "only a toleration with effect"),
        ({"route": {"host": "Not A Host"}}, "spec.route.host"),
        ({"route": {"host": "a.example", "kind": "httpRoute"}}, "needs gateway"),
        ({"route": {"host": "a.example", "gateway": {"name": "g"}}}, "only kind: httpRoute has a gateway"),
        (
            {"route": {"host": "a.example", "kind": "httpRoute", "gateway": {"name": "g"}, "tlsSecretName": "t"}},
            "belong to kind: ingress",
        ),
        ({"network": {"clients": [{}]}}, "a peer needs namespaceLabels"),
        ({"network": {"egress": [{"cidr": "10.0.0.1.5/8"}]}}, "write a network"),
        ({"api": {"trustedProxies": ["10.0.0.1.5/8"]}}, "write a network"),
        ({"api": {"corsOrigins": ["*"]}}, "spec.api.corsOrigins[0]"),
        ({"api": {"rateLimits": {"reads": "often"}}}, "spec.api.rateLimits.reads"),
        ({"api": {"quotas": {"concurrentRequests": 0}}}, "spec.api.quotas.concurrentRequests"),
        ({"network": {"egress": [{"cidr": "anywhere"}]}}, "spec.network.egress[0].cidr"),
        ({"replicas": 0}, "greater than or equal to 1"),
        ({"fallback": {"after": "soon"}}, "spec.fallback.after"),
        ({"credentials": {"generate": False}}, "credentials.secretName"),
        ({"audit": {"http": {"url": "http://siem", "tokenSecret": {"name": "siem"}}}}, "only https keeps the token"),
        ({"audit": {"syslog": {"address": "syslog://siem"}}}, "spec.audit.syslog.address"),
        ({"logLevel": "chatty"}, "spec.logLevel"),
        ({"redis": {}}, "either redis.secretName or redis.managed"),
        ({"redis": {"secretName": "a", "managed": {}}}, "either redis.secretName or redis.managed"),
        ({"redis": {"managed": {"memory": "much"}}}, "spec.redis.managed.memory"),
        ({"sessions": {"idleTimeout": "9h"}}, "would never end for being idle"),
        ({"sessions": {"streamTokenLifetime": "20m"}}, "streamTokenLifetime is from 1s to 10m"),
        ({"sessions": {"absoluteTimeout": "25h"}}, "raise it"),
        ({"streams": {"partialInterval": "50ms"}}, "partialInterval is from 200ms to 10s"),
        ({"streams": {"endpointSilence": "6s"}}, "endpointSilence is from 200ms to 5s"),
        ({"streams": {"resumeWindow": "2h"}}, "resumeWindow is from 1s to 1h"),
        ({"streams": {"idleTimeout": "5h"}}, "a stream would never end for being idle"),
        ({"streams": {"idleTimeout": "25h", "longest": "48h"}}, "idleTimeout is from 1s to 24h"),
        ({"streams": {"longest": "200h"}}, "longest is from 1s to 168h"),
        ({"streams": {"maxPerPod": 0}}, "greater than or equal to 1"),
        ({"api": {"maxUploadSize": "-1Mi"}}, "spec.api.maxUploadSize"),
        ({"unknown": True}, "unknown field"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(
    custom: client.CustomObjectsApi, namespace: str, spec: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(client.ApiException) as refused:
        create(custom, namespace, manifest(**spec), dry_run="All")
    assert refused.value.status in {400, 422}
    assert sentence in str(refused.value.body)


@pytest.mark.parametrize("name", ["a" * 53, "1st", "with.dot"])
def test_a_name_that_children_cannot_carry_is_refused(
    custom: client.CustomObjectsApi, namespace: str, name: str
) -> None:
    with pytest.raises(client.ApiException, match="the name"):
        create(custom, namespace, manifest(name), dry_run="All")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ({"size": "10Gi"}, {"size": "9Gi"}, "size can only grow"),
        ({"size": "1Gi"}, {"size": "1Gi", "storageClassName": "fast"}, "storageClassName cannot change"),
        ({"size": "1Gi"}, {"size": "1Gi", "accessMode": "ReadWriteOnce"}, "accessMode cannot change"),
    ],
)
def test_a_change_of_the_cache_that_cannot_work_is_refused(
    custom: client.CustomObjectsApi, namespace: str, before: dict[str, str], after: dict[str, str], sentence: str
) -> None:
    create(custom, namespace, manifest(model=HUB | {"cache": before}))
    changed = {"spec": {"model": {"cache": after}}}
    with pytest.raises(client.ApiException, match=sentence):
        custom.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "live", changed)


@pytest.mark.parametrize("after", [{"size": "2Gi"}, {"storageClassName": "slow"}, {"storageClassName": None}])
def test_a_change_of_redis_that_its_claim_cannot_follow_is_refused(
    custom: client.CustomObjectsApi, namespace: str, after: dict[str, str | None]
) -> None:
    create(custom, namespace, manifest(redis={"managed": {"storageClassName": "fast"}}))
    changed: Any = {"spec": {"redis": {"managed": after}}}
    with pytest.raises(client.ApiException, match="a claim keeps its size and class"):
        custom.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "live", changed)
    changed = {"spec": {"redis": {"managed": {"memory": "1Gi"}}}}
    custom.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "live", changed)
    custom.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "live", {"spec": {"redis": None}})


def test_every_rule_has_a_case_that_breaks_it() -> None:
    tests = (
        test_what_cannot_be_meant_is_refused_with_a_sentence,
        test_a_change_of_the_cache_that_cannot_work_is_refused,
    )
    cases = [case for test in tests for mark in vars(test)["pytestmark"] for case in mark.args[1]]
    # Named in the tests of names and of Redis.
    sentences = {case[-1] for case in cases} | {"the name", "a claim keeps its size and class"}

    def messages(part: Any) -> Iterator[str]:  # noqa: ANN401 - any part of a schema
        if isinstance(part, dict):
            yield from (rule["message"] for rule in part.get("x-kubernetes-validations", ()))
            yield from (message for inner in part.values() for message in messages(inner))

    schema = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert [each for each in messages(schema) if not any(sentence in each for sentence in sentences)] == []
