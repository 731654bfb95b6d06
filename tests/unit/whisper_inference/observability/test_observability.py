"""Metrics, log lines and traces."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

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
    metrics.audit_events("log", "delivered", 1)
    metrics.know_limits(["reads", "logins"])
    metrics.limited("reads")
    metrics.model_loaded(
        "demo", Capabilities("openvino", "npu", "NPU", "f16", simulated=True, max_rows=8, word_timestamps=True)
    )
    text = generate_latest(metrics.registry).decode()
    names = [value for name, value in vars(Metric).items() if name.isupper()]
    assert all(name in text for name in names)
    assert 'whisper_guard_drops_total{reason="repetition"} 1.0' in text
    assert 'whisper_guard_drops_total{reason="no_voice"} 0.0' in text
    assert 'whisper_rate_limited_total{class="reads"} 1.0' in text
    assert 'whisper_rate_limited_total{class="logins"} 0.0' in text
    assert "whisper_tokens_per_second 200.0" in text
    assert 'simulated="true"' in text


def test_the_end_of_keys_is_published_as_it_is_when_somebody_looks() -> None:
    metrics, ends = Metrics(CollectorRegistry()), [datetime(2027, 1, 1, tzinfo=UTC), None]
    assert f"{Metric.KEY_EXPIRY} +Inf" in generate_latest(metrics.registry).decode()
    metrics.follow_keys(ends.pop)
    assert f"{Metric.KEY_EXPIRY} +Inf" in generate_latest(metrics.registry).decode()
    assert metrics.registry.get_sample_value(Metric.KEY_EXPIRY) == datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def test_two_servers_share_no_metrics() -> None:
    first, second = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    first.overloaded()
    assert b"whisper_overloads_total 0.0" in generate_latest(second.registry)


@pytest.mark.usefixtures("_own_logging")
def test_json_lines_carry_the_correlation_id_and_the_cause() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream, io.StringIO())
    bind_correlation_id("abc")
    logging.getLogger("whisper").error("A %s happened", "thing", exc_info=ValueError("broken"))
    line = json.loads(stream.getvalue())
    assert (line["message"], line["level"], line["correlation_id"]) == ("A thing happened", "error", "abc")
    assert "ValueError: broken" in line["exception"]


@pytest.mark.usefixtures("_own_logging")
def test_text_lines_end_with_the_correlation_id() -> None:
    stream = io.StringIO()
    configure_logging("warning", "text", stream, io.StringIO())
    bind_correlation_id("abc")
    logging.getLogger("whisper").info("quiet")
    logging.getLogger("whisper").warning("loud")
    assert stream.getvalue().endswith("WARNING whisper: loud [abc]\n")
    assert "quiet" not in stream.getvalue()


@pytest.mark.usefixtures("_own_logging")
def test_a_form_that_is_none_is_its_client_s_concern() -> None:
    stream = io.StringIO()
    configure_logging("info", "text", stream, io.StringIO())
    with pytest.raises(MultipartParseError):
        MultipartParser(b"a-boundary").write(b"no form")
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("_own_logging")
def test_the_audit_has_a_stream_of_its_own() -> None:
    log, audit = io.StringIO(), io.StringIO()
    configure_logging("info", "json", log, audit)
    logging.getLogger("whisper").info("The model is ready")
    logging.getLogger("audit").info("login success by anna")
    assert [json.loads(each.getvalue())["message"] for each in (log, audit)] == [
        "The model is ready",
        "login success by anna",
    ]


def test_tracing_is_off_unless_a_collector_is_named() -> None:
    off = make_tracing(None)
    with off.tracer.start_as_current_span("request") as span:
        assert not span.is_recording()
    off.close()
    on = make_tracing("http://127.0.0.1:9/v1/traces")
    span = on.tracer.start_span("request")
    assert span.is_recording()


@pytest.mark.usefixtures("_own_logging")
def test_named_arguments_and_extra_fields_are_redacted_by_their_names() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream, io.StringIO())
    logging.getLogger("library").info("%(user)s has %(password)s", {"user": "anna", "password": "hunter2"})
    logging.getLogger("library").info("It said", extra={"transcript": "hunter2", "device": "cpu"})
    logging.getLogger("library").error("Failed", exc_info=ValueError("token=hunter2"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert "hunter2" not in stream.getvalue()
    assert lines[0]["message"] == "anna has [redacted]"
    assert (lines[1]["transcript"], lines[1]["device"]) == ("[redacted]", "cpu")
    assert "ValueError: token=[redacted]" in lines[2]["exception"]


@pytest.mark.usefixtures("_own_logging")
def test_a_text_line_is_one_line_whatever_is_in_it() -> None:
    stream = io.StringIO()
    configure_logging("info", "text", stream, io.StringIO())
    logging.getLogger("whisper").info("one\n2026-01-01 00:00:00 ERROR two\x1b[31m", extra={"device": "c\npu"})
    assert stream.getvalue().count("\n") == 1
    assert "one\\n2026-01-01 00:00:00 ERROR two\\x1b[31m device=c\\npu" in stream.getvalue()
    logging.getLogger("whisper").error("Failed", exc_info=ValueError("broken"))
    assert stream.getvalue().endswith("\nValueError: broken\n")


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.usefixtures("_own_logging")
def test_a_line_that_cannot_be_made_says_where_and_shows_nothing(log_format: Literal["text", "json"]) -> None:
    stream = io.StringIO()
    configure_logging("info", log_format, stream, io.StringIO())
    logging.getLogger("whisper").info("%d", "hunter2")
    assert stream.getvalue().startswith("A line that ")
    assert "test_observability.py" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    stream.close()
    logging.getLogger("whisper").info("Nobody reads this")


@pytest.mark.usefixtures("_own_logging")
def test_half_a_surrogate_pair_is_written_as_what_it_is() -> None:
    buffer = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    configure_logging("info", "json", buffer, io.StringIO())
    logging.getLogger("whisper").info("a \ud800 b ä")
    buffer.seek(0)
    assert json.loads(buffer.read())["message"] == "a \ud800 b ä"
