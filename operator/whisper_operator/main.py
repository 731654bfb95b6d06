"""The composition root: settings, the client, the reconciler, kopf and the resync, put together and run."""

import asyncio
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
from whisper_operator.logs import configure_logging, named
from whisper_operator.metrics import OperatorMetrics
from whisper_operator.pod_client import HttpPodClient
from whisper_operator.reconcile import OwnerKey, Reconciler
from whisper_operator.resync import resync
from whisper_operator.secret_watch import SecretUsers, watch_secrets
from whisper_operator.serial import SerialRunner
from whisper_operator.settings import OperatorSettings
from whisper_operator.watched import WatchedIndex

_NAME: Final = "whisper-operator"
"""Without one kopf would make it up from the user's, and the user of an image has none."""
_KEY_BYTES: Final = 32
_PAUSE: Final = timedelta(seconds=1)
"""Long enough for the events of a pass's own writes to merge, too short for a person to notice."""


def run(settings: OperatorSettings) -> None:
    """Run the operator until SIGTERM or SIGINT."""
    configure_logging(settings)
    asyncio.run(_run(settings, asyncio.Event()))


async def _run(settings: OperatorSettings, stop: asyncio.Event) -> None:
    metrics_registry = CollectorRegistry()
    metrics = OperatorMetrics(metrics_registry)
    client = load_client()
    cluster = KubernetesCluster(client, now, calls_at_once=settings.passes_at_once)
    watched, pods = WatchedIndex(), HttpPodClient()
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
        named(metrics.timed(reconciler.reconcile)), at_once=settings.passes_at_once, pause=_PAUSE
    )
    metrics.watch_queue(lambda: runner.busy)
    server, _ = start_http_server(settings.metrics_port, registry=metrics_registry)

    hearing, users = Hearing(now), SecretUsers()

    def look_again(key: OwnerKey) -> None:
        watched.doubt(key)
        runner.trigger(key)

    background = asyncio.gather(
        resync(cluster, settings.namespaces, look_again, hearing, settings.resync_seconds),
        watch_secrets(cluster, settings.namespaces, users, runner.trigger),
    )
    # Neither ends by itself: if one does, the operator must not go on without it.
    background.add_done_callback(lambda _: stop.set())
    try:
        await kopf.operator(
            registry=make_registry(runner.trigger, watched.attach, (users.hear, hearing.hear)),
            settings=kopf_settings(by_proxy=client.configuration.proxy is not None),
            namespaces=settings.namespaces,
            clusterwide=not settings.namespaces,
            liveness_endpoint=f"http://0.0.0.0:{settings.health_port}/healthz",
            stop_flag=stop,
            identity=_NAME,  # type: ignore[arg-type] # a NewType of its own
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
    """Return a client: of the cluster that this runs in, or else of the kubeconfig.

    In the cluster no proxy is between it and the API server, whatever the pod's variables say: NO_PROXY often names the
    cluster's networks, and networks are not understood by every client.
    """
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
        configuration.proxy = None
    except config.ConfigException:
        config.load_kube_config(client_configuration=configuration)
    return ApiClient(configuration)


def kopf_settings(*, by_proxy: bool = False) -> kopf.OperatorSettings:
    """Return settings under which kopf needs no rights beyond the watches, and notices a watch that died.

    Args:
        by_proxy: Let the watches go the way that the environment says, as the other requests do.
    """
    settings = kopf.OperatorSettings()
    # Without these a watch may stop for ever after a reset connection.
    # Whole numbers: the API server reads no others.
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 360
    settings.watching.connect_timeout = 10
    settings.scanning.disabled = True  # else it lists CRDs and namespaces of the whole cluster
    settings.posting.enabled = False  # events are written by the reconcile
    settings.peering.standalone = True
    settings.networking.trust_env = by_proxy
    return settings


def now() -> datetime:
    """Return the time to the second: Kubernetes keeps no more."""
    return datetime.now(UTC).replace(microsecond=0)
