"""Prometheus's own program on every alert: it fires when it should, is silent when it should, and has its runbook."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.alert_cases import OF_RESOURCES, OF_THE_OPERATOR, Case
from tests.support.prometheus import (
    CHART,
    check_case,
    check_queries,
    check_rules,
    check_silence,
    render_chart,
    rules_of,
)
from tests.support.resources import children_of, resource
from whisper_contract.surface import Metric
from whisper_inference.observability.metrics import Metrics
from whisper_operator.children.alerts import ALERTS
from whisper_operator.children.dashboard import pods_of
from whisper_operator.children.names import Manifest
from whisper_operator.children.service import headless_name

PODS: Final = pods_of("default", headless_name("live"))
METRICS: Final = {value for name, value in vars(Metric).items() if not name.startswith("_")}
_PARAGRAPH: Final = r"(?!#)(?:\S.*\n)+"
SECTION: Final = re.compile(
    rf"^### (Whisper\w+)\n\n(\w+), after (\d+) minutes?\n\n{_PARAGRAPH}\n{_PARAGRAPH}", re.MULTILINE
)
"""What it is, how urgent, what it means and what to do."""


def children(**monitoring: bool) -> list[Manifest]:
    """What the operator makes for Prometheus and Grafana."""
    return children_of(resource(monitoring=monitoring))


@pytest.fixture(scope="module")
def own() -> list[dict[str, Any]]:
    """The rules of a resource."""
    return rules_of(children(alerts=True))


@pytest.fixture(scope="module")
def charts() -> list[dict[str, Any]]:
    """The rules of the chart."""
    return rules_of(render_chart("metrics.rules=true"))


def cases(of: Mapping[str, tuple[Case, ...]]) -> list[Any]:
    """Each case by the name of its alert."""
    numbered = ((name, number, case) for name, some in of.items() for number, case in enumerate(some))
    return [pytest.param(name, case, id=f"{name}-{number}") for name, number, case in numbered]


def play(rules: Sequence[Mapping[str, Any]], name: str, case: Case, folder: Path) -> None:
    """Play a case."""
    (alert,) = (rule for rule in rules if rule.get("alert") == name)
    verdict = check_case(alert, [rule for rule in rules if "record" in rule], case, PODS, folder)
    assert verdict.good, verdict.said


@pytest.mark.parametrize(("name", "case"), cases(OF_RESOURCES))
def test_an_alert_fires_and_clears(own: list[dict[str, Any]], name: str, case: Case, tmp_path: Path) -> None:
    play(own, name, case, tmp_path)


@pytest.mark.parametrize(("name", "case"), cases(OF_THE_OPERATOR))
def test_an_alert_of_the_chart_fires_and_clears(
    charts: list[dict[str, Any]], name: str, case: Case, tmp_path: Path
) -> None:
    play(charts, name, case, tmp_path)


def test_every_alert_has_its_cases(own: list[dict[str, Any]]) -> None:
    assert {rule["alert"] for rule in own if "alert" in rule} == {alert.name for alert in ALERTS} == OF_RESOURCES.keys()
    chart = (CHART / "templates/prometheusrule.yaml").read_text()
    assert set(re.findall(r"alert: (\w+)", chart)) == OF_THE_OPERATOR.keys()


def test_every_alert_has_its_section_in_the_runbook(own: list[dict[str, Any]]) -> None:
    sections = {name: (severity, f"{minutes}m") for name, severity, minutes in SECTION.findall(runbook())}
    assert sections.keys() == OF_RESOURCES.keys() | OF_THE_OPERATOR.keys()
    assert set(re.findall(r"^### (Whisper\w+)", runbook(), re.MULTILINE)) == sections.keys()
    for rule in own:
        if "alert" in rule:
            assert told_of(rule) == sections[rule["alert"]]


def test_every_alert_of_the_chart_has_its_section_in_the_runbook(charts: list[dict[str, Any]]) -> None:
    sections = {name: (severity, f"{minutes}m") for name, severity, minutes in SECTION.findall(runbook())}
    assert {rule["alert"]: told_of(rule) for rule in charts}.items() <= sections.items()


def runbook() -> str:
    """What people read when an alert comes."""
    return Path("docs/operations.md").read_text()


def told_of(rule: Mapping[str, Any]) -> tuple[str, str]:
    """How urgent an alert is, and how long it waits; where it leads is its own section."""
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
    return rule["labels"]["severity"], rule["for"]


def test_prometheus_takes_the_rules(own: list[dict[str, Any]], charts: list[dict[str, Any]], tmp_path: Path) -> None:
    for rules in (own, charts):
        verdict = check_rules(rules, tmp_path)
        assert verdict.good, verdict.said
        assert f"{len(rules)} rules found" in verdict.said


def test_a_server_that_nobody_asks_alarms_nobody(own: list[dict[str, Any]], tmp_path: Path) -> None:
    published = generate_latest(Metrics(CollectorRegistry()).registry).decode()
    series = {f"up{{{PODS}}}": "1+0x200"}
    for family in text_string_to_metric_families(published):
        for sample in family.samples:
            own_labels = "".join(f',{label}="{value}"' for label, value in sample.labels.items())
            number = "Inf" if sample.value == float("inf") else f"{sample.value:g}"
            series[f"{sample.name}{{{PODS}{own_labels}}}"] = " ".join([number] * 200)
    assert len(series) > 50
    verdict = check_silence(own, series, 190, tmp_path)
    assert verdict.good, verdict.said


def queries_of(dashboard: Mapping[str, Any]) -> list[str]:
    """What its panels ask."""
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_prometheus_understands_every_panel_of_the_dashboards(tmp_path: Path) -> None:
    (config,) = (each for each in children(dashboard=True) if each["kind"] == "ConfigMap")
    resources = queries_of(json.loads(config["data"]["dashboard.json"]))
    chart = queries_of(json.loads((CHART / "dashboards/operator.json").read_text()))
    for queries in (resources, chart):
        verdict = check_queries(queries, tmp_path)
        assert verdict.good, verdict.said


def test_a_rule_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert not check_queries(["sum(rate(whisper_requests_total[5m])"], tmp_path).good
