"""The composition root: settings, the client, the reconciler, kopf and the resync, put together and run."""

import asyncio
import logging
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import kopf
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from prometheus_client import CollectorRegistry, start_http_server

from whisper_operator.handlers import make_registry
from whisper_operator.hearing import Hearing
from whisper_operator.kubernetes_cluster import KubernetesCluster
from whisper_operator.metrics import OperatorMetrics
from whisper_operator.pod_client import HttpPodClient
from whisper_operator.reconcile import OwnerKey, Reconciler
from whisper_operator.resync import resync
from whisper_operator.secret_watch import watch_secrets
from whisper_operator.serial import SerialRunner
from whisper_operator.settings import OperatorSettings
from whisper_operator.watched import WatchedIndex

_KEY_BYTES: Final = 32
_PAUSE: Final = timedelta(milliseconds=500)
"""Long enough for the events of a pass's own writes to merge, too short for a person to notice."""


def run(settings: OperatorSettings) -> None:
    """Run the operator until SIGTERM or SIGINT."""
    _configure_logging(settings)
    asyncio.run(_run(settings, asyncio.Event()))


def _configure_logging(settings: OperatorSettings) -> None:
    kopf.configure(log_format=kopf.LogFormat.JSON if settings.log_format == "json" else kopf.LogFormat.FULL)
    logging.getLogger().setLevel(settings.log_level.upper())
    # kopf says of every event that it was handled.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)


async def _run(settings: OperatorSettings, stop: asyncio.Event) -> None:
    metrics_registry = CollectorRegistry()
    metrics = OperatorMetrics(metrics_registry)
    cluster = KubernetesCluster(load_client(), now, calls_at_once=settings.passes_at_once)
    watched = WatchedIndex()
    pods = HttpPodClient()
    reconciler = Reconciler(
        cluster=cluster,
        watched=watched,
        pods=pods,
        defaults=settings.defaults,
        clock=now,
        make_key=lambda: secrets.token_urlsafe(_KEY_BYTES),
        report=metrics.report,
    )
    runner: SerialRunner[OwnerKey] = SerialRunner(
        metrics.timed(reconciler.reconcile), at_once=settings.passes_at_once, pause=_PAUSE
    )
    metrics.watch_queue(lambda: runner.busy)
    server, _ = start_http_server(settings.metrics_port, registry=metrics_registry)

    hearing = Hearing(now)

    def look_again(key: OwnerKey) -> None:
        watched.doubt(key)
        runner.trigger(key)

    background = asyncio.gather(
        resync(cluster, settings.namespaces, look_again, hearing, settings.resync_seconds),
        watch_secrets(cluster, settings.namespaces, runner.trigger),
    )
    # Neither ends by itself: if one does, the operator must not go on without it.
    background.add_done_callback(lambda _: stop.set())
    try:
        await kopf.operator(
            registry=make_registry(runner.trigger, watched.attach, hearing.hear),
            settings=kopf_settings(),
            namespaces=settings.namespaces,
            clusterwide=not settings.namespaces,
            liveness_endpoint=f"http://0.0.0.0:{settings.health_port}/healthz",
            stop_flag=stop,
        )
    finally:
        background.cancel()
        await runner.close()
        cluster.close()
        pods.close()
        server.shutdown()
        with suppress(asyncio.CancelledError):
            await background


def load_client() -> ApiClient:
    """Return a client: of the cluster that this runs in, or else of the kubeconfig."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        config.load_kube_config(client_configuration=configuration)
    return ApiClient(configuration)


def kopf_settings() -> kopf.OperatorSettings:
    """Return settings under which kopf needs no rights beyond the watches, and notices a watch that died."""
    settings = kopf.OperatorSettings()
    # Without these a watch may stop for ever after a reset connection.
    # Whole numbers: the API server reads no others.
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 360
    settings.watching.connect_timeout = 10
    settings.scanning.disabled = True  # else it lists CRDs and namespaces of the whole cluster
    settings.posting.enabled = False  # events are written by the reconcile
    settings.peering.standalone = True
    return settings


def now() -> datetime:
    """Return the time to the second: Kubernetes keeps no more."""
    return datetime.now(UTC).replace(microsecond=0)
