"""The pages that come with the HTTP interface, served from this package: nothing is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Final

from starlette.responses import Response

from gateway.rest.operation import Call, Group, Nothing, Operation

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-cache",  # they change with the server's version; a page of another one must not linger
    "Content-Security-Policy": _PAGE_POLICY,
}
_MEDIA_TYPES: Final = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "json": "application/json",
}
_FOLDER: Final = resources.files("gateway.rest") / "pages"
_FILES: Final = {
    "/docs": "explorer.html",
    "/docs/explorer.css": "explorer.css",
    "/docs/explorer.js": "explorer.js",
    "/docs/account.js": "account.js",
    "/docs/dom.js": "dom.js",
    "/docs/request.js": "request.js",
    "/docs/schema.js": "schema.js",
    "/site.css": "site.css",
    "/icon.svg": "icon.svg",
}


class Page:
    """One file, as it is answered.

    Args:
        name: the file's name, whose ending says what it is.
        content: what it holds; read from the package when it is left out.
    """

    def __init__(self, name: str, content: bytes | None = None) -> None:
        self._content = (_FOLDER / name).read_bytes() if content is None else content
        self.media_type: Final = _MEDIA_TYPES[name.rpartition(".")[2]]

    def response(self) -> Response:
        """The file as an answer."""
        return Response(self._content, headers=_HEADERS, media_type=self.media_type)

    async def handle(self, _call: Call[Nothing, Nothing]) -> Response:
        """Answers with the file."""
        return self.response()


def pages_group(document: bytes) -> Group:
    """The rows for the files, and for the OpenAPI document, which they are about and not part of."""
    pages: Mapping[str, Page] = {path: Page(name) for path, name in _FILES.items()}
    return Group(
        "pages",
        "Pages for people",
        tuple(_row(path, page) for path, page in {**pages, "/openapi.json": Page("openapi.json", document)}.items()),
    )


def _row(path: str, page: Page) -> Operation[Nothing, Nothing]:
    return Operation(
        "GET", path, path, "A file.", page.handle, query=Nothing, body=Nothing, answer=page.media_type, public=True
    )


def wants_page(accept: str) -> bool:
    """Whether an Accept header asks for HTML rather than JSON; only browsers name it."""
    qualities = {"text/html": 0.0, "application/json": 0.0}
    for entry in accept.lower().split(","):
        media_type, _, parameters = entry.partition(";")
        if media_type.strip() in qualities:
            qualities[media_type.strip()] = _quality(parameters)
    return qualities["text/html"] > qualities["application/json"]


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
