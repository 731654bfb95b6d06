"""The machine that a benchmark runs on."""

import resource
from typing import Final

import psutil

BUSY: Final = 0.25
"""Of all cores: with more of them taken by others, times are not a server's own."""
_LOOK_SECONDS: Final = 10


def share_of_others() -> float:
    """Return the share of all cores that others take; a load average would count what ended a minute ago."""
    return psutil.cpu_percent(interval=_LOOK_SECONDS) / 100


def allow_open_files(wanted: int) -> None:
    """Let this process, and those that it starts, have so many files open, or as many as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, most), most))
