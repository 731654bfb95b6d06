"""`docs/routes.md`: every route with who may call it and as what it counts, from the application's own table."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import APIWebSocketRoute, iter_route_contexts

from whisper_contract.runtime import RuntimeConfig
from whisper_contract.surface import LEGACY_PATH, REALTIME_PATH
from whisper_inference.app import create_app
from whisper_inference.model_loading import load_model
from whisper_inference.routes.description import declared_operations, describe
from whisper_inference.security.accounts import Accounts
from whisper_inference.security.credentials import Credentials

_HEAD = """\
# Routes

Who may call what, and as what it counts ([access.md](access.md#how-often)); a role may do all that the ones before it
may: `viewer`, `transcriber`, `admin`. Fields, answers and errors are in [openapi.json](openapi.json). Besides these
there are the static files of the page (`/`, `/web/…`) and of `/docs` and `/redoc`, for anybody.
"""
_OLD = """
With `WHISPER_LEGACY` also the names of the service that this one replaces ([api-changes.md](api-changes.md)):
"""
_COLUMNS = "\n| route | what it does | role | counts as |\n|---|---|---|---|\n"


def make_described_app(*, legacy: bool = False) -> FastAPI:
    """Make an application to look at; nobody can reach it."""
    settings = RuntimeConfig(model="openai/whisper-base", legacy=legacy)
    return create_app(settings, load_model, Credentials(None, Accounts(), {}, None))


def render_routes() -> str:
    """Render the tables."""
    app = make_described_app(legacy=True)
    rows = list(_rows(app))
    current = [row for path, row in rows if not path.startswith(LEGACY_PATH)]
    old = [row for path, row in rows if path.startswith(LEGACY_PATH)]
    return _HEAD + _COLUMNS + "".join(current) + _OLD + _COLUMNS + "".join(old)


def _rows(app: FastAPI) -> Iterator[tuple[str, str]]:
    paths = describe(app)["paths"]
    for method, declared in declared_operations(app):
        summary = paths[declared.path][method]["summary"]
        role = "anybody" if declared.requires is None else f"`{declared.requires.role}`"
        counted = declared.requires or declared.limited
        rate = "" if counted is None else f"`{counted.rate}`"
        yield declared.path, f"| `{method.upper()} {declared.path}` | {summary} | {role} | {rate} |\n"
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIWebSocketRoute):
            said = (route.endpoint.__doc__ or "").partition("\n")[0].rstrip(".")
            page = "realtime.md" if route.path == REALTIME_PATH else "streaming.md"
            yield str(route.path), f"| WebSocket `{route.path}` | {said} | [{page}]({page}) | |\n"
