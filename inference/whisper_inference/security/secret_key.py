"""Whether a key that signs sessions was made at random, as far as anybody can see. Pure."""

import itertools
import re
from typing import Final

SHORTEST: Final = 32
_FEWEST_CHARACTERS: Final = 8
"""Different ones in a key: fewer are typed by falling asleep on the keyboard, not made."""
_PLACEHOLDERS: Final = (
    *("changeme", "changeit", "replaceme", "yoursecret", "mysecret", "supersecret", "topsecret", "insecure"),
    *("placeholder", "secretkeyhere", "letmein", "password", "qwerty"),
)
"""What stands in examples; a random key has one of them once in ten million at most."""


def is_weak(key: str) -> bool:
    """Say whether a key is too short, repeats itself, counts, or was copied from an example."""
    letters = re.sub(r"[^a-z]", "", key.lower())
    return (
        len(key) < SHORTEST
        or len(set(key)) < _FEWEST_CHARACTERS
        or key in (key + key)[1:-1]
        or _counts(key)
        or any(word in letters for word in _PLACEHOLDERS)
    )


def _counts(key: str) -> bool:
    """Say whether most characters are the ones after, or before, their neighbours: abcdef, 987654."""
    steps = [ord(after) - ord(before) for before, after in itertools.pairwise(key)]
    return max(steps.count(1), steps.count(-1)) > len(steps) / 2
