"""The pages that show the description: in a real browser, under their policy, with nothing from elsewhere."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.api.conftest import PASSWORD
from tests.support.browser import Page, browser_page
from tests.support.running_server import KEY, RunningServer

PAGES = ("/docs", "/redoc")
ASSETS = ("page.css", "page.js", "swagger-ui.css", "swagger-ui-bundle.js", "redoc.standalone.js")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A tab of a browser."""
    with browser_page() as opened:
        yield opened


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_are_public_and_load_only_what_is_served_here(server: RunningServer, path: str) -> None:
    answer = httpx.get(server.url + path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) >= 3
    for name in set(loaded) - {"data:,"}:
        assert httpx.get(f"{server.url}/{name}").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_the_policy_of_the_pages_allows_no_inline_script_and_no_other_origin(server: RunningServer, path: str) -> None:
    header = httpx.get(server.url + path).headers["Content-Security-Policy"]
    policy = {name: sources for name, _, sources in (part.strip().partition(" ") for part in header.split(";"))}
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in header
    assert "http" not in header


@pytest.mark.parametrize("name", ASSETS)
def test_the_files_of_the_pages_are_kept_for_minutes(server: RunningServer, name: str) -> None:
    answer = httpx.get(f"{server.url}/docs/{name}")
    assert answer.headers["Content-Type"].startswith(("text/css", "text/javascript"))
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["__init__.py", "%2e%2e%2fapp.py", "docs.html", "swagger-ui-bundle.js.map"])
def test_no_other_file_is_given_away(server: RunningServer, name: str) -> None:
    assert httpx.get(f"{server.url}/docs/{name}").status_code in {401, 404}


def sign_in(page: Page, url: str, **fields: str) -> None:
    """Open a page, fill its form, and send it."""
    page.open(url)
    page.complaints.clear()
    page.requested.clear()
    for name, value in fields.items():
        page.run(f"document.getElementById('{name}').value = {value!r}")
    page.run("document.querySelector('#sign-in button').click()")


def check_good_manners(page: Page, server: RunningServer) -> None:
    """Nothing was refused by the policy, nothing failed, and nothing was asked of anybody else."""
    assert page.complaints == []
    elsewhere = [url for url in page.requested if not url.startswith((server.url, "data:"))]
    assert elsewhere == []


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{"key": KEY}, {"username": "viewer", "password": PASSWORD}])
def test_swagger_ui_shows_every_operation(server: RunningServer, page: Page, fields: dict[str, str]) -> None:
    sign_in(page, f"{server.url}/docs", **fields)
    page.wait("document.querySelectorAll('.opblock').length > 0")
    paths = httpx.get(f"{server.url}/openapi.json", headers=server.headers).json()["paths"]
    shown = page.run("document.querySelectorAll('.opblock').length")
    assert shown == sum(len(methods) for methods in paths.values())
    check_good_manners(page, server)


@pytest.mark.slow
def test_swagger_ui_tries_a_route_with_the_credential_that_was_given(server: RunningServer, page: Page) -> None:
    sign_in(page, f"{server.url}/docs", key=KEY)
    page.wait("document.querySelector('#operations-auth-auth_me .opblock-summary-control') !== null")
    for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
        selector = f"#operations-auth-auth_me {button}"
        page.wait(f"document.querySelector('{selector}') !== null")
        page.run(f"document.querySelector('{selector}').click()")
    page.wait("document.querySelector('#operations-auth-auth_me .live-responses-table .response-col_status') !== null")
    status = page.run(
        "document.querySelector('#operations-auth-auth_me .live-responses-table tbody .response-col_status').innerText"
    )
    assert str(status).startswith("200")
    check_good_manners(page, server)


@pytest.mark.slow
def test_redoc_shows_every_operation(server: RunningServer, page: Page) -> None:
    sign_in(page, f"{server.url}/redoc", key=KEY)
    page.wait("document.body.innerText.includes('Describe this API')")
    paths = httpx.get(f"{server.url}/openapi.json", headers=server.headers).json()["paths"]
    text = str(page.run("document.body.textContent"))
    for methods in paths.values():
        for operation in methods.values():
            assert operation["summary"] in text
    check_good_manners(page, server)


@pytest.mark.slow
def test_a_wrong_key_is_told_and_nothing_is_shown(server: RunningServer, page: Page) -> None:
    sign_in(page, f"{server.url}/docs", key="wrong")
    page.wait("document.getElementById('problem').textContent !== ''")
    assert page.run("document.querySelectorAll('.opblock').length") == 0
