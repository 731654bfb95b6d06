"""What a store says when it takes no more."""

from typing import Final

from whisper_inference.errors import JobStoreFull, TooManyJobs
from whisper_inference.jobs.store import Room

_RETRY_SECONDS: Final = 60
"""Jobs take minutes: who comes back sooner finds the same."""


def store_full(room: Room) -> JobStoreFull:
    """Say that there is no room for another recording."""
    return JobStoreFull(
        f"The jobs of this server may take {room.total_bytes} bytes together, and there is no room for this one: "
        "try again later, delete jobs that you have read, or send a compressed recording.",
        retry_after_seconds=_RETRY_SECONDS,
    )


def too_many_jobs(room: Room) -> TooManyJobs:
    """Say that its owner has enough."""
    return TooManyJobs(
        f"You may have {room.open_jobs} jobs that are not over, and this would be more: wait for one, or delete one.",
        retry_after_seconds=_RETRY_SECONDS,
    )
