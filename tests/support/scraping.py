"""A real Prometheus that watches a cluster as our ServiceMonitors and PrometheusRules say.

What the Prometheus operator would make of them is made here: only how long an alert waits is shortened. Debian's
Prometheus is built without a client for Kubernetes, so it is told in a file what its own discovery would find.
https://prometheus-operator.dev/docs/developer/getting-started/
"""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.patience import eventually
from tests.support.prometheus import find_prometheus
from tests.support.site import Site
from whisper_operator.children.names import Manifest

ADDRESS: Final = "127.0.0.1:9090"
"""Of the cluster's own network."""
_WAIT: Final = "5s"
"""Instead of the minutes that an alert waits."""
_FOUND: Final = "found.json"
_SERVICE: Final = "kubernetes.io/service-name"
_META: Final = "__meta_kubernetes"


class Prometheus:
    """Answers queries."""

    def __init__(self, site: Site, found: Path) -> None:
        self._site = site
        self._found = found

    def discover(self) -> None:
        """Tell it what there is to scrape now."""
        objects = self._site.read("endpointslices,services,pods -A")["items"]
        partial = self._found.with_suffix(".partial")
        partial.write_text(json.dumps(list(_endpoints(objects))))
        partial.rename(self._found)

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - what its API answers
        """Return the `data` of an answer.

        Raises:
            RuntimeError: It does not answer, or not with success.
        """
        given = " ".join(f"--data-urlencode {shlex.quote(f'{key}={value}')}" for key, value in parameters.items())
        said = self._site.shell(f"curl -sS --fail-with-body --get http://{ADDRESS}/api/v1/{path} {given}")
        return json.loads(said)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression now."""
        return list(self.ask("query", query=expression)["result"])

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire, of what there is now."""
        self.discover()
        return {each["labels"]["alertname"] for each in self.ask("alerts")["alerts"] if each["state"] == "firing"}

    def unreadable_rules(self) -> list[dict[str, Any]]:
        """Return the rules that it could not evaluate."""
        rules = (rule for group in self.ask("rules")["groups"] for rule in group["rules"])
        return [rule for rule in rules if rule["health"] == "err"]

    def targets(self) -> dict[str, list[str]]:
        """Return the health of what is scraped, by the Service through which it was found."""
        self.discover()
        found: dict[str, list[str]] = {}
        for each in self.ask("targets", state="active")["activeTargets"]:
            found.setdefault(each["labels"]["service"], []).append(each["health"])
        return found


@contextmanager
def prometheus(
    site: Site, monitors: Sequence[Manifest], rules: Sequence[Manifest], folder: Path
) -> Iterator[Prometheus]:
    """Run one where the cluster's pods are reached."""
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [_hastened(rule) for rule in rules]}))
    scraped = [
        _scrape(monitor, endpoint, number)
        for monitor in monitors
        for number, endpoint in enumerate(monitor["spec"]["endpoints"])
    ]
    config = {"global": {"evaluation_interval": "5s"}, "rule_files": ["rules.yaml"], "scrape_configs": scraped}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    options = {
        "config.file": folder / "prometheus.yaml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": ADDRESS,
    }
    command = [find_prometheus("prometheus"), *(f"--{name}={value}" for name, value in options.items())]
    with site.beside(folder / "prometheus.log", *command):
        watching = Prometheus(site, folder / _FOUND)
        watching.discover()
        eventually(lambda: watching.ask("status/buildinfo"))
        yield watching


def _hastened(rule: Manifest) -> dict[str, Any]:
    (group,) = rule["spec"]["groups"]
    return dict(yaml.safe_load(re.sub(r"\bfor: \d+m\b", f"for: {_WAIT}", yaml.safe_dump(group))))


def _endpoints(objects: Sequence[Manifest]) -> Iterator[dict[str, Any]]:
    """Yield each port of each Service's endpoints, with the labels that Prometheus's own discovery gives them.

    https://prometheus.io/docs/prometheus/latest/configuration/configuration/#endpointslice
    """
    known = {(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]): each for each in objects}
    for part in (each for each in objects if each["kind"] == "EndpointSlice"):
        namespace = part["metadata"]["namespace"]
        service = known.get(("Service", namespace, part["metadata"].get("labels", {}).get(_SERVICE, "")))
        for endpoint in part["endpoints"] or () if service is not None else ():
            pod = known.get(("Pod", namespace, endpoint.get("targetRef", {}).get("name", "")))
            for port in part["ports"] or ():
                labels = {
                    f"{_META}_namespace": namespace,
                    f"{_META}_endpointslice_port_name": port.get("name", ""),
                    **_described("service", service),
                    **_described("pod", pod),
                }
                yield {"targets": [f"{endpoint['addresses'][0]}:{port['port']}"], "labels": labels}


def _described(kind: str, found: Manifest | None) -> dict[str, str]:
    if found is None:
        return {}
    labels = found["metadata"].get("labels", {}).items()
    told = {f"{_META}_{kind}_label_{_label(key)}": value for key, value in labels}
    told[f"{_META}_{kind}_name"] = found["metadata"]["name"]
    if kind == "pod":
        told[f"{_META}_pod_phase"] = found["status"]["phase"]
        told[f"{_META}_pod_container_name"] = found["spec"]["containers"][0]["name"]
    return told


def _scrape(monitor: Manifest, endpoint: dict[str, Any], number: int) -> dict[str, Any]:
    namespace, name = monitor["metadata"]["namespace"], monitor["metadata"]["name"]
    return {
        "job_name": f"serviceMonitor/{namespace}/{name}/{number}",
        "honor_labels": endpoint.get("honorLabels", False),
        "file_sd_configs": [{"files": [_FOUND]}],
        "scrape_interval": endpoint["interval"],
        "metrics_path": endpoint["path"],
        "relabel_configs": [
            _keep("namespace", namespace),
            *(
                _keep(f"service_label_{_label(key)}", value)
                for key, value in monitor["spec"]["selector"]["matchLabels"].items()
            ),
            _keep("endpointslice_port_name", endpoint["port"]),
            {"source_labels": [f"{_META}_pod_phase"], "regex": "(Failed|Succeeded)", "action": "drop"},
            _copy("namespace", "namespace"),
            _copy("service_name", "service"),
            _copy("service_name", "job"),
            _copy("pod_name", "pod"),
            _copy("pod_container_name", "container"),
            {"target_label": "endpoint", "replacement": endpoint["port"]},
            *(_copy(f"pod_label_{_label(key)}", _label(key)) for key in monitor["spec"].get("podTargetLabels", ())),
        ],
    }


def _keep(what: str, value: str) -> dict[str, Any]:
    return {"source_labels": [f"{_META}_{what}"], "regex": re.escape(value), "action": "keep"}


def _copy(what: str, label: str) -> dict[str, Any]:
    return {"source_labels": [f"{_META}_{what}"], "target_label": label}


def _label(name: str) -> str:
    return re.sub(r"\W", "_", name)
