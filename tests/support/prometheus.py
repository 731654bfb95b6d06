"""Prometheus's own programs, held against our rules and queries."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final, NamedTuple

import pytest
import yaml

from tests.support.alert_cases import Case, Series
from tests.support.kubernetes_programs import HELM, NoControlPlane, find_programs
from whisper_operator.children.names import Manifest

CHART: Final = Path("helm/whisper-operator")
_BEYOND: Final = 10
"""Minutes that series without trouble are looked at for longer than twice the alert's own."""


class Verdict(NamedTuple):
    """What a program said."""

    good: bool
    said: str


def find_prometheus(program: str) -> str:
    """Return `prometheus` or `promtool`, or skip the test."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"no {program}: install the package prometheus")
    return path


def check_rules(rules: Sequence[Mapping[str, Any]], folder: Path) -> Verdict:
    """Let promtool read rules."""
    return _promtool("check", "rules", str(_write_rules(rules, folder)))


def check_queries(queries: Sequence[str], folder: Path) -> Verdict:
    """Let promtool read expressions."""
    return check_rules([{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)], folder)


def check_case(
    alert: Mapping[str, Any], records: Sequence[Mapping[str, Any]], case: Case, pods: str, folder: Path
) -> Verdict:
    """Let promtool play what an alert does while a trouble comes and goes, and without it."""
    _write_rules([*records, alert], folder)
    tests = [_sick(alert, case, pods), *(_well(alert, case, series, pods) for series in case.well)]
    return _play(tests, folder)


def check_silence(rules: Sequence[Mapping[str, Any]], series: Series, minutes: int, folder: Path) -> Verdict:
    """Let promtool say that nothing of this fires in so many minutes of these series."""
    _write_rules(rules, folder)
    names = [rule["alert"] for rule in rules if "alert" in rule]
    quiet = [{"eval_time": f"{minutes}m", "alertname": name, "exp_alerts": []} for name in names]
    return _play([_test("idle", series, "", quiet)], folder)


def render_chart(*values: str) -> list[Manifest]:
    """Return what helm makes of the chart, as release and in namespace `whisper-operator`; or skip the test."""
    try:
        helm = find_programs(HELM)["helm"]
    except NoControlPlane as problem:
        pytest.skip(f"no helm: {problem}")
    sets = [f"--set={value}" for value in values]
    command = [str(helm), "template", "whisper-operator", str(CHART), "--namespace", "whisper-operator", *sets]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def rules_of(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    """Return the rules of the only PrometheusRule."""
    (found,) = (each for each in manifests if each["kind"] == "PrometheusRule")
    (group,) = found["spec"]["groups"]
    return list(group["rules"])


def _sick(alert: Mapping[str, Any], case: Case, pods: str) -> dict[str, Any]:
    minutes = int(alert["for"].removesuffix("m"))
    fires = case.begins + minutes
    told = {"exp_labels": alert["labels"] | case.labels, "exp_annotations": _annotations(alert, case)}
    moments: tuple[tuple[int, list[Any]], ...] = ((fires - 1, []), (fires, [told]), (case.ends, []))
    return _test("sick", case.sick, pods, [_moment(alert, minute, expected) for minute, expected in moments])


def _well(alert: Mapping[str, Any], case: Case, series: Series, pods: str) -> dict[str, Any]:
    minutes = range(case.begins + 2 * int(alert["for"].removesuffix("m")) + _BEYOND)
    return _test("well", series, pods, [_moment(alert, minute, []) for minute in minutes])


def _annotations(alert: Mapping[str, Any], case: Case) -> dict[str, str]:
    annotations: dict[str, str] = dict(alert["annotations"])
    return annotations if case.summary is None else annotations | {"summary": case.summary}


def _moment(alert: Mapping[str, Any], minute: int, expected: list[Any]) -> dict[str, Any]:
    return {"eval_time": f"{minute}m", "alertname": alert["alert"], "exp_alerts": expected}


def _test(name: str, series: Series, pods: str, moments: list[dict[str, Any]]) -> dict[str, Any]:
    given = [{"series": Template(key).substitute(pods=pods), "values": values} for key, values in series.items()]
    return {"name": name, "interval": "1m", "input_series": given, "alert_rule_test": moments}


def _write_rules(rules: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "whisper", "rules": list(rules)}]}))
    return file


def _play(tests: Sequence[Mapping[str, Any]], folder: Path) -> Verdict:
    file = folder / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": list(tests)}))
    return _promtool("test", "rules", str(file))


def _promtool(*arguments: str) -> Verdict:
    done = subprocess.run([find_prometheus("promtool"), *arguments], capture_output=True, text=True, check=False)
    return Verdict(done.returncode == 0, done.stdout + done.stderr)
