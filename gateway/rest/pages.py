"""The pages of the HTTP interface: the messenger, Swagger UI at /docs, and the OpenAPI document it shows.

All files come with this package: browsers fetch nothing from other hosts.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from importlib import resources
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.rest.errors import MethodNotAllowedError, problem_response

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The messenger makes its page from values alone: no script may turn a text into markup or code.
_APP_POLICY: Final = f"{_PAGE_POLICY}; require-trusted-types-for 'script'; trusted-types 'none'"
_REVALIDATE: Final = "no-cache"
_FOREVER: Final = "public, max-age=31536000, immutable"
_MEDIA_TYPES: Final = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "json": "application/json",
}
_ALLOWED: Final = "GET, HEAD, OPTIONS"
_NOT_MODIFIED: Final = 304
_FOLDER: Final = resources.files("gateway.rest") / "pages"
_FILES: Final = {
    "/docs": "docs.html",
    "/docs/docs.css": "docs.css",
    "/docs/docs.js": "docs.js",
    "/site.css": "site.css",
    "/icon.svg": "icon.svg",
}
_MESSENGER: Final = resources.files("gateway") / "web"
_MESSENGER_PATHS: Final = ("/chat", "/chat/{conversation_id}")
_SWAGGER_UI: Final = _FOLDER / "swagger-ui"
_SWAGGER_UI_FILES: Final = ("swagger-ui-bundle.js", "swagger-ui.css")


class Page:
    """A file, and the responses that serve it.

    Args:
        name: the file's name; its suffix decides the media type.
        compressed: the content, compressed with gzip.
        cache_control: how long caches may serve the file without asking for it again.
        policy: the content security policy, if it is a page.
    """

    def __init__(
        self, name: str, compressed: bytes, cache_control: str = _REVALIDATE, policy: str = _PAGE_POLICY
    ) -> None:
        self._compressed = compressed
        self._media_type = _MEDIA_TYPES[name.rpartition(".")[2]]
        # Weak: the same tag stands for the compressed and the plain form.
        self._tag = f'W/"{hashlib.sha256(compressed).hexdigest()[:32]}"'
        self._headers = {"Cache-Control": cache_control, "ETag": self._tag, "Vary": "Accept-Encoding"}
        if self._media_type == "text/html":
            self._headers["Content-Security-Policy"] = policy

    def response(self, request: Request) -> Response:
        """Returns the file, or 304 if the caller has it already."""
        if _matches(request.headers.get("if-none-match", ""), self._tag):
            return Response(status_code=_NOT_MODIFIED, headers=self._headers)
        if _qualities(request.headers.get("accept-encoding", "")).get("gzip", 0.0) > 0.0:
            headers = {**self._headers, "Content-Encoding": "gzip"}
            return Response(self._compressed, headers=headers, media_type=self._media_type)
        return Response(gzip.decompress(self._compressed), headers=self._headers, media_type=self._media_type)


def own_page(name: str) -> Page:
    """Reads a file of ours; `{swagger-ui}` in it becomes the path of Swagger UI's files."""
    content = (_FOLDER / name).read_bytes().replace(b"{swagger-ui}", _swagger_ui_path().encode())
    return _page(name, content)


def messenger_page() -> Page:
    """Reads the messenger's page, which `make web` builds from web/messenger."""
    content = gzip.compress((_MESSENGER / "index.html").read_bytes(), mtime=0)
    return Page("index.html", content, policy=_APP_POLICY)


def page_routes(document: bytes) -> Iterator[Route]:
    """Makes the routes of all files.

    Args:
        document: the OpenAPI document, in JSON.
    """
    for path, name in _FILES.items():
        yield Route(path, _PageEndpoint(path, own_page(name)))
    for name in _SWAGGER_UI_FILES:
        path = f"{_swagger_ui_path()}/{name}"
        yield Route(path, _PageEndpoint(path, Page(name, (_SWAGGER_UI / f"{name}.gz").read_bytes(), _FOREVER)))
    for path in _MESSENGER_PATHS:
        yield Route(path, _PageEndpoint(path, messenger_page()))
    for file in sorted((_MESSENGER / "assets").iterdir(), key=lambda file: file.name):
        path = f"/assets/{file.name}"  # the name has a hash of the content
        yield Route(path, _PageEndpoint(path, Page(file.name, gzip.compress(file.read_bytes(), mtime=0), _FOREVER)))
    yield Route("/openapi.json", _PageEndpoint("/openapi.json", _page("openapi.json", document)))


class _PageEndpoint:
    """A page's path, as an ASGI application.

    Args:
        path: the path, for metrics and logs.
        page: served to GET and HEAD.
    """

    def __init__(self, path: str, page: Page) -> None:
        self._path = path
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        request.state.route = self._path
        await self._respond(request)(scope, receive, send)

    def _respond(self, request: Request) -> Response:
        if request.method in {"GET", "HEAD"}:  # the server omits the body of HEAD
            return self._page.response(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": _ALLOWED})
        error = MethodNotAllowedError(_ALLOWED)
        return problem_response(error, route=self._path, request_id=request.state.request_id)


def _page(name: str, content: bytes) -> Page:
    # Without the time, every gateway of one version gives a file the same tag.
    return Page(name, gzip.compress(content, mtime=0))


def _swagger_ui_path() -> str:
    """Returns the path of Swagger UI's files; it names their version, so that caches may keep them forever."""
    version: str = msgspec.json.decode((_SWAGGER_UI / "package.json").read_bytes())["version"]
    return f"/docs/swagger-ui-{version}"


def _matches(if_none_match: str, tag: str) -> bool:
    """Compares weakly, as https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match says."""
    tags = [entry.strip().removeprefix("W/") for entry in if_none_match.split(",")]
    return tag.removeprefix("W/") in tags or tags == ["*"]


def wants_page(accept: str) -> bool:
    """Reports whether an Accept header prefers HTML to JSON; only browsers name HTML."""
    qualities = _qualities(accept)
    return qualities.get("text/html", 0.0) > qualities.get("application/json", 0.0)


def _qualities(header: str) -> dict[str, float]:
    """Maps each value that a header such as Accept names to its quality, 0 to 1."""
    qualities = {}
    for entry in header.lower().split(","):
        value, _, parameters = entry.partition(";")
        qualities[value.strip()] = _quality(parameters)
    return qualities


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
