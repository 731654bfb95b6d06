"""Metrics, log lines and traces."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from whisper_contract.surface import Metric
from whisper_inference.engines.base import Capabilities
from whisper_inference.observability.logs import bind_correlation_id, configure_logging
from whisper_inference.observability.metrics import Metrics
from whisper_inference.observability.tracing import make_tracing
from whisper_inference.transcription import DropReason


@pytest.fixture
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_everything_measured_is_published_under_the_contracts_names() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.request_finished("/v1/models", 200, 0.1)
    metrics.transcribed(10.0, 2.0)
    metrics.transcribed(0.0, 1.0)
    metrics.queue_changed(3, 1.5)
    metrics.queue_waited(0.2)
    metrics.batch_stepped(4, 0.02)
    metrics.batch_stepped(4, 0.0)
    metrics.tokens_decoded(4)
    metrics.slots_changed(4, 8)
    metrics.guard_dropped(DropReason.REPETITION)
    metrics.overloaded()
    metrics.model_loaded(
        "demo", Capabilities("openvino", "npu", "NPU", "f16", simulated=True, max_rows=8, word_timestamps=True)
    )
    text = generate_latest(metrics.registry).decode()
    names = [value for name, value in vars(Metric).items() if name.isupper()]
    assert all(name in text for name in names)
    assert 'whisper_guard_drops_total{reason="repetition"} 1.0' in text
    assert 'whisper_guard_drops_total{reason="no_voice"} 0.0' in text
    assert "whisper_tokens_per_second 200.0" in text
    assert 'simulated="true"' in text


def test_two_servers_share_no_metrics() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.overloaded()
    assert b"whisper_overloads_total 0.0" in generate_latest(second.registry)


@pytest.mark.usefixtures("_own_logging")
def test_json_lines_carry_the_correlation_id_and_the_cause() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    bind_correlation_id("abc")
    logging.getLogger("whisper").error("A %s happened", "thing", exc_info=ValueError("broken"))
    line = json.loads(stream.getvalue())
    assert (line["message"], line["level"], line["correlation_id"]) == ("A thing happened", "error", "abc")
    assert "ValueError: broken" in line["exception"]


@pytest.mark.usefixtures("_own_logging")
def test_text_lines_end_with_the_correlation_id() -> None:
    stream = io.StringIO()
    configure_logging("warning", "text", stream)
    bind_correlation_id("abc")
    logging.getLogger("whisper").info("quiet")
    logging.getLogger("whisper").warning("loud")
    assert stream.getvalue().endswith("WARNING whisper: loud [abc]\n")
    assert "quiet" not in stream.getvalue()


def test_tracing_is_off_unless_a_collector_is_named() -> None:
    off = make_tracing(None)
    with off.tracer.start_as_current_span("request") as span:
        assert not span.is_recording()
    off.close()
    on = make_tracing("http://127.0.0.1:9/v1/traces")
    span = on.tracer.start_span("request")
    assert span.is_recording()
