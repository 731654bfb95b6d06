"""What is logged of a pass names its resource, and nothing else does."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from whisper_operator.errors import Unavailable
from whisper_operator.logs import configure_logging, named
from whisper_operator.reconcile import OwnerKey
from whisper_operator.serial import SerialRunner
from whisper_operator.settings import OperatorSettings


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "asyncio", "kopf.objects")]
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


def logged(settings: OperatorSettings) -> None:
    """Make two passes that fail, one after the other, and say something else."""

    async def fail(key: OwnerKey) -> timedelta | None:
        raise Unavailable(f"{key.name} is unlucky")

    async def whole() -> None:
        runner: SerialRunner[OwnerKey] = SerialRunner(named(fail), at_once=1)
        for name in ("live", "other"):
            runner.trigger(OwnerKey("default", name))
        await runner.idle()
        await runner.close()
        logging.getLogger("whisper_operator").info("about nobody")

    configure_logging(settings)
    asyncio.run(whole())


def test_json_lines_have_the_resource(capsys: pytest.CaptureFixture[str]) -> None:
    logged(OperatorSettings(log_format="json"))
    lines: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line.get("object", {}).get("name") for line in lines] == ["live", "other", None]
    assert lines[0]["object"]["namespace"] == "default"
    assert lines[0]["severity"] == "warn"
    assert "live is unlucky" in lines[0]["message"]


def test_lines_for_people_begin_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    logged(OperatorSettings(log_format="text"))
    first, second, third = capsys.readouterr().err.splitlines()
    assert "[default/live] The pass over default/live failed" in first
    assert "[default/other]" in second
    assert "[default" not in third


def test_what_is_not_asked_for_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logged(OperatorSettings(log_level="error"))
    assert capsys.readouterr().err == ""
