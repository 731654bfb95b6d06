"""Log lines with correlation ids, for people or as JSON; nobody's words, audio or keys above DEBUG."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

from typing_extensions import override

_CORRELATION: Final[ContextVar[str | None]] = ContextVar("correlation_id", default=None)
"""Of the request that the current task serves."""


def correlation_id() -> str | None:
    """Return the id of the request that is served here, if one is."""
    return _CORRELATION.get()


def bind_correlation_id(value: str) -> None:
    """Let everything that the current task logs from here on carry the id."""
    _CORRELATION.set(value)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "correlation_id": correlation_id(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """One line for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line, with the correlation id where there is one."""
        identity = correlation_id()
        return super().formatMessage(record) + (f" [{identity}]" if identity else "")


def configure_logging(level: str, log_format: Literal["text", "json"], stream: TextIO) -> None:
    """Send this process's log to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # These would log each request's URL and each file that the hub is asked for.
    for noisy in ("httpx", "httpcore", "uvicorn.access", "python_multipart"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
