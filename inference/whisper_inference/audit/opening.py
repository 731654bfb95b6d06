"""Where the settings say that audit events go."""

import itertools
import socket
from collections.abc import Callable
from datetime import datetime, timedelta

from whisper_contract.runtime import RuntimeConfig
from whisper_contract.surface import AuditLoss
from whisper_inference.audit.delivery import AuditObserver, Delivery
from whisper_inference.audit.http_sink import HttpSink
from whisper_inference.audit.recording import Audit
from whisper_inference.audit.sinks import AuditSink, AuditTrail
from whisper_inference.audit.syslog_sink import SyslogSink, make_tls, parse_address
from whisper_inference.audit.trails import MemoryTrail, RedisTrail
from whisper_inference.sessions.redis_link import RedisLink


def open_audit(
    settings: RuntimeConfig, link: RedisLink | None, observer: AuditObserver, clock: Callable[[], datetime]
) -> Audit:
    """Make the record of a server; nothing is delivered before it is started.

    Raises:
        InvalidSettings: An address means nothing, or a file cannot be read.
    """
    host = socket.gethostname()
    retention = timedelta(seconds=settings.audit_retention_seconds)
    trail: AuditTrail = MemoryTrail(clock, retention) if link is None else RedisTrail(link, clock, retention)
    sinks: list[AuditSink] = [trail]
    if settings.audit_syslog_url is not None:
        address = parse_address(settings.audit_syslog_url)
        sinks.append(SyslogSink(address, make_tls(settings.audit_syslog_ca_file), host))
    if settings.audit_http_url is not None:
        sinks.append(HttpSink(settings.audit_http_url, settings.audit_http_token_file, host))
    for sink, loss in itertools.product(sinks, AuditLoss):
        observer.audit_events(sink.name, loss, 0)  # Prometheus sees no rise in a series that begins with it
    deliveries = [Delivery(sink, observer) for sink in sinks]
    return Audit(trail, deliveries, observer, clock, host)
