"""The dashboard of one resource, as Grafana imports it. Pure.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from string import Template
from typing import Any, Final, NamedTuple

from whisper_contract.surface import Metric

_WIDTH: Final = 12
"""Of the 24 columns of Grafana's grid."""
_HEIGHT: Final = 8
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


class _Panel(NamedTuple):
    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    """Expression and legend; `$pods` stands for the labels of the resource's metrics."""


def _quantile(quantile: float, metric: str, by: str = "le") -> str:
    return f"histogram_quantile({quantile}, sum by ({by}) (rate({metric}_bucket{{$pods}}[5m])))"


_PANELS: Final = (
    _Panel("Requests", "reqps", ((f"sum by (status) (rate({Metric.REQUESTS}{{$pods}}[5m]))", "{{status}}"),)),
    _Panel("Latency, 95 %", "s", ((_quantile(0.95, Metric.REQUEST_DURATION, "le, route"), "{{route}}"),)),
    _Panel(
        "Real-time factor",
        "none",
        ((_quantile(0.5, Metric.REAL_TIME_FACTOR), "half"), (_quantile(0.9, Metric.REAL_TIME_FACTOR), "nine of ten")),
    ),
    _Panel("Audio seconds per second", "none", ((f"sum(rate({Metric.AUDIO}{{$pods}}[5m]))", "audio"),)),
    _Panel("Age of the queue", "s", ((f"{Metric.QUEUE_AGE}{{$pods}}", "{{pod}}"),)),
    _Panel(
        "Slots",
        "none",
        ((f"sum({Metric.SLOTS_IN_USE}{{$pods}})", "in use"), (f"sum({Metric.SLOTS}{{$pods}})", "there are")),
    ),
    _Panel(
        "Streams",
        "none",
        (
            (f"sum({Metric.STREAMS}{{$pods}})", "open"),
            (f"sum({Metric.STREAM_SLOTS}{{$pods}})", "there could be"),
            (f"sum(increase({Metric.STREAM_REFUSALS}{{$pods}}[5m]))", "refused in 5 minutes"),
        ),
    ),
    _Panel(
        "From a stream's sound to its text",
        "s",
        ((_quantile(0.5, Metric.STREAM_LAG), "half"), (_quantile(0.95, Metric.STREAM_LAG), "95 %")),
    ),
    _Panel("Tokens per second", "none", ((f"sum(rate({Metric.TOKENS}{{$pods}}[5m]))", "tokens"),)),
    _Panel(
        "Withheld by the guard", "none", ((f"sum by (reason) (rate({Metric.GUARD_DROPS}{{$pods}}[5m]))", "{{reason}}"),)
    ),
    _Panel("Found the queue full", "reqps", ((f"sum by (pod) (rate({Metric.OVERLOADS}{{$pods}}[5m]))", "{{pod}}"),)),
    _Panel(
        "Handed to another pod",
        "reqps",
        ((f"sum by (outcome) (rate({Metric.HANDOFFS}{{$pods}}[5m]))", "{{outcome}}"),),
    ),
    _Panel(
        "Refused: too many of one sender",
        "reqps",
        ((f"sum by (class) (rate({Metric.RATE_LIMITED}{{$pods}}[5m]))", "{{class}}"),),
    ),
    _Panel(
        "Jobs",
        "none",
        (
            (f"sum({Metric.JOBS_RUNNING}{{$pods}})", "running"),
            (f"sum by (status) (increase({Metric.JOBS}{{$pods}}[1h]))", "{{status}} in an hour"),
        ),
    ),
    _Panel("The first job has waited", "s", ((f"max({Metric.JOB_QUEUE_AGE}{{$pods}})", "waits"),)),
    _Panel(
        "Pods by device",
        "none",
        ((f"count by (device, precision) ({Metric.MODEL}{{$pods}})", "{{device}} {{precision}}"),),
    ),
)


def pods_of(namespace: str, service: str) -> str:
    """Return the labels that a resource's metrics have."""
    return f'namespace="{namespace}",service="{service}"'


def build_dashboard(title: str, pods: str) -> dict[str, Any]:
    """Build it for the metrics with these labels."""
    return {
        "title": f"Whisper {title}",
        "uid": None,
        "tags": ["whisper"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(number, panel, pods) for number, panel in enumerate(_PANELS)],
    }


def _panel(number: int, panel: _Panel, pods: str) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + index), "expr": Template(query).substitute(pods=pods), "legendFormat": legend}
        for index, (query, legend) in enumerate(panel.queries)
    ]
    row, column = divmod(number, 24 // _WIDTH)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }
