"""The pages: who gets one, how they are cached and compressed, and that they load everything from the gateway."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import AsyncIterator
from importlib import resources

import httpx
import pytest
from starlette.routing import Router

from gateway.rest.middleware import RequestMiddleware
from gateway.rest.pages import page_routes, wants_page

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
FOLDER = resources.files("gateway.rest") / "pages"
VERSION = json.loads((FOLDER / "swagger-ui" / "package.json").read_bytes())["version"]
SCRIPT = f"/docs/swagger-ui-{VERSION}/swagger-ui-bundle.js"
STYLE = f"/docs/swagger-ui-{VERSION}/swagger-ui.css"
WEB = resources.files("gateway") / "web"
ASSETS = {f"/assets/{file.name}" for file in (WEB / "assets").iterdir()}
MESSENGER = ("/chat", "/chat/{conversation_id}")
MEDIA_TYPES = {
    **dict.fromkeys(MESSENGER, "text/html; charset=utf-8"),
    **{path: f"text/{'css' if path.endswith('.css') else 'javascript'}; charset=utf-8" for path in ASSETS},
    "/docs": "text/html; charset=utf-8",
    "/docs/docs.css": "text/css; charset=utf-8",
    "/docs/docs.js": "text/javascript; charset=utf-8",
    SCRIPT: "text/javascript; charset=utf-8",
    STYLE: "text/css; charset=utf-8",
    "/site.css": "text/css; charset=utf-8",
    "/icon.svg": "image/svg+xml",
    "/openapi.json": "application/json",
}
PATHS = sorted(MEDIA_TYPES)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the pages' routes alone."""
    app = RequestMiddleware(Router(list(page_routes(b'{"openapi": "3.1.0"}')), redirect_slashes=False))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test.example") as client:
        yield client


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML", True),
        ("application/json;q=0.5, text/html;q=0.9", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/plain, */*", False),
        ("text/html, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", False),
        ("text/html;q=0.4, application/json;q=0.5", False),
    ],
)
def test_only_who_prefers_html_gets_a_page(accept: str, page: bool) -> None:
    assert wants_page(accept) is page


def test_each_file_has_one_path() -> None:
    assert sorted(route.path for route in page_routes(b"{}")) == PATHS


@pytest.mark.parametrize(("path", "media_type"), sorted(MEDIA_TYPES.items()))
async def test_a_file_has_its_media_type(http: httpx.AsyncClient, path: str, media_type: str) -> None:
    response = await http.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_the_document_is_served_as_it_is(http: httpx.AsyncClient) -> None:
    assert (await http.get("/openapi.json")).content == b'{"openapi": "3.1.0"}'


@pytest.mark.parametrize("path", PATHS)
async def test_a_file_is_compressed_for_callers_that_accept_it(http: httpx.AsyncClient, path: str) -> None:
    compressed = await http.get(path, headers={"accept-encoding": "br, gzip;q=0.8"})
    assert compressed.headers["content-encoding"] == "gzip"
    for accept in ("identity", "gzip;q=0", "br"):
        plain = await http.get(path, headers={"accept-encoding": accept})
        assert "content-encoding" not in plain.headers
        assert plain.content == compressed.content
        assert "accept-encoding" in plain.headers["vary"].lower()


@pytest.mark.parametrize("path", [SCRIPT, STYLE, *sorted(ASSETS)])
async def test_caches_keep_a_file_whose_path_names_its_version(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", [path for path in PATHS if VERSION not in path and path not in ASSETS])
async def test_caches_ask_again_for_a_file_that_may_change(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", PATHS)
async def test_a_file_is_not_sent_twice(http: httpx.AsyncClient, path: str) -> None:
    first = await http.get(path)
    tag = first.headers["etag"]
    for given in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        repeat = await http.get(path, headers={"if-none-match": given})
        assert (repeat.status_code, repeat.content, repeat.headers["etag"]) == (304, b"", tag)
        assert repeat.headers["cache-control"] == first.headers["cache-control"]
        assert "content-encoding" not in repeat.headers
    for given in ("", '"other"', tag[:-2] + '"'):
        assert (await http.get(path, headers={"if-none-match": given})).status_code == 200


async def test_a_changed_document_has_another_tag(http: httpx.AsyncClient) -> None:
    router = Router(list(page_routes(b'{"openapi": "3.1.1"}')))
    changed = RequestMiddleware(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(changed), base_url="http://test.example") as other:
        tags = {(await client.get("/openapi.json")).headers["etag"] for client in (http, other)}
    assert len(tags) == 2


async def test_head_has_the_headers_of_get(http: httpx.AsyncClient) -> None:
    for path in PATHS:
        head, get = await http.head(path), await http.get(path)
        assert head.status_code == 200
        assert {**head.headers, "x-request-id": ""} == {**get.headers, "x-request-id": ""}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
async def test_other_methods_are_refused(http: httpx.AsyncClient, method: str) -> None:
    response = await http.request(method, "/docs")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert response.json()["error"]["reason"] == "METHOD_NOT_ALLOWED"
    options = await http.options("/docs")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_a_page_runs_only_what_the_gateway_serves(http: httpx.AsyncClient) -> None:
    policy = (await http.get("/docs")).headers["content-security-policy"]
    directives = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    for path in PATHS:
        if path not in {"/docs", *MESSENGER}:
            policy = (await http.get(path)).headers["content-security-policy"]
            assert policy == "default-src 'none'; frame-ancestors 'none'"


async def test_the_messenger_also_refuses_to_make_markup_of_texts(http: httpx.AsyncClient) -> None:
    docs = (await http.get("/docs")).headers["content-security-policy"]
    for path in ("/chat", "/chat/Zm9vYmFyYmF6cXV4cXV1eA"):
        response = await http.get(path)
        assert response.headers["content-security-policy"] == (
            f"{docs}; require-trusted-types-for 'script'; trusted-types 'none'"
        )


async def test_the_messenger_loads_in_less_than_80_kilobytes(http: httpx.AsyncClient) -> None:
    sizes = [len(gzip.compress((await http.get(path)).content)) for path in ("/chat", *ASSETS)]
    assert 0 < sum(sizes) < 80_000


async def test_everything_that_the_pages_refer_to_is_served_here(http: httpx.AsyncClient) -> None:
    """No page needs anything from another host, so they work without internet access."""
    for path, style in {"/docs": "/site.css", "/chat": min(path for path in ASSETS if path.endswith(".css"))}.items():
        addresses = re.findall(r'(?:src|href)="([^"]+)"', (await http.get(path)).text)
        assert style in addresses
        assert {*addresses} <= {*PATHS, "/"}


def test_no_page_names_another_host() -> None:
    for name in ("docs.html", "docs.css", "site.css", "icon.svg"):
        hosts = set(re.findall(r"https?://([^/\"'\s]+)", (FOLDER / name).read_text(encoding="utf-8")))
        assert hosts <= {"www.w3.org"}, name  # the name of SVG's namespace, which no browser fetches


def test_no_page_has_scripts_or_styles_in_itself() -> None:
    """The content security policy would not run them."""
    for file in (WEB / "index.html", FOLDER / "docs.html"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"<style|<script(?![^>]*src=)|\son\w+=|\sstyle=", text), file.name


def test_swagger_ui_comes_with_its_licences() -> None:
    folder = FOLDER / "swagger-ui"
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "SmartBear" in (folder / "NOTICE").read_text(encoding="utf-8")
    script = gzip.decompress((folder / "swagger-ui-bundle.js.gz").read_bytes()).decode()
    assert "swagger-ui-bundle.js.LICENSE.txt" in script.splitlines()[0]
    assert "MIT" in (folder / "swagger-ui-bundle.js.LICENSE.txt").read_text(encoding="utf-8")
    assert VERSION in script
