"""The page for people at `/`: files that tell nothing of the server, so they are public.

Everything else the page asks for with the credential that is typed into it; docs/streaming.md says what it does.
"""

from pathlib import Path
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse

from whisper_contract.surface import PAGE_FILES_PATH, PAGE_PATH
from whisper_inference.dependencies import Limited
from whisper_inference.errors import NotFound
from whisper_inference.security.rate_limits import RateClass

_FILES: Final = Path(__file__).parents[1] / "web"
_KINDS: Final = MappingProxyType({".css": "text/css", ".js": "text/javascript"})
ASSETS: Final = MappingProxyType({path.name: path for path in _FILES.iterdir() if path.suffix in _KINDS})
"""Each file that the page loads: what a client names is looked up here, and never a path."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing inline, nothing from elsewhere, and no text becomes markup or a script."""
_PAGE_HEADERS: Final = MappingProxyType(
    {
        "Content-Security-Policy": _POLICY,
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
    }
)
_ASSET_HEADERS: Final = MappingProxyType({"Cache-Control": "public, max-age=300"})

router = APIRouter(dependencies=[Depends(Limited(RateClass.READS))], include_in_schema=False)


@router.get(PAGE_PATH)
def show_page() -> FileResponse:
    """Show the page."""
    return FileResponse(_FILES / "index.html", headers=_PAGE_HEADERS, media_type="text/html")


@router.get(PAGE_FILES_PATH + "/{name}")
def get_page_file(name: str) -> FileResponse:
    """Give the page a file that it loads.

    Raises:
        NotFound: It loads no such file.
    """
    if name not in ASSETS:
        raise NotFound("There is no such file.")
    path = ASSETS[name]
    return FileResponse(path, headers=_ASSET_HEADERS, media_type=_KINDS[path.suffix])
