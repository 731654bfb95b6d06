"""What Prometheus and Grafana are given of one resource: a ServiceMonitor, alerts, a dashboard.

https://prometheus-operator.dev/docs/api-reference/api/
"""

import json
from string import Template
from typing import Any, Final, NamedTuple

from whisper_contract.surface import METRICS_PATH, Metric
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.dashboard import build_dashboard, pods_of
from whisper_operator.children.names import POOL_LABEL, Manifest, child_name, metadata, owner_labels
from whisper_operator.children.service import HEADLESS_LABEL, headless_name

_API: Final = "monitoring.coreos.com/v1"
_RUNBOOK: Final = "docs/operations.md#alerts"


class Alert(NamedTuple):
    """A rule; `$pods` in its expression stands for the labels of the resource's metrics."""

    name: str
    expression: str
    minutes: int
    severity: str
    summary: str


ALERTS: Final = (
    Alert("WhisperDown", "absent(up{$pods} == 1)", 5, "critical", "No pod of the resource answers."),
    Alert(
        "WhisperOverloaded",
        f"sum(rate({Metric.OVERLOADS}{{$pods}}[5m])) > 0",
        10,
        "warning",
        "Requests are refused because the queue is full.",
    ),
    Alert(
        "WhisperQueueOld",
        f"max({Metric.QUEUE_AGE}{{$pods}}) > 30",
        10,
        "warning",
        "Audio waits for more than 30 seconds.",
    ),
    Alert(
        "WhisperErrors",
        f'sum(rate({Metric.REQUESTS}{{$pods,status=~"5..",status!="503"}}[5m]))'
        f" > 0.01 * sum(rate({Metric.REQUESTS}{{$pods}}[5m]))",
        10,
        "critical",
        "More than 1 % of the requests fail in the server.",
    ),
    Alert(
        "WhisperSlow",
        f"histogram_quantile(0.9, sum by (le) (rate({Metric.REAL_TIME_FACTOR}_bucket{{$pods}}[10m]))) > 1",
        15,
        "warning",
        "One transcript in ten takes longer than its audio.",
    ),
)


def build_monitoring(owner: WhisperDeployment) -> tuple[Manifest, ...]:
    """Build what is asked for."""
    wish = owner.spec.monitoring
    built = (
        (wish.service_monitor, _service_monitor),
        (wish.alerts, _rules),
        (wish.dashboard, _dashboard),
    )
    return tuple(build(owner) for wanted, build in built if wanted)


def _service_monitor(owner: WhisperDeployment) -> Manifest:
    name = owner.metadata.name
    spec = {
        "selector": {"matchLabels": owner_labels(name) | HEADLESS_LABEL},
        "endpoints": [{"port": "management", "path": METRICS_PATH, "interval": "15s"}],
        "podTargetLabels": [POOL_LABEL],
    }
    return {"apiVersion": _API, "kind": "ServiceMonitor", "metadata": _found(owner, "metrics"), "spec": spec}


def _rules(owner: WhisperDeployment) -> Manifest:
    pods = pods_of(owner.metadata.namespace, headless_name(owner.metadata.name))
    rules = [_rule(owner, alert, pods) for alert in ALERTS]
    spec = {"groups": [{"name": f"whisper-{owner.metadata.name}", "rules": rules}]}
    return {"apiVersion": _API, "kind": "PrometheusRule", "metadata": _found(owner, "alerts"), "spec": spec}


def _rule(owner: WhisperDeployment, alert: Alert, pods: str) -> dict[str, Any]:
    where = {"namespace": owner.metadata.namespace, "whisperdeployment": owner.metadata.name}
    return {
        "alert": alert.name,
        "expr": Template(alert.expression).substitute(pods=pods),
        "for": f"{alert.minutes}m",
        "labels": {"severity": alert.severity, **where},
        "annotations": {"summary": alert.summary, "runbook": _RUNBOOK},
    }


def _dashboard(owner: WhisperDeployment) -> Manifest:
    namespace, name = owner.metadata.namespace, owner.metadata.name
    dashboard = build_dashboard(f"{namespace}/{name}", pods_of(namespace, headless_name(name)))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, child_name(owner.metadata.name, "dashboard"), {"grafana_dashboard": "1"}),
        "data": {"dashboard.json": json.dumps(dashboard, indent=1)},
    }


def _found(owner: WhisperDeployment, part: str) -> dict[str, Any]:
    return metadata(owner, child_name(owner.metadata.name, part), dict(owner.spec.monitoring.labels))
