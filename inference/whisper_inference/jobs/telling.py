"""What tells the owners of jobs that they are over: each replica looks for webhooks that are due."""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from whisper_inference.errors import InvalidRequest, StoreUnavailable, UnsupportedField
from whisper_inference.jobs.destinations import Destination
from whisper_inference.jobs.job import Job, UnixTime
from whisper_inference.jobs.queue import JobQueue
from whisper_inference.jobs.webhook import MOST_TRIES, build_message, pause_after, sign
from whisper_inference.jobs.work import insist
from whisper_inference.transcription import Seconds

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
_AT_ONCE: Final = 8
_NOT_ALLOWED: Final = "the destination is not allowed any more"
_CLAIM_SECONDS: Final = 30.0
"""Longer than a call takes: another replica tries again when this one has died."""


class WebhookObserver(Protocol):
    """Told of webhooks."""

    def webhook_called(self, outcome: str) -> None:
        """One was called: `delivered`, `retried` or `failed`."""
        ...


class Calls(Protocol):
    """Whatever calls webhooks."""

    async def call(self, destination: Destination, message: bytes, headers: dict[str, str]) -> str | None:
        """Send a message; return why it did not arrive, or `None` if it did."""
        ...


class Teller:
    """Calls webhooks until the server stops.

    Args:
        queue: Where the jobs are.
        caller: What calls.
        links: Where to go on from a job.
        observer: Who measures.
        pause: How long to wait after so many tries.
    """

    def __init__(
        self,
        queue: JobQueue,
        caller: Calls,
        links: Callable[[str], dict[str, str]],
        observer: WebhookObserver,
        *,
        pause: Callable[[int], Seconds] = lambda tries: pause_after(tries, random.random()),  # noqa: S311 - no secret
    ) -> None:
        self._queue, self._caller = queue, caller
        self._links, self._observer, self._pause = links, observer, pause

    async def run(self) -> None:
        """Look for webhooks until the task is cancelled."""
        while True:
            pause = _LOOK_SECONDS
            try:
                await self.look()
            except StoreUnavailable as away:
                pause = away.retry_after_seconds
            except Exception:
                logger.exception("Calling webhooks failed")
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Call the webhooks that are due now."""
        due = await self._queue.store.due("webhooks", _AT_ONCE)
        await asyncio.gather(*(self._tell(each.id) for each in due))

    async def _tell(self, identity: str) -> None:
        job = await self._queue.change(identity, lambda each, now: each.calling(now, _CLAIM_SECONDS))
        if job is None or job.webhook is None:
            return
        problem = await self._call(job, job.webhook.url)
        tries, final = job.webhook.tries, job.webhook.tries >= MOST_TRIES
        wait = None if problem is None or final else self._pause(tries)

        def called(each: Job, now: UnixTime) -> Job | None:
            return each.called(tries, problem, None if wait is None else now + wait)

        await insist(lambda: self._queue.change(identity, called))
        self._observer.webhook_called("delivered" if problem is None else "failed" if final else "retried")

    async def _call(self, job: Job, url: str) -> str | None:
        policy = self._queue.policy
        if policy.secret is None:
            return _NOT_ALLOWED
        try:
            destination = policy.destinations.check(url)
        except (InvalidRequest, UnsupportedField):
            return _NOT_ALLOWED
        now = datetime.now(UTC)
        message = build_message(job, self._links(job.id), now)
        return await self._caller.call(destination, message, sign(job, message, policy.secret, now))
