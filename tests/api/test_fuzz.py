"""Requests that a program makes up from the description, as all who may ask: no failure, and nothing undescribed.

`make fuzz` sends for minutes as each; in `make test` each gets half a minute.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.api.conftest import EXAMPLES, PASSWORD
from tests.support import fuzz_hooks
from tests.support.keys import make_account_key
from tests.support.running_server import KEY, RunningServer, running_server
from whisper_inference.routes.description import describe
from whisper_inference.security.passwords import Argon2Parameters, hash_password
from whisper_inference.security.rate_limits import UNLIMITED
from whisper_inference.security.roles import Role
from whisper_inference.settings import ServerSettings

SECONDS: Final = int(os.environ.get("FUZZ_SECONDS", "30"))
"""For each who asks."""
A_SESSION: Final = "a session"
"""It would end, and nothing be learnt, where its own routes are asked."""
WHO: Final = ("nobody", "stranger", *Role, A_SESSION)

# A form may fit its schema and be refused: bytes that are no recording, options that exclude each other, a session's
# route asked with a key. And a form that breaks its schema may be the same bytes as one that fits it: a list of one
# value is that value.
LEFT_OUT: Final = "positive_data_acceptance,negative_data_rejection"
SEED: Final = os.environ.get("FUZZ_SEED", "20261125")
"""The same requests each time, as far as half a minute goes: `make fuzz` tries others."""
DEFECT_OF_THE_GENERATOR: Final = "Unsupported type: 'Binary'"
"""It sometimes cannot check a recording that it made up itself; nothing is sent then."""


@pytest.fixture(scope="module")
def keys() -> dict[str, tuple[str, str]]:
    """A key for each role, with its entry."""
    return {role.value: make_account_key(role.value, role) for role in Role}


@pytest.fixture(scope="module")
def tokens(patient: RunningServer, keys: dict[str, tuple[str, str]]) -> dict[str, str]:
    """What each sends; the session is opened before wrong passwords lock the address."""
    login = httpx.post(f"{patient.url}/api/v1/auth/login", json={"username": "anna", "password": PASSWORD}).json()
    return {who: key for who, (key, _) in keys.items()} | {
        "stranger": make_account_key("x")[0],
        A_SESSION: login["token"],
    }


@pytest.fixture(scope="module")
def patient(keys: dict[str, tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that counts nothing."""
    accounts = tmp_path_factory.mktemp("credentials") / "accounts.yaml"
    hashed = hash_password(PASSWORD, Argon2Parameters(8192, 1, 1))
    entries = "".join(entry for _, entry in keys.values())
    accounts.write_text(f"keys:\n{entries}accounts:\n- {{name: anna, role: admin, password: '{hashed}'}}\n")
    settings = ServerSettings(
        model=str(EXAMPLES / "models/demo"),
        device="cpu",
        api_key=KEY,
        accounts_file=accounts,
        secret_key="the-secret-key-of-the-tests-0123456789",
        rate_transcriptions=UNLIMITED,
        rate_reads=UNLIMITED,
        rate_logins=UNLIMITED,
        rate_refusals=UNLIMITED,
        session_idle_seconds=3600,
        max_upload_bytes=1 << 20,
        argon2_memory_kib=8192,
        argon2_passes=1,
        argon2_lanes=1,
    )
    with running_server(settings) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("who", WHO)
def test_no_request_makes_the_server_fail_or_answer_what_is_not_described(
    patient: RunningServer, tokens: dict[str, str], who: str, tmp_path: Path
) -> None:
    options = [f"--exclude-path=/api/v1/auth/{name}" for name in ("logout", "refresh") if who == A_SESSION]
    report, said = fuzz(patient, tokens.get(who), tmp_path, options)
    print(f"{who}: {report['test_cases']['generated']} cases, {report['running_time']:.0f} s")  # noqa: T201 - the count
    assert report["failures"] == [], said
    assert sum(each["count"] for each in report["errors"]) == said.splitlines().count(DEFECT_OF_THE_GENERATOR), said
    assert report["test_cases"]["generated"] > 0
    assert httpx.get(f"{patient.url}/health").json() == {"status": "ok"}


def fuzz(server: RunningServer, token: str | None, folder: Path, options: list[str]) -> tuple[dict[str, Any], str]:
    """Let schemathesis ask, and return its report, and what it printed."""
    document, report = folder / "openapi.json", folder / "report.json"
    document.write_text(json.dumps(describe(server.app)))
    command = [str(Path(sys.executable).with_name("st")), "run", str(document), "--url", server.url]
    command += ["--phases", "examples,coverage,fuzzing", "--max-time", str(SECONDS), "--exclude-checks", LEFT_OUT]
    command += [
        "--report",
        "json",
        "--report-json-path",
        str(report),
        "--continue-on-failure",
        "--no-color",
        "--seed",
        SEED,
    ]
    command += options
    command += [] if token is None else ["-H", f"Authorization: Bearer {token}"]
    hooks = os.environ | {"SCHEMATHESIS_HOOKS": str(fuzz_hooks.__file__)}
    done = subprocess.run(command, cwd=folder, env=hooks, capture_output=True, text=True, check=False)
    assert report.exists(), done.stdout + done.stderr
    return json.loads(report.read_text()), done.stdout
