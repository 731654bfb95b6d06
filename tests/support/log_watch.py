"""What the whole suite logs is looked through for what must never be in a log."""

import logging
import re
from collections.abc import Iterable, Iterator
from typing import Final

from typing_extensions import override

from tests.support.checkpoints import CLIPS, read_clips
from tests.support.planted import KEY, PASSWORD, SECRET_KEY
from whisper_inference.observability.logs import LineFormatter

_MADE: Final = r"wsk_[0-9a-f]{16}_[\w-]{43}|wst_[0-9a-f]{16}_[0-9a-f]{64}|\$argon2id?\$v="
"""Keys, tokens and hashes that tests make as they go."""
_SENTENCE: Final = re.compile(r"[^.?!]+")
_FEWEST_WORDS: Final = 3
"""Of a sentence that nobody writes by chance."""


def planted_secrets() -> frozenset[str]:
    """The secrets that tests use everywhere, and every sentence of the repository's recordings."""
    sentences = {each.strip() for clip in read_clips(CLIPS) for each in _SENTENCE.findall(clip.text)}
    return frozenset({KEY, PASSWORD, SECRET_KEY} | {each for each in sentences if len(each.split()) >= _FEWEST_WORDS})


def leaks(lines: Iterable[str], secrets: Iterable[str]) -> Iterator[str]:
    """Say of each line what it gives away."""
    wanted = re.compile("|".join([*map(re.escape, secrets), _MADE]), re.IGNORECASE)
    for line in lines:
        found = wanted.search(line)
        if found is not None:
            yield f"{found[0]!r} in: {line}"


class LogWatch(logging.Handler):
    """Keeps every line at INFO and above, as a server would write it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(LineFormatter("json"))
        self.lines: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))
