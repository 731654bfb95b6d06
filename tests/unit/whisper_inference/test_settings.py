"""Settings from the environment, and the key without which nothing listens to strangers."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_inference.errors import InvalidSettings, Unauthenticated
from whisper_inference.security.keys import check_bearer
from whisper_inference.settings import ServerSettings, resolve_api_key

KEY = "0123456789abcdef"


def test_every_field_of_the_contract_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MODEL": "base", "MAX_ROWS": "16", "PRECISION": "int8", "API_KEY": KEY}.items():
        monkeypatch.setenv(ENVIRONMENT_PREFIX + name, value)
    settings = ServerSettings()
    assert (settings.model, settings.max_rows, settings.precision) == ("base", 16, "int8")
    assert set(RuntimeConfig.model_fields) == set(ServerSettings.model_fields)


def test_an_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISPER_PORT", "1")
    assert ServerSettings(model="base", port=2).port == 2


def test_a_key_never_shows_when_settings_are_printed() -> None:
    assert KEY not in repr(ServerSettings(model="base", api_key=SecretStr(KEY)))


def test_without_a_key_one_is_made_for_loopback_alone() -> None:
    made = resolve_api_key(ServerSettings(model="base"))
    assert made.generated
    assert len(made.secret.get_secret_value()) >= 43
    assert made.secret != resolve_api_key(ServerSettings(model="base", host="localhost")).secret


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])  # noqa: S104 - that is what is refused
def test_another_host_needs_a_given_key(host: str) -> None:
    with pytest.raises(InvalidSettings, match="needs a key"):
        resolve_api_key(ServerSettings(model="base", host=host))
    assert not resolve_api_key(ServerSettings(model="base", host=host, api_key=SecretStr(KEY))).generated


def test_a_key_comes_from_a_file_without_its_line_feed(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    assert resolve_api_key(ServerSettings(model="base", api_key_file=file)).secret.get_secret_value() == KEY


def test_a_missing_file_and_a_weak_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be read"):
        resolve_api_key(ServerSettings(model="base", api_key_file=tmp_path / "none"))
    with pytest.raises(InvalidSettings, match="at least 16"):
        resolve_api_key(ServerSettings(model="base", api_key=SecretStr("short")))


@pytest.mark.parametrize("field", [{"port": 70_000}, {"device": "tpu"}, {"max_rows": 0}, {"unknown": 1}])
def test_values_that_mean_nothing_are_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServerSettings.model_validate({"model": "base", **field})


def test_only_the_right_bearer_token_passes() -> None:
    check_bearer(f"Bearer {KEY}", SecretStr(KEY))
    check_bearer(f"bearer  {KEY}", SecretStr(KEY))
    for wrong in (None, "", KEY, f"Basic {KEY}", f"Bearer {KEY}x", "Bearer \N{SNOWMAN}"):
        with pytest.raises(Unauthenticated):
            check_bearer(wrong, SecretStr(KEY))
