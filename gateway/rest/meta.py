"""What is not about chat: the welcome, health, and the keys that tokens are verified with."""

from __future__ import annotations

from typing import Final

from parley.auth.v1 import auth_pb2
from starlette.responses import Response

from gateway.rest.endpoint import json_response
from gateway.rest.operation import Call, Group, Handler, Operation, Schema
from gateway.rest.pages import messenger_page, wants_page
from gateway.rest.readiness import Readiness, TtlCache
from gateway.rest.schemas import object_of
from gateway.upstream.clients import Upstreams
from gateway.wire.json_objects import Object

KEYS_MAX_AGE_SECONDS: Final = 300
"""As long as the services themselves remember keys."""
_KEYS_REMEMBER_SECONDS: Final = 5.0


_TEXT: Final[Schema] = {"type": "string"}
WELCOME: Final = object_of(
    {"message": _TEXT, "version": _TEXT, "documentation": _TEXT}, description="What this is, and where its pages are."
)
HEALTH: Final = object_of({"status": {"const": "ok"}}, description="The state of this process.")
KEY_SET: Final = object_of(
    {"keys": {"type": "array", "items": {"type": "object"}}}, description="A JSON Web Key Set (RFC 7517)."
)


class Meta:
    """The operations beside /api.

    Args:
        upstreams: the services.
        readiness: whether this gateway can do its work.
        version: of the program.
    """

    def __init__(self, upstreams: Upstreams, readiness: Readiness, version: str) -> None:
        self._upstreams = upstreams
        self._readiness = readiness
        self._version = version
        self._keys = TtlCache(_KEYS_REMEMBER_SECONDS, self._fetch_keys)
        self._home = messenger_page()

    async def welcome(self, call: Call) -> Response:
        """The messenger for browsers, JSON for everyone else."""
        if wants_page(call.request.headers.get("accept", "")):
            response = self._home.response(call.request)
        else:
            response = json_response(
                {"message": "Welcome to the CRM chat API", "version": self._version, "documentation": "/docs"}
            )
        response.headers.add_vary_header("Accept")
        return response

    async def live(self, _call: Call) -> Object:
        """Answers while the process does."""
        return {"status": "ok"}

    async def ready(self, _call: Call) -> Object:
        """Answers while the process can do its work."""
        await self._readiness.check()
        return {"status": "ok"}

    async def keys(self, _call: Call) -> Response:
        """The keys, as auth publishes them."""
        headers = {"Cache-Control": f"public, max-age={KEYS_MAX_AGE_SECONDS}"}
        return Response(await self._keys.get(), headers=headers, media_type="application/json")

    async def _fetch_keys(self) -> str:
        response = await self._upstreams.call(self._upstreams.auth.ListKeys, auth_pb2.ListKeysRequest())
        return response.jwks

    def group(self) -> Group:
        """The rows of the table."""
        return Group(
            "meta",
            "Health and keys",
            (
                _row("/", "welcome", "What this is; for a browser, the messenger.", self.welcome, WELCOME),
                _row("/healthz", "live", "Answers while the process lives.", self.live, HEALTH),
                _row("/readyz", "ready", "Answers 200 while auth and chat can be reached.", self.ready, HEALTH),
                _row(
                    "/.well-known/jwks.json",
                    "listKeys",
                    "The keys that access tokens are verified with.",
                    self.keys,
                    KEY_SET,
                ),
            ),
        )


def _row(path: str, name: str, summary: str, handler: Handler, answer: Schema) -> Operation:
    return Operation("GET", path, name, summary, handler, answer, public=True)
