"""OpenTelemetry traces: off unless a collector is named."""

from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracer, Tracer


@dataclass(frozen=True, slots=True)
class Tracing:
    """A tracer, and how to send what it still holds."""

    tracer: Tracer
    close: Callable[[], None]


def make_tracing(endpoint: str | None) -> Tracing:
    """Trace to an OTLP/HTTP collector (for example `http://collector:4318/v1/traces`), or not at all."""
    if endpoint is None:
        return Tracing(NoOpTracer(), lambda: None)
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "whisper-inference"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return Tracing(provider.get_tracer("whisper_inference"), provider.shutdown)
