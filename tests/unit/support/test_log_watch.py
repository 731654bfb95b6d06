"""The watch over the suite's log can fail: each thing that it looks for is found when it is logged."""

import logging
import secrets
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from tests.support.checkpoints import CLIPS, Clip, read_clips
from tests.support.keys import make_account_key
from tests.support.log_watch import LogWatch, leaks, planted_secrets
from tests.support.planted import KEY, PASSWORD, SECRET_KEY
from whisper_inference.security.tokens import TokenSigner

SPOKEN = [clip for clip in read_clips(CLIPS) if clip.text]
TOKEN = TokenSigner(SECRET_KEY).make("anna", secrets.token_bytes).token


@pytest.fixture
def watch() -> Iterator[LogWatch]:
    """A watch over the logger `apart`, whose lines the suite's own watch does not see."""
    watch, logger = LogWatch(), logging.getLogger("apart")
    logger.propagate = False
    logger.addHandler(watch)
    yield watch
    logger.removeHandler(watch)


Logged: TypeAlias = Callable[..., list[str]]


@pytest.fixture
def logged(watch: LogWatch) -> Logged:
    """Logs something, and returns its lines."""

    def log(message: str, *args: object, **extra: object) -> list[str]:
        before = len(watch.lines)
        logging.getLogger("apart").warning(message, *args, extra=extra)
        return watch.lines[before:]

    return log


@pytest.mark.parametrize("clip", SPOKEN, ids=lambda clip: clip.name)
def test_a_spoken_sentence_that_is_logged_is_found(clip: Clip, logged: Logged) -> None:
    assert list(leaks(logged("It heard: %s", clip.text), planted_secrets()))
    assert not list(leaks(logged("It heard something", text=clip.text), planted_secrets()))


@pytest.mark.parametrize("secret", [KEY, PASSWORD, SECRET_KEY])
def test_a_secret_that_is_logged_without_a_name_is_found(secret: str, logged: Logged) -> None:
    assert list(leaks(logged("It was %s", secret), planted_secrets()))
    assert not list(leaks(logged("password=%r", secret), planted_secrets()))


@pytest.mark.parametrize(
    "made",
    [make_account_key("x")[0], TOKEN, "$argon2id$v=19$m=8192,t=1,p=1$c2FsdA$aGFzaA"],
    ids=["key", "token", "password hash"],
)
def test_what_tests_make_would_be_found_were_it_not_redacted(made: str, logged: Logged) -> None:
    assert list(leaks([f"It was {made}"], ()))
    assert not list(leaks(logged("It was %s", made), planted_secrets()))


def test_what_is_harmless_is_not_found(logged: Logged) -> None:
    assert not list(leaks(logged("Serving %s", "demo"), planted_secrets()))


def test_debug_is_not_looked_at(watch: LogWatch) -> None:
    logging.getLogger("apart").debug("a thing")
    assert watch.lines == []
