"""What routes are given: the services of the running server, and the check of the key."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from pydantic import SecretStr

from whisper_inference.composition import Services
from whisper_inference.errors import NotReady, ShuttingDown
from whisper_inference.observability.metrics import Metrics
from whisper_inference.readiness import Phase, Readiness
from whisper_inference.security.keys import check_bearer


@dataclass(slots=True)
class ServerState:
    """What the whole server shares; one for each application, made by `create_app`."""

    key: SecretStr
    readiness: Readiness
    metrics: Metrics
    started: int
    """Seconds since 1970."""
    loaded: Services | None = None

    def use_key(self, key: SecretStr) -> None:
        """Ask for this key from now on."""
        self.key = key


def server_state(request: Request) -> ServerState:
    """Find the state of the application that serves the request."""
    state = request.app.state.server
    if not isinstance(state, ServerState):
        raise TypeError("create_app makes the server's state")
    return state


State = Annotated[ServerState, Depends(server_state)]


def require_key(request: Request, state: State) -> None:
    """Let only those in who have the key."""
    check_bearer(request.headers.get("authorization"), state.key)


def loaded_services(state: State) -> Services:
    """Return the services of a server that takes requests.

    Raises:
        NotReady: The model is still loading.
        ShuttingDown: The server drains.
    """
    if state.readiness.phase is Phase.DRAINING:
        raise ShuttingDown("The server is shutting down; send the request to another one.")
    if state.loaded is None or not state.readiness.ready:
        raise NotReady("The model is still loading; try again in a moment.")
    return state.loaded


Loaded = Annotated[Services, Depends(loaded_services)]
