"""What routes are given: the services of the running server, and the check of who asks."""

from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from fastapi.params import Depends as DependsMarker
from starlette.requests import HTTPConnection

from whisper_contract.surface import HANDOFF_HEADER
from whisper_inference.audit.events import Action
from whisper_inference.audit.recording import Audit
from whisper_inference.auditing import Audited, client_address, request_audit
from whisper_inference.composition import Services
from whisper_inference.errors import Forbidden, NotReady, RateLimited, ShuttingDown, Unauthenticated
from whisper_inference.jobs.queue import JobQueue
from whisper_inference.models.cache_contents import CacheContents
from whisper_inference.observability.metrics import Metrics
from whisper_inference.query import refuse_unknown_query
from whisper_inference.quotas.meter import Meter
from whisper_inference.readiness import Phase, Readiness
from whisper_inference.replicas.handover import Handover
from whisper_inference.security.authentication import Authenticator
from whisper_inference.security.client_secrets import ClientSecrets
from whisper_inference.security.rate_limits import RateClass, RateLimits, Standing
from whisper_inference.security.roles import Principal, Role
from whisper_inference.security.stream_tokens import StreamTokens
from whisper_inference.streaming.desk import Desk


@dataclass(slots=True)
class ServerState:
    """What the whole server shares; one for each application, made by `create_app`."""

    authenticator: Authenticator
    stream_tokens: StreamTokens
    client_secrets: ClientSecrets
    limits: RateLimits
    meter: Meter
    desk: Desk
    readiness: Readiness
    metrics: Metrics
    jobs: JobQueue
    audit: Audit
    started: int
    """Seconds since 1970."""
    cache: CacheContents | None = None
    """The server's own; not that of a person's command line."""
    loaded: Services | None = None
    allowed_origins: Collection[str] = ()
    """Whose pages may call the server, besides its own."""
    handover: Handover | None = None
    """Asks other replicas when this one is full."""


def server_state(request: HTTPConnection) -> ServerState:
    """Find the state of the application that serves the request."""
    state = request.scope["app"].state.server
    if not isinstance(state, ServerState):
        raise TypeError("create_app makes the server's state")
    return state


async def _state(request: HTTPConnection) -> ServerState:
    # A coroutine, here and below: FastAPI sends plain functions to a thread, which costs more than they do.
    return server_state(request)


State = Annotated[ServerState, Depends(_state)]

Identify: TypeAlias = Callable[[str | None], Awaitable[Principal]]
"""Says whose an `Authorization` is, or raises `Unauthenticated`."""


@dataclass(frozen=True, slots=True)
class Requires:
    """Lets only those in whose role includes this one, and not too often; every route but the public ones names one."""

    role: Role

    @property
    def rate(self) -> RateClass:
        """As what a request counts."""
        return RateClass.TRANSCRIPTIONS if self.role is Role.TRANSCRIBER else RateClass.READS

    async def __call__(self, request: Request, state: State) -> Principal:
        """Check the request's credential, and return whose it is.

        Raises:
            Unauthenticated: There is none, or it is not good.
            Forbidden: It is good, and its role is not enough.
            RateLimited: There were too many requests.
            StoreUnavailable: It is a session's, and sessions cannot be reached.
            RequestValidationError: The query has a parameter that the route does not know.
        """
        checked = _checked(request)
        principal = checked.get(self)
        if principal is None:
            principal = await self.admit(request, state, request.headers.get("authorization"))
            refuse_unknown_query(request)
            checked[self] = principal
        return principal

    async def admit(
        self, request: HTTPConnection, state: ServerState, authorization: str | None, identify: Identify | None = None
    ) -> Principal:
        """Check a credential that came in the way of the request's protocol; see `__call__`.

        Args:
            request: Who connects.
            state: The server's.
            authorization: The credential.
            identify: Knows credentials that are good here alone, too.
        """
        identify = identify or state.authenticator.identify
        if was_handed_over(request, state):
            # The replica that it came to has counted it.
            principal = await _identify(request, identify, authorization)
        else:
            principal = await self._identify_and_count(authorization, request, state, identify)
        if not principal.role.includes(self.role):
            raise Forbidden(f"This needs the role {self.role}, and {principal.name} has the role {principal.role}.")
        return principal

    async def _identify_and_count(
        self, authorization: str | None, request: HTTPConnection, state: ServerState, identify: Identify
    ) -> Principal:
        address = client_address(request)
        with _telling(request, state, RateClass.REFUSALS):
            await state.limits.check_refusals(address)
        try:
            principal = await _identify(request, identify, authorization)
        except Unauthenticated:
            await state.limits.refused(address)
            raise
        await _count(request, state, self.rate, principal.credential)
        return principal


@dataclass(frozen=True, slots=True)
class Limited:
    """Lets everybody in, and no address too often: for routes that need no credential."""

    rate: RateClass

    async def __call__(self, request: Request, state: State) -> None:
        """Count the request.

        Raises:
            RateLimited: There were too many.
            RequestValidationError: The query has a parameter that the route does not know.
        """
        checked = _checked(request)
        if self not in checked:
            await _count(request, state, self.rate, client_address(request))
            refuse_unknown_query(request)
            checked[self] = None


def audited(role: Role, action: Action) -> list[DependsMarker]:
    """Return the dependencies of a route whose whole work is one act: first who asks, then what is written down."""
    return [Depends(Requires(role)), Depends(Audited(action))]


def was_handed_over(request: HTTPConnection, state: ServerState) -> bool:
    """Say whether another replica has sent the request on, and proves it; a client's own claim counts for nothing."""
    proof = request.headers.get(HANDOFF_HEADER)
    authorization = request.headers.get("authorization")
    return proof is not None and state.handover is not None and state.handover.proves(proof, authorization or "")


def _checked(request: Request) -> dict[object, Principal | None]:
    """Return what each check of this request has found: who is checked before the body is read is so only once."""
    found: dict[object, Principal | None] | None = getattr(request.state, "checked", None)
    if found is None:
        found = request.state.checked = {}
    return found


async def _identify(request: HTTPConnection, identify: Identify, authorization: str | None) -> Principal:
    principal = await identify(authorization)
    request_audit(request).principal = principal
    return principal


async def _count(request: HTTPConnection, state: ServerState, rate: RateClass, who: str) -> None:
    with _telling(request, state, rate):
        standing = await state.limits.take(rate, who)
    if standing is not None:
        _tell(request, standing)


@contextmanager
def _telling(request: HTTPConnection, state: ServerState, rate: RateClass) -> Iterator[None]:
    """Let a refusal say how its sender stands, and be counted."""
    try:
        yield
    except RateLimited as refused:
        _tell(request, Standing(refused.limit, 0, refused.retry_after_seconds))
        state.metrics.limited(rate)
        raise


def _tell(request: HTTPConnection, standing: Standing) -> None:
    """Let the answer say how its sender stands (draft-ietf-httpapi-ratelimit-headers-03)."""
    request.state.headers = {
        "RateLimit-Limit": str(standing.limit),
        "RateLimit-Remaining": str(standing.remaining),
        "RateLimit-Reset": str(standing.reset_seconds),
    }


async def loaded_services(state: State) -> Services:
    """Give a route the services of a server that takes requests.

    Raises:
        NotReady: The model is still loading.
        ShuttingDown: The server drains.
    """
    return services_of(state)


def services_of(state: ServerState) -> Services:
    """Return the services of a server that takes requests.

    Raises:
        NotReady: The model is still loading.
        ShuttingDown: The server drains.
    """
    if state.readiness.phase is Phase.DRAINING:
        raise ShuttingDown("The server is shutting down; send the request to another one.")
    if state.loaded is None or not state.readiness.takes_requests:
        raise NotReady("The model is still loading; try again in a moment.")
    return state.loaded


Loaded = Annotated[Services, Depends(loaded_services)]
