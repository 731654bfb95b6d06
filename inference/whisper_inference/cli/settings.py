"""From options and environment to settings, with a sentence for what is wrong."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from whisper_contract.runtime import ENVIRONMENT_PREFIX
from whisper_inference.errors import InvalidSettings
from whisper_inference.settings import ServerSettings


def read_settings(**options: object) -> ServerSettings:
    """Read the settings: options that were given, else the environment, else the defaults; `None` is not given.

    Raises:
        InvalidSettings: A value means nothing; the message names its variable.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return ServerSettings.model_validate(given)
    except ValidationError as problem:
        raise InvalidSettings("; ".join(_describe(error) for error in problem.errors()) + ".") from problem


def _describe(error: ErrorDetails) -> str:
    name = "_".join(str(part) for part in error["loc"]).upper()
    return f"{ENVIRONMENT_PREFIX}{name}: {error['msg'][:1].lower()}{error['msg'][1:]}"
