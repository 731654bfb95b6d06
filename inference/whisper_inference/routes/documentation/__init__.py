"""The description of the API: as a document, for those with a credential, and as two pages to read and try it.

The pages are files that tell nothing of the server, so they are public; what they show they fetch with the credential
that is typed into them and kept in their memory alone. All they load is served here.
"""

import importlib.resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from whisper_contract.surface import DESCRIPTION_PATH, DOCS_PATH, REDOC_PATH
from whisper_inference.dependencies import Limited, Requires
from whisper_inference.errors import NotFound
from whisper_inference.routes.description import describe
from whisper_inference.security.rate_limits import RateClass
from whisper_inference.security.roles import Role

_OURS: Final = Path(__file__).parent
_LIBRARIES: Final = Path(str(importlib.resources.files("fastapi_offline"))) / "static"
"""Swagger UI (Apache-2.0) and Redoc (MIT) as they are published, in a package that follows their releases."""

_ASSETS: Final = MappingProxyType(
    {
        "page.css": (_OURS / "page.css", "text/css"),
        "page.js": (_OURS / "page.js", "text/javascript"),
        "swagger-ui.css": (_LIBRARIES / "swagger-ui.css", "text/css"),
        "swagger-ui-bundle.js": (_LIBRARIES / "swagger-ui-bundle.js", "text/javascript"),
        "redoc.standalone.js": (_LIBRARIES / "redoc.standalone.js", "text/javascript"),
    }
)
"""Each file that the pages load: what a client names is looked up here, and never a path."""

_LOGO_ELSEWHERE: Final = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
"""The one thing that Redoc loads from its makers; the policy would refuse it."""
_EMPTY_STYLE: Final = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Of the empty text: Redoc makes an empty element and fills it through the CSSOM, which needs no more."""
_POLICY: Final = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {_EMPTY_STYLE}; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE_HEADERS: Final = MappingProxyType({"Content-Security-Policy": _POLICY})
_ASSET_HEADERS: Final = MappingProxyType({"Cache-Control": "public, max-age=300"})

_OPENAPI: Final = {
    "schema": {"type": "object", "required": ["openapi", "info", "paths"]},
    "example": {"openapi": "3.1.0", "info": {"title": "Whisper Inference", "version": "0.1.0"}, "paths": {}},
}

router = APIRouter(tags=["description"])


@router.get(
    DESCRIPTION_PATH,
    dependencies=[Depends(Requires(Role.VIEWER))],
    responses={200: {"description": "The document.", "content": {"application/json": _OPENAPI}}},
)
def get_description(request: Request) -> JSONResponse:
    """Describe this API.

    The answer is an OpenAPI 3.1 document: this one.
    """
    app = request.app
    if app.openapi_schema is None:
        app.openapi_schema = describe(app)
    return JSONResponse(app.openapi_schema)


def make_pages() -> APIRouter:
    """Make the routes of the pages, with all that these load already read."""
    pages = APIRouter(dependencies=[Depends(Limited(RateClass.READS))], include_in_schema=False)
    assets = {name: path.read_bytes().replace(_LOGO_ELSEWHERE, b"data:,") for name, (path, _) in _ASSETS.items()}

    @pages.get(DOCS_PATH)
    async def show_docs() -> FileResponse:
        """Show the description with Swagger UI, where requests can be tried."""
        return FileResponse(_OURS / "docs.html", headers=_PAGE_HEADERS, media_type="text/html")

    @pages.get(REDOC_PATH)
    async def show_redoc() -> FileResponse:
        """Show the description with Redoc, to be read."""
        return FileResponse(_OURS / "redoc.html", headers=_PAGE_HEADERS, media_type="text/html")

    @pages.get(DOCS_PATH + "/{name}")
    async def get_asset(name: str) -> Response:
        """Give the pages a file that they load.

        Raises:
            NotFound: They load no such file.
        """
        if name not in assets:
            raise NotFound("There is no such file.")
        return Response(assets[name], headers=_ASSET_HEADERS, media_type=_ASSETS[name][1])

    return pages
