"""Keys that were made pass; keys that somebody typed, copied or counted do not."""

import base64
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.security.secret_key import is_weak


@given(st.randoms(use_true_random=True))
def test_a_key_that_was_made_at_random_passes(random: Random) -> None:
    made = random.randbytes(32)
    assert not is_weak(made.hex())
    assert not is_weak(base64.b64encode(made).decode())


@pytest.mark.parametrize(
    "key",
    [
        "",
        "f3a9c1d2e4b5a6978812340fedc0ab1",  # 31
        "abababababababababababababababababab",
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "zyxwvutsrqponmlkjihgfedcba9876543210",
        "changeme-0d4e1b7a9c3f5e2d8b6a4c1f0e9d7b3a",
        "CHANGE_ME-0d4e1b7a9c3f5e2d8b6a4c1f0e9d7b3a",
        "django-insecure-0d4e1b7a9c3f5e2d8b6a4c1f0e",
        "my-super-secret-key-that-nobody-will-guess",
    ],
)
def test_what_somebody_typed_is_weak(key: str) -> None:
    assert is_weak(key)
