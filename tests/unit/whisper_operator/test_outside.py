"""What the world outside a resource sees of it: the way in, metrics, alerts, a dashboard."""

import json
import re
from typing import Any

from tests.support.resources import children_of, resource
from whisper_contract.surface import Metric
from whisper_operator.children.names import Manifest

METRICS = {value for name, value in vars(Metric).items() if not name.startswith("_")}


def child(kind: str, **spec: Any) -> Manifest:  # noqa: ANN401 - fields of a spec
    """The only child of a kind."""
    (found,) = (each for each in children_of(resource(**spec)) if each["kind"] == kind)
    return found


def test_an_ingress_leads_to_all_pools_and_takes_what_the_server_takes() -> None:
    route = {"host": "speech.example.org", "tlsSecretName": "tls", "ingressClassName": "nginx"}
    ingress = child("Ingress", route=route)
    spec = ingress["spec"]
    assert spec["tls"] == [{"hosts": ["speech.example.org"], "secretName": "tls"}]
    assert spec["ingressClassName"] == "nginx"
    assert spec["rules"][0]["http"]["paths"][0]["backend"]["service"] == {"name": "live", "port": {"number": 80}}
    assert largest_body(api={"maxUploadSize": "1Gi"}) == 2**30 + 2**20
    assert largest_body(jobs={"maxUploadSize": "2Gi"}) == 2**31 + 2**20


def largest_body(**spec: Any) -> int:  # noqa: ANN401 - of the resource
    """What a proxy is told to let through, the form around the largest upload included."""
    ingress = child("Ingress", route={"host": "a.example"}, **spec)
    return int(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"])


def test_annotations_of_a_person_come_first() -> None:
    own = {"nginx.ingress.kubernetes.io/proxy-body-size": "1m", "cert-manager.io/issuer": "mine"}
    annotations = child("Ingress", route={"host": "a.example", "annotations": own})["metadata"]["annotations"]
    assert own.items() <= annotations.items()


def test_an_http_route_is_attached_to_its_gateway() -> None:
    route = {"host": "a.example", "kind": "httpRoute", "gateway": {"name": "public", "sectionName": "https"}}
    spec = child("HTTPRoute", route=route)["spec"]
    assert spec["parentRefs"] == [{"name": "public", "sectionName": "https"}]
    assert spec["rules"][0]["backendRefs"] == [{"name": "live", "port": 80}]


def test_each_pod_is_read_once_through_the_headless_service() -> None:
    wish = {"serviceMonitor": True, "labels": {"release": "kps", "app.kubernetes.io/instance": "x"}}
    monitor = child("ServiceMonitor", monitoring=wish)
    assert monitor["metadata"]["labels"]["release"] == "kps"
    assert monitor["metadata"]["labels"]["app.kubernetes.io/instance"] == "live"
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    services = [each for each in children_of(resource(monitoring=wish)) if each["kind"] == "Service"]
    (chosen,) = (each for each in services if wanted <= each["metadata"]["labels"].items())
    assert "management" in {port["name"] for port in chosen["spec"]["ports"]}


def test_rules_ask_only_for_what_there_is() -> None:
    (group,) = child("PrometheusRule", monitoring={"alerts": True})["spec"]["groups"]
    recorded = {rule["record"] for rule in group["rules"] if "record" in rule}
    for rule in group["rules"]:
        asked = re.findall(r"[\w:]+(?=\{)", rule["expr"])
        names = {name.removesuffix("_bucket").removesuffix("_count") for name in asked}
        assert names <= METRICS | recorded | {"up"}
        assert "$" not in rule["expr"]
        assert rule["expr"].count("{") == rule["expr"].count('namespace="default"')


def test_the_dashboard_asks_only_for_metrics_that_there_are() -> None:
    config = child("ConfigMap", monitoring={"dashboard": True})
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    dashboard = json.loads(config["data"]["dashboard.json"])
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name.removesuffix("_bucket") for query in queries for name in re.findall(r"whisper_\w+(?=\{)", query)}
    assert asked <= METRICS
    assert len(asked) >= 8
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
