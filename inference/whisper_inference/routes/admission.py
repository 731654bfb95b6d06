"""What every route that takes audio needs: a lease while its request lasts, and a count of the audio.

A route writes one parameter, and hands it on:

    async def transcribe(..., metered: Admitted) -> Response:
        ... services.transcriber.transcribe(file, options, metered)

The lease is taken before the body is read, and given back when the answer is sent, also a streamed one, and one whose
client has left. Work that outlives its request (a job) counts its audio with `state.meter.metered`, and its request's
`Principal.consumer`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from whisper_inference.dependencies import Requires, ServerState, State, was_handed_over
from whisper_inference.quotas.store import LeaseClass
from whisper_inference.security.roles import Principal, Role
from whisper_inference.transcriber.metering import Metering
from whisper_inference.transcriber.windows import WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class Admits:
    """Lets a request in while its credential has room for it, and holds that room until the answer is sent."""

    kind: LeaseClass
    at_once: bool = False
    """It is worked at while its client waits: where no replica has room, nothing is counted or read of it."""

    async def __call__(
        self, request: Request, state: State, someone: Annotated[Principal, Depends(Requires(Role.TRANSCRIBER))]
    ) -> AsyncIterator[Metering]:
        """Take a lease; give what counts the audio.

        The replica that hands a request over holds its lease; the one that does the work counts the audio.

        Raises:
            Overloaded: Nobody has room for the shortest sound.
            ConcurrencyLimited: As much as is allowed is under way.
            QuotaExceeded: The day's audio is used up.
        """
        if self.at_once:
            await _check_room(request, state)
        if was_handed_over(request, state):
            yield partial(state.meter.metered, someone.consumer)
            return
        async with state.meter.admit(someone.consumer, self.kind) as metered:
            yield metered


async def _check_room(request: Request, state: ServerState) -> None:
    """Refuse while it costs little: a server that is sent ten times too much has no time to read what it refuses."""
    services = state.loaded
    if services is None or services.scheduler.has_room(WINDOW_SECONDS):
        return
    others = None if was_handed_over(request, state) else state.handover
    if others is None or not await others.finds_room(WINDOW_SECONDS):
        services.scheduler.admit(WINDOW_SECONDS).release()  # refuses, unless there is room by now


Admitted = Annotated[Metering, Depends(Admits(LeaseClass.REQUESTS, at_once=True))]
