"""The page at `/` as it is served: public files, under a policy that lets nothing in from elsewhere."""

import re

import httpx
import pytest

from tests.support.running_server import RunningServer
from whisper_inference.routes.page import ASSETS


@pytest.fixture(scope="module")
def page(server: RunningServer) -> httpx.Response:
    """What a browser gets without a credential."""
    return httpx.get(f"{server.url}/")


def test_the_page_is_public_and_loads_only_what_is_served_here(server: RunningServer, page: httpx.Response) -> None:
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    loaded = set(re.findall(r'(?:src|href)="([^"]+)"', page.text)) - {"data:,"}
    assert loaded == {"web/page.css", "web/page.js"}
    assert all(httpx.get(f"{server.url}/{name}").status_code == 200 for name in loaded)


def test_its_policy_allows_nothing_inline_and_no_other_origin(page: httpx.Response) -> None:
    header = page.headers["Content-Security-Policy"]
    policy = {name: sources for name, _, sources in (part.strip().partition(" ") for part in header.split(";"))}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == "'none'"
    assert "unsafe" not in header
    assert "http" not in header


def test_nothing_in_it_is_inline(page: httpx.Response) -> None:
    assert re.findall(r"<script(?![^>]* src=)", page.text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", page.text) == []


def test_only_it_may_use_the_microphone(server: RunningServer, page: httpx.Response) -> None:
    assert page.headers["Permissions-Policy"] == "camera=(), geolocation=(), microphone=(self)"
    assert "microphone=()" in httpx.get(f"{server.url}/docs").headers["Permissions-Policy"]


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_its_files_are_kept_for_minutes(server: RunningServer, name: str) -> None:
    answer = httpx.get(f"{server.url}/web/{name}")
    assert answer.headers["Content-Type"].startswith(("text/css", "text/javascript"))
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["index.html", "%2e%2e%2fapp.py", "nothing.js"])
def test_no_other_file_is_given_away(server: RunningServer, name: str) -> None:
    assert httpx.get(f"{server.url}/web/{name}").status_code == 404


def test_the_management_port_has_no_page(server: RunningServer) -> None:
    for path in ("/", "/web/page.js"):
        assert httpx.get(server.management_url + path).status_code == 404
