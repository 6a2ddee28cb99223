"""The HTTP interface as one ASGI application, built from the table of operations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from importlib.metadata import version
from itertools import groupby
from typing import Final

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.contract.methods import Method, all_services, methods_of
from chassis.identity import TokenVerifier
from gateway.rest.auth import Auth
from gateway.rest.contract import IDEMPOTENCY_HEADER, contract_operations
from gateway.rest.conversations import Conversations
from gateway.rest.dialect_views import DialectViews
from gateway.rest.endpoint import Endpoint
from gateway.rest.errors import PathNotFoundError, problem_response
from gateway.rest.messages import Messages
from gateway.rest.meta import Meta
from gateway.rest.middleware import RequestMiddleware
from gateway.rest.notifications import Notifications
from gateway.rest.openapi import document
from gateway.rest.operation import Group, Operation
from gateway.rest.pages import page_routes
from gateway.rest.readiness import Readiness
from gateway.rest.users import Users
from gateway.upstream.clients import Upstreams
from gateway.upstream.user_cache import UserCache

VERSION: Final = version("parley")
HEALTH_PATHS: Final = ("/healthz", "/readyz")
_METHODS: Final = ("GET", "POST", "PATCH", "DELETE")
_REQUEST_HEADERS: Final = ("Authorization", "Content-Type", IDEMPOTENCY_HEADER, "X-Request-Id")
_ANSWER_HEADERS: Final = ("Location", "Retry-After", "WWW-Authenticate", "X-Request-Id")


_GROUPS: Final = {
    "auth": "Signing in and out",
    "users": "The directory",
    "chat": "Conversations, messages and receipts",
    "presence": "Who is online",
    "notifications": "The caller's notifications",
}
"""The groups of the document, by the first part of their paths below /api, with what they are about."""


def table(
    upstreams: Upstreams,
    user_cache: UserCache,
    readiness: Readiness,
    trusted_proxies: int,
    methods: Iterable[Method] | None = None,
) -> tuple[Group, ...]:
    """Returns the one table of operations, which makes both the routes and the OpenAPI document.

    Args:
        upstreams: the services.
        user_cache: the names of users.
        readiness: whether this gateway can do its work.
        trusted_proxies: how many proxies of ours stand in front; see `client_address`.
        methods: the RPCs of the contract; by default those of all services.
    """
    listed = contract_operations(methods_of(all_services()) if methods is None else methods, upstreams)
    contract = {(row.method, row.path): operation for operation in listed for row in [operation.operation()]}
    by_hand = (
        *Auth(upstreams, trusted_proxies).operations(),
        *Users(contract).operations(),
        *Conversations(upstreams, DialectViews(upstreams, user_cache), contract).operations(),
        *Messages(upstreams, DialectViews(upstreams, user_cache), contract).operations(),
        *Notifications(contract).operations(),
    )
    rows = {key: operation.operation() for key, operation in contract.items()}
    rows |= {(row.method, row.path): row for row in by_hand}
    groups: dict[str, list[Operation]] = {name: [] for name in _GROUPS}
    for row in rows.values():
        groups.setdefault(_group_of(row.path), []).append(row)
    return (
        *(Group(name, _GROUPS.get(name, name.capitalize()), tuple(listed)) for name, listed in groups.items()),
        Meta(upstreams, readiness, VERSION).group(),
    )


def _group_of(path: str) -> str:
    """Returns the part of a path after /api, without a custom method such as ":search"."""
    return path.split("/")[2].partition(":")[0]


def application(groups: Sequence[Group], verifier: TokenVerifier, allowed_origins: Collection[str]) -> ASGIApp:
    """Builds the application.

    Args:
        groups: the table.
        verifier: verifies callers' tokens.
        allowed_origins: whose pages may call besides our own. Tokens travel in a header, so browsers need send no
            credentials of theirs.
    """
    pages = page_routes(msgspec.json.encode(document(groups, VERSION)))
    operations = [operation for group in groups for operation in group.operations]
    router = Router([*pages, *routes(operations, verifier)], redirect_slashes=False, default=_not_found)
    cors = CORSMiddleware(
        router,
        allow_origins=allowed_origins,
        allow_methods=_METHODS,
        allow_headers=_REQUEST_HEADERS,
        expose_headers=_ANSWER_HEADERS,
    )
    return RequestMiddleware(cors)


def health_alone(groups: Sequence[Group], verifier: TokenVerifier) -> ASGIApp:
    """What of the table tells health, for a port where nothing else is served."""
    operations = [operation for group in groups for operation in group.operations if operation.path in HEALTH_PATHS]
    return RequestMiddleware(Router(routes(operations, verifier), redirect_slashes=False, default=_not_found))


def routes(operations: Iterable[Operation], verifier: TokenVerifier) -> list[Route]:
    """One route for each path; those without parameters come first, so that /users/me is no user's id."""
    ordered = sorted(operations, key=lambda operation: _specificity(operation.path))
    return [_route(path, list(same_path), verifier) for path, same_path in groupby(ordered, lambda one: one.path)]


def _route(path: str, operations: list[Operation], verifier: TokenVerifier) -> Route:
    """Returns the route of a path; one of a custom method leaves other methods to an id that ends as it does."""
    methods = [operation.method for operation in operations] if ":" in path else None
    return Route(path, Endpoint(operations, verifier), methods=methods)


def _specificity(path: str) -> tuple[bool, bool, str]:
    """Orders paths: those without parameters come first, then those that end in a custom method."""
    return "{" in path, ":" not in path, path


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    response: Response = problem_response(
        PathNotFoundError("PATH_NOT_FOUND", "nothing answers at this path"),
        route=request.state.route,
        request_id=request.state.request_id,
    )
    await response(scope, receive, send)
