"""Settings from the environment."""

import pytest
from pydantic import SecretStr, ValidationError

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_inference.settings import ServerSettings

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


@pytest.mark.parametrize("field", [{"port": 70_000}, {"device": "tpu"}, {"max_rows": 0}, {"unknown": 1}])
def test_values_that_mean_nothing_are_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServerSettings.model_validate({"model": "base", **field})
