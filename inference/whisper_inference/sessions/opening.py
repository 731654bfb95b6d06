"""Where the settings say that sessions are kept."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from whisper_contract.runtime import ENVIRONMENT_PREFIX, RuntimeConfig
from whisper_inference.errors import InvalidSettings
from whisper_inference.given import given_secret
from whisper_inference.sessions.availability import Availability
from whisper_inference.sessions.memory import MemoryStore
from whisper_inference.sessions.redis import RedisStore
from whisper_inference.sessions.redis_address import connect
from whisper_inference.sessions.redis_link import RedisLink
from whisper_inference.sessions.store import SessionStore
from whisper_inference.sessions.sweeping import Sweeper, SweepObserver


def open_link(
    settings: RuntimeConfig, tell: Callable[[bool], None], tell_refusal: Callable[[str], None] = lambda _: None
) -> RedisLink | None:
    """Make the way to Redis; `None` without an address.

    Args:
        settings: With the address.
        tell: Called with whether Redis answers, whenever that changes.
        tell_refusal: Called with the reason when it answers and refuses.

    Raises:
        InvalidSettings: The address means nothing, or its file cannot be read.
    """
    address = given_secret(settings.redis_url, settings.redis_url_file)
    return None if address is None else RedisLink(connect(address), Availability(time.monotonic, tell, tell_refusal))


def open_store(link: RedisLink | None) -> SessionStore:
    """Make the store: in Redis if there is one, else in this process."""
    return MemoryStore(time.monotonic) if link is None else RedisStore(link)


def open_sweeper(
    settings: RuntimeConfig, link: RedisLink | None, clock: Callable[[], datetime], observer: SweepObserver
) -> Sweeper | None:
    """Make what sweeps the store; memory forgets by itself.

    Raises:
        InvalidSettings: A session may last for longer than anything of it is kept.
    """
    if settings.session_absolute_seconds > settings.session_retention_seconds:
        raise InvalidSettings(
            f"A session may last {settings.session_absolute_seconds:.0f} s, and nothing of it is kept for longer than "
            f"{settings.session_retention_seconds:.0f} s: raise {ENVIRONMENT_PREFIX}SESSION_RETENTION_SECONDS or lower "
            f"{ENVIRONMENT_PREFIX}SESSION_ABSOLUTE_SECONDS."
        )
    retention = timedelta(seconds=settings.session_retention_seconds)
    return None if link is None else Sweeper(link, retention, clock, observer)
