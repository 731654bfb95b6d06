"""`spec.monitoring`: objects through which others watch the pods."""

from pydantic import Field

from whisper_operator.api.base import ApiModel, LabelMap


class Monitoring(ApiModel):
    """What is made for Prometheus and Grafana. The operator's own is the chart's."""

    service_monitor: bool = Field(
        default=False, description="A ServiceMonitor for the pods' metrics; needs the Prometheus operator."
    )
    alerts: bool = Field(
        default=False, description="A PrometheusRule, each alert with its runbook; needs the Prometheus operator."
    )
    dashboard: bool = Field(default=False, description="A ConfigMap with a dashboard, for Grafana's sidecar.")
    labels: LabelMap = Field(
        {}, description="Labels by which your Prometheus finds ServiceMonitors and rules, for example release: kps."
    )
