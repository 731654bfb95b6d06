"""The commands: what they print, refuse and leave to others."""

import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from argon2 import PasswordHasher

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.cli import options
from whisper_inference.cli.program import main
from whisper_inference.quotas.quota import Quota
from whisper_inference.security.accounts import parse_accounts
from whisper_inference.security.credentials import Credentials
from whisper_inference.security.roles import Role


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """`serve` configures the process's logging, which must not outlive its test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == "whisper-inference 0.1.0\n"


@pytest.mark.parametrize("command", ["", "serve", "transcribe", "fetch-model", "new-api-key", "hash-password"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command.split(), "--help") == 0
    assert "Usage: whisper-inference" in capsys.readouterr().out


def test_help_loads_no_engine_and_no_server() -> None:
    script = (
        "import sys\nfrom whisper_inference.cli.program import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "loaded = {'numpy', 'openvino', 'torch', 'fastapi', 'pydantic', 'av'} & set(sys.modules)\n"
        "sys.exit(', '.join(loaded) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.stderr == ""


def test_roles_are_those_of_the_server() -> None:
    assert get_args(options.RoleName) == tuple(Role)


def test_a_new_key_s_entry_can_be_appended_and_the_key_itself_is_shown_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("new-api-key", "newsroom", "--role", "viewer", "--days", "30") == 0
    said = capsys.readouterr()
    key = next(word for word in said.err.split() if word.startswith("wsk_"))
    accounts = parse_accounts(f"keys:\n{said.out}", "accounts.yaml")
    assert Credentials(None, accounts, {}, None).check_key(key, datetime.now(UTC)).role is Role.VIEWER
    assert key.rpartition("_")[2] not in said.out
    assert run("new-api-key", "no name") == 2
    assert "is no name for a key" in capsys.readouterr().err


def test_a_new_key_has_the_quotas_that_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--audio-seconds-per-day", "3600", "--concurrent-requests", "4", "--concurrent-streams", "9")
    assert run("new-api-key", "newsroom", *asked) == 0
    (key,) = parse_accounts(f"keys:\n{capsys.readouterr().out}", "accounts.yaml").keys
    assert key.quotas == Quota(audio_seconds_per_day=3600, concurrent_requests=4, concurrent_streams=9)
    assert run("new-api-key", "newsroom") == 0
    assert "quotas" not in capsys.readouterr().out


def test_a_password_is_read_and_its_hash_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long password\nand more\n"))
    assert run("hash-password") == 0
    hashed = capsys.readouterr().out.strip()
    assert PasswordHasher().verify(hashed, "a long password")
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert run("hash-password") == 2


@pytest.mark.parametrize("name", ["device", "engine", "precision"])
def test_choices_are_those_of_the_settings(name: str) -> None:
    declared = {"device": options.Device, "engine": options.EngineName, "precision": options.Precision}[name]
    assert get_args(declared) == get_args(RuntimeConfig.model_fields[name].annotation)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("transcribe", "a.wav", "--model", "m", "--format", "doc"), "'doc' is not one of 'txt', 'srt', 'vtt'"),
        (("transcribe", "a.wav", "--model", "m", "--device", "tpu"), "'tpu' is not one of 'auto', 'npu'"),
        (("transcribe", "a.wav", "--model", "m", "--beam-size", "0"), "Input should be greater than or equal to 1"),
        (("serve",), "Missing option '--model'"),
        (("transcribe", "--model", "m"), "Missing argument"),
        (("serve", "--model", "m", "--nonsense"), "No such option"),
    ],
)
def test_what_is_asked_for_wrongly_ends_with_2_and_a_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WHISPER_MODEL", raising=False)
    assert run(*arguments) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_a_model_that_is_not_there_is_one_line_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("transcribe", "a.wav", "--model", "./no/such/model") == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: './no/such/model' is neither a path here nor a model's name")
    assert error.count("\n") == 1


def test_an_unknown_language_is_refused_before_a_model_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("transcribe", "a.wav", "--model", "./no/such/model", "--language", "klingon") == 2
    assert "'klingon' is no language of Whisper's" in capsys.readouterr().err


def test_a_wrong_variable_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISPER_DRAIN_SECONDS", "soon")
    assert run("serve", "--model", "m") == 2
    assert capsys.readouterr().err.startswith("Error: WHISPER_DRAIN_SECONDS: input should be a valid number")


def test_a_public_address_without_a_key_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WHISPER_API_KEY", "WHISPER_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert run("serve", "--model", "m", "--host", "0.0.0.0") == 2  # noqa: S104 - that it is refused is the point
    assert "Listening on 0.0.0.0 needs a key" in capsys.readouterr().err


def test_outputs_that_exist_are_refused_before_a_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("kept")
    assert run("transcribe", "a.wav", "--model", "./no/such/model", "--output-dir", str(tmp_path)) == 2
    assert "exists already: use --overwrite" in capsys.readouterr().err
    assert (tmp_path / "a.txt").read_text() == "kept"


def test_subtitles_of_several_files_need_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("transcribe", "a.wav", "b.wav", "--model", "./no/such/model", "--format", "srt") == 2
    assert "Several files as srt need --output-dir" in capsys.readouterr().err
