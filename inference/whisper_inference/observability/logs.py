"""Log lines with correlation ids, for people or as JSON; nobody's words, audio or keys are in them.

All modules and libraries log through the standard library; structlog formats what they say, in one chain of processors.
"""

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger
from typing_extensions import override

from whisper_inference.observability.redaction import redact_fields

AUDIT_LOGGER: Final = "audit"
"""Its lines say who did something: names stay in them, also those that are e-mail addresses."""
ECS_FIELDS: Final = "ecs"
"""Of a record: what stands beside `message` in a JSON line, and not in one for people, whose message says it all."""

_CORRELATION: Final[ContextVar[str | None]] = ContextVar("correlation_id", default=None)
"""Of the request that the current task serves."""
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {10: "\\n", 13: "\\r", 9: "\\t"}
"""What could end a line, or colour a terminal, as what it is written."""
_NOT_SHOWN: Final = {"event", "color_message"}
"""Of a record: what stands under another name already; the second is uvicorn's."""
_NOISY: Final = ("httpx", "httpcore", "uvicorn.access")
"""These would log each request's URL and each file that the hub is asked for."""
_ALARMIST: Final = "python_multipart"
"""It would warn of each form that is none: its client is told so, and nobody else can mend it."""


def correlation_id() -> str | None:
    """Return the id of the request that is served here, if one is."""
    return _CORRELATION.get()


def bind_correlation_id(value: str) -> None:
    """Let everything that the current task logs from here on carry the id."""
    _CORRELATION.set(value)


class LineFormatter(structlog.stdlib.ProcessorFormatter):
    """Makes one line of a record, without what must not be in it."""

    def __init__(self, log_format: Literal["text", "json"]) -> None:
        super().__init__(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _describe, structlog.processors.format_exc_info],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redact,
                _render_json if log_format == "json" else _render_text,
            ],
        )

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line; arguments that have names are judged by them first."""
        if isinstance(record.args, Mapping):
            record = logging.makeLogRecord(record.__dict__ | {"args": redact_fields(record.args)})
        # Half of a surrogate pair, which a client may send, has no bytes.
        return super().format(record).encode("utf-8", "backslashreplace").decode()


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream; one that cannot be made says so, and shows nothing of what it was made from."""

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        """Name the place that logged it: the library's own method prints the arguments."""
        with suppress(OSError, ValueError):  # the stream is closed: nobody can be told
            self.stream.write(f"A line that {record.pathname}:{record.lineno} logged could not be written\n")


def configure_logging(level: str, log_format: Literal["text", "json"], stream: TextIO, audit: TextIO) -> None:
    """Send this process's log to a stream, and what its audit writes down to another, for they have other readers."""
    log, trail = LineHandler(stream), LineHandler(audit)
    log.addFilter(lambda record: record.name != AUDIT_LOGGER)
    trail.addFilter(lambda record: record.name == AUDIT_LOGGER)
    for handler in (log, trail):
        handler.setFormatter(LineFormatter(log_format))
    logging.basicConfig(level=level.upper(), handlers=[log, trail], force=True)
    quieten()


def quieten() -> None:
    """Let libraries be silent about each request and each file."""
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger(_ALARMIST).setLevel(logging.ERROR)


def _describe(_logger: WrappedLogger, level: str, event: EventDict) -> EventDict:
    """Put what every line has before what this one has besides."""
    record: logging.LogRecord = event["_record"]
    every = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        "level": level,
        "logger": record.name,
        "message": event["event"],
        "correlation_id": correlation_id(),
    }
    return every | {name: value for name, value in event.items() if name not in every and name not in _NOT_SHOWN}


def _redact(_logger: WrappedLogger, _level: str, event: EventDict) -> EventDict:
    return redact_fields(event, personal=event["logger"] != AUDIT_LOGGER)


def _render_json(_logger: WrappedLogger, _level: str, event: EventDict) -> str:
    event |= event.pop(ECS_FIELDS, {})
    return json.dumps(event, ensure_ascii=False)


def _render_text(_logger: WrappedLogger, _level: str, event: EventDict) -> str:
    time = datetime.fromisoformat(event.pop("time")).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    level, logger, message, identity = (event.pop(name) for name in ("level", "logger", "message", "correlation_id"))
    event.pop(ECS_FIELDS, None)
    exception = event.pop("exception", None)
    line = f"{time} {level.upper()} {logger}: {message}" + "".join(f" {name}={event[name]}" for name in event)
    line = line.translate(_CONTROL) + (f" [{identity}]" if identity else "")
    return line if exception is None else f"{line}\n{exception}"
