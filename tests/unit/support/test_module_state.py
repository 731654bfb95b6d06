"""The search for shared state finds it, and leaves constants alone."""

import pytest

from tests.support.module_state import find_state


def state_of(source: str) -> list[str]:
    """Search a module of this source."""
    namespace: dict[str, object] = {"__name__": "sample"}
    exec(source, namespace)  # noqa: S102 - the test's own words
    return find_state(source, namespace)


@pytest.mark.parametrize(
    "source",
    [
        "SEEN = []",
        "seen: dict[str, int] = {}",
        "SEEN = set()",
        "from collections import Counter\nSEEN = Counter()",
        "import threading\nLOCK = threading.Lock()",
        "class Server:\n    pass\nSERVER = Server()",
        "class Server:\n    sessions = {}",
        "from typing import Final\nSEEN: Final = {}\ndef see(name):\n    SEEN[name] = 1",
        "from typing import Final\nSEEN: Final = []\ndef see(name):\n    SEEN.append(name)",
        "from typing import Final\nSEEN: Final = {}\ndef see(name):\n    del SEEN[name]",
        "COUNT = 0\ndef count():\n    global COUNT\n    COUNT += 1",
        "from functools import lru_cache\n@lru_cache\ndef settings():\n    return {}",
        "from dataclasses import dataclass\n@dataclass\nclass Settings:\n    port: int = 1\nSETTINGS = Settings()",
        "BOTH = (1, [])",
    ],
)
def test_what_may_change_is_found(source: str) -> None:
    assert len(state_of(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from typing import Final\nNAMES: Final = {'a': 1}\ndef name(key):\n    return NAMES[key]",
        "import re, logging\nPATTERN = re.compile('a')\nlogger = logging.getLogger('a')",
        "NAMES = ('a', frozenset({1}))\ndef names():\n    own = []\n    own.append(1)\n    return own",
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Limit:\n    most: int = 1\nLIMIT = Limit()",
        "from enum import Enum\nclass Role(Enum):\n    ADMIN = 'admin'\nFIRST = Role.ADMIN",
        "class Session:\n    def __init__(self):\n        self.seen = []\n        self.seen.append(1)",
    ],
)
def test_what_stays_is_left_alone(source: str) -> None:
    assert state_of(source) == []
