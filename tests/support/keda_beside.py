"""KEDA beside a cluster: its operator, and the adapter through which autoscalers ask what it has found out.

https://github.com/kedacore/keda/tree/v2.18.1/config
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trustme

from tests.support.api_services import registered, serving_options
from tests.support.certificates import pair, write, write_authorities
from tests.support.kubernetes_programs import foreign_definitions
from tests.support.site import Site

_TALK: Final = "localhost:9666"
"""Where the operator answers the adapter."""


@contextmanager
def keda(site: Site, programs: Mapping[str, Path], folder: Path) -> Iterator[None]:
    """Let it scale what its ScaledObjects name while the block runs."""
    authority, files = trustme.CA(), pair(folder)
    write(files, authority, "localhost")
    proof = write_authorities(folder / "ca.crt", authority)
    place = f"WATCH_NAMESPACE= POD_NAMESPACE={site.namespace} KEDA_CLUSTER_OBJECT_NAMESPACE={site.namespace}"
    operator = (
        f"{place} exec {programs['keda-operator']} --cert-dir={folder} --metrics-service-bind-address={_TALK}"
        " --metrics-bind-address=0 --health-probe-bind-address=0"
    )
    adapter = (
        f"{place} exec {programs['keda-adapter']} {serving_options(folder)} --client-ca-file={proof}"
        f" --tls-cert-file={files.certificate} --tls-private-key-file={files.key} --metrics-service-address={_TALK}"
    )
    with (
        site.defined(foreign_definitions("keda")),
        site.beside(folder / "operator.log", "bash", "-c", operator),
        site.beside(folder / "adapter.log", "bash", "-c", adapter),
        registered(site, "external.metrics.k8s.io", "v1beta1"),
    ):
        yield
