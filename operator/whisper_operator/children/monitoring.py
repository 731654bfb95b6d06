"""What Prometheus and Grafana are given of one resource: a ServiceMonitor, alerts, a dashboard.

https://prometheus-operator.dev/docs/api-reference/api/
"""

import json
from string import Template
from typing import Any, Final

from whisper_contract.surface import METRICS_PATH
from whisper_operator.api.resource import WhisperDeployment
from whisper_operator.children.alerts import ALERTS, RECORDS, RUNBOOK, Alert, Record
from whisper_operator.children.dashboard import build_dashboard, pods_of
from whisper_operator.children.names import POOL_LABEL, Manifest, child_name, metadata, owner_labels
from whisper_operator.children.service import HEADLESS_LABEL, headless_name

_API: Final = "monitoring.coreos.com/v1"


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
    rules = [*(_recording(owner, record) for record in RECORDS), *(_alert(owner, alert) for alert in ALERTS)]
    spec = {"groups": [{"name": f"whisper-{owner.metadata.name}", "rules": rules}]}
    return {"apiVersion": _API, "kind": "PrometheusRule", "metadata": _found(owner, "alerts"), "spec": spec}


def _recording(owner: WhisperDeployment, record: Record) -> dict[str, Any]:
    return {"record": record.name, "expr": _expression(owner, record.expression), "labels": _where(owner)}


def _alert(owner: WhisperDeployment, alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": _expression(owner, alert.expression),
        "for": f"{alert.minutes}m",
        "labels": {"severity": alert.severity, **_where(owner)},
        "annotations": {"summary": alert.summary, "runbook": f"{RUNBOOK}#{alert.name.lower()}"},
    }


def _expression(owner: WhisperDeployment, expression: str) -> str:
    """Fill in which series are the resource's."""
    pods = pods_of(owner.metadata.namespace, headless_name(owner.metadata.name))
    recorded = ",".join(f'{label}="{value}"' for label, value in _where(owner).items())
    return Template(expression).substitute(pods=pods, owner=recorded)


def _where(owner: WhisperDeployment) -> dict[str, str]:
    return {"namespace": owner.metadata.namespace, "whisperdeployment": owner.metadata.name}


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
