"""No planted secret survives, whatever surrounds it; ordinary text stays as it is; long hostile lines cost little."""

import json
import secrets
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.keys import make_account_key
from whisper_inference.observability.redaction import HIDDEN, LONGEST, redact, redact_fields
from whisper_inference.security.passwords import Argon2Parameters, hash_password
from whisper_inference.security.tokens import TokenSigner

ARGON2 = hash_password("a password", Argon2Parameters(8192, 1, 1))
SIGNER = TokenSigner("the key that signs this test's sessions")

URL_SAFE = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=20, max_size=64)
PLAIN = URL_SAFE.filter(str.isalnum)
PASSWORD = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=12, max_size=40)
IN_ADDRESS = st.text("abcdefghijklmnopqrstuvwxyz0123456789!$&()*+,;=%~.:@", min_size=12, max_size=40)
NAMES = st.sampled_from(
    [
        "password",
        "WHISPER_ADMIN_PASSWORD",
        "SECRET_KEY",
        "secret_key_previous",
        "api_key",
        "apiKey",
        "token",
        "access_token",
        "client-secret",
        "X-Api-Key",
        "passphrase",
    ]
)
HEADERS = st.sampled_from(["Authorization", "authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"])
SURROUNDINGS = st.text(st.characters(codec="utf-8"), max_size=40)


def _quoted(name: str, value: str) -> str:
    return json.dumps({name: value}, ensure_ascii=False)


PLANTS: dict[str, st.SearchStrategy[tuple[str, str]]] = {
    "a named key": st.builds(lambda: (key := make_account_key("x")[0], key)),
    "a session": st.builds(lambda: (token := SIGNER.make("anna", secrets.token_bytes).token, token)),
    "a bearer token": URL_SAFE.map(lambda key: (f" bearer {key}", key)),
    "a token of the hub": PLAIN.map(lambda key: (f"hf_{key}", key)),
    "a key of OpenAI": PLAIN.map(lambda key: (f" sk-{key}", key)),
    "a JWT": st.tuples(URL_SAFE, URL_SAFE).map(lambda parts: (f" eyJ{parts[0]}.eyJ{parts[1]}.{parts[0]}", parts[1])),
    "a hash": st.just((ARGON2, ARGON2.rpartition("$")[2])),
    "a header": st.tuples(HEADERS, PASSWORD).map(lambda pair: (f"{pair[0]}: Basic {pair[1]}", pair[1])),
    "a header in a list": st.tuples(HEADERS, PASSWORD).map(
        lambda pair: (f"{[(pair[0].encode(), pair[1].encode())]}", repr(pair[1].encode())[2:-1])
    ),
    "a field in JSON": st.builds(_quoted, NAMES, PASSWORD).map(lambda text: (text, json.loads(text).popitem()[1])),
    "a field in Python": st.tuples(NAMES, PASSWORD).map(lambda pair: (repr({pair[0]: pair[1]}), repr(pair[1])[1:-1])),
    "a variable": st.tuples(NAMES, URL_SAFE).map(lambda pair: (f"{pair[0]}={pair[1]}", pair[1])),
    "a line of YAML": st.tuples(NAMES, URL_SAFE).map(lambda pair: (f"{pair[0]}: {pair[1]}", pair[1])),
    "a query": st.tuples(NAMES, URL_SAFE).map(lambda pair: (f"/v1/models?a=b&{pair[0]}={pair[1]}&c=d", pair[1])),
    "an address of Redis": IN_ADDRESS.map(lambda key: (f"rediss://default:{key}@redis.example:6379/0", key)),
    "a private key": PLAIN.map(
        lambda key: (f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4\n{key}\n-----END RSA PRIVATE KEY-----", key)
    ),
    "an e-mail address": PLAIN.map(lambda name: (f" {name}@mail.example.org", name)),
    "a telephone number": st.just((" +49 170 1234567 ", "170 1234567")),
    "a text": st.tuples(st.sampled_from(["text", "prompt"]), PASSWORD).map(
        lambda pair: (f" Segment({pair[0]}={pair[1]!r})", repr(pair[1])[1:-1])
    ),
}


@pytest.mark.parametrize("kind", PLANTS)
@given(data=st.data(), before=SURROUNDINGS, after=SURROUNDINGS)
def test_a_planted_secret_never_survives_whatever_surrounds_it(
    kind: str, data: st.DataObject, before: str, after: str
) -> None:
    text, secret = data.draw(PLANTS[kind])
    clean = redact(f"{before}{text}\n{after}")
    assert secret not in clean.replace(before, "").replace(after, "")


@pytest.mark.parametrize(
    "text",
    [
        "Serving demo on Capabilities(engine='openvino', device='cpu', precision='bf16', simulated=False)",
        "The session store does not answer: ConnectionError",
        "The credentials are kept as they were: The secret key is weak: use at least 32 random characters",
        "The file /etc/whisper/credentials/API_KEY cannot be read: it is not there.",
        "accounts.yaml cannot be used: Value error, not an Argon2id hash (accounts.0.password).",
        "Nobody can log in to this server: send an API key.",
        "448 tokens at 12.5 tokens/s, max_tokens=448, sha256:ba7816bf, 2026-11-25T03:24:13+00:00",
        "http://collector:4318/v1/traces and redis://redis.example:6379/0 at 10.0.0.7:8000",
        "a bearer token, or a basic one; the password is wrong; text and prompt, response_format='text'",
        "Größe 20 µs → 日本語, user@host, a@b, @decorator, +1 and +49",
        "uuid 3f2b8c0e9a5d4f6f8e7d6c5b4a392817, task-abcdefghijklmnopqrstuvwxyz",
    ],
)
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert redact(text) == text


@given(st.text("abcdefghijklmnopqrstuvwxyz .,!?\n", max_size=300))
def test_words_and_punctuation_are_unchanged(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=400))
def test_what_is_clean_stays_so(text: str) -> None:
    clean = redact(text)
    assert redact(clean) == clean


HOSTILE = (
    *[
        "a",
        "wsk_",
        "eyJ",
        "eyJaaaaaaaa.",
        "://",
        "x://a",
        "a@",
        "@",
        ".",
        "password",
        "password=",
        "password='",
        "authorization",
        "$argon2",
        "$argon2id$",
        "'",
    ],
    *(" ", '"', "\\", "\n", "%", "authorization: ", "bearer ", "bearer aaaaaaaaaaaaaaa ", "+1", "+1 2", "hf_", "sk-"),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN A ",
        "-----BEGIN PRIVATE KEY----------END",
        "text='",
        "api_key: b'",
        "a.",
    ),
)
"""Each is repeated until the text is long."""


@pytest.mark.parametrize("before", ["", "authorization", "password=", "a@", "x://", "eyJ"])
@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_hostile_line_costs_time_in_proportion(before: str, piece: str) -> None:
    text = before + piece * ((1 << 17) // len(piece))
    began = time.process_time()
    redact(text)
    # Quadratic time would be minutes.
    assert time.process_time() - began < 3


def test_a_text_without_end_is_cut() -> None:
    assert len(redact("a b " * LONGEST)) < LONGEST + 50


def test_fields_are_judged_by_their_names_and_their_texts() -> None:
    clean = redact_fields(
        {
            "device": "cpu",
            "seconds": 1.5,
            "max_tokens": 448,
            "password": "hunter2",
            "api_key": b"hunter2",
            "Authorization": "Basic hunter2",
            "transcript": "hunter2",
            "samples": [1, 2],
            "payload": b"hunter2",
            "nested": {"refresh_token": "hunter2", "list": ["password=hunter2", {"text": "hunter2"}]},
            "problem": ValueError("password=hunter2"),
            "nothing": None,
        }
    )
    assert "hunter2" not in str(clean)
    assert (clean["device"], clean["seconds"], clean["max_tokens"], clean["nothing"]) == ("cpu", 1.5, 448, None)
    assert clean["payload"] == "[7 bytes]"
    assert clean["nested"] == {"refresh_token": HIDDEN, "list": [f"password={HIDDEN}", {"text": HIDDEN}]}


def test_names_that_are_addresses_can_be_kept() -> None:
    assert redact("anna@example.org logged in", personal=False) == "anna@example.org logged in"
