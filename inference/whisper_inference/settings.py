"""The server's settings, from its arguments and environment."""

from pydantic_settings import BaseSettings, SettingsConfigDict

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig


class ServerSettings(BaseSettings, RuntimeConfig):
    """`RuntimeConfig` as pydantic-settings reads it: arguments first, then `WHISPER_*`."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid", protected_namespaces=())
