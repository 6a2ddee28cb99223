"""The HTTP interface on a real port, before the real services in this process."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from chassis.identity import TokenVerifier
from chassis.rpc.channel import fetch_keys
from chassis.rpc.server import serving
from gateway.settings import Settings
from gateway.transports.http import serving_http
from gateway.upstream.clients import open_upstreams
from gateway.upstream.user_cache import UserCache, fetch_users
from services.chat.settings import Settings as ChatSettings
from services.chat.wiring import wire as wire_chat
from services.notify.settings import Settings as NotifySettings
from services.notify.wiring import wire as wire_notify
from services.presence.settings import Settings as PresenceSettings
from services.presence.wiring import wire as wire_presence
from tests.component.auth_service import RunningAuth, SignedIn

NOWHERE = "127.0.0.1:1"
ORIGIN = "https://crm.example"


@dataclass(frozen=True, slots=True)
class Harness:
    """The services that run, and the HTTP interface before them.

    Attributes:
        auth: the auth service.
        http: a client of the HTTP interface, with no token.
        notify_target: where the notify service is reached.
    """

    auth: RunningAuth
    http: httpx.AsyncClient
    notify_target: str

    async def join(self, organization_id: str, role: str, **given: Any) -> Person:
        """Makes a user of an organization, who is signed in."""
        return Person(self.http, await self.auth.sign_in_new(organization_id, role, **given))


class Person:
    """A signed-in user at the HTTP interface."""

    def __init__(self, http: httpx.AsyncClient, signed_in: SignedIn) -> None:
        self._http = http
        self.signed_in = signed_in
        self.id = signed_in.user_id

    async def request(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Makes a request with the user's token."""
        headers = {"authorization": f"Bearer {self.signed_in.access_token}", **given.pop("headers", {})}
        return await self._http.request(method, path, headers=headers, **given)

    async def get(self, path: str, **query: Any) -> Any:
        """Reads what must be there."""
        return answer_of(await self.request("GET", path, params=query))

    async def post(self, path: str, body: Any = None) -> Any:
        """Does what must succeed."""
        return answer_of(await self.request("POST", path, json=body))

    async def direct(self, other: Person) -> str:
        """The id of the direct conversation with another user."""
        answer = await self.post("/api/chat/direct/create", {"userId": other.id})
        conversation_id: str = answer["conversation"]["conversationId"]
        return conversation_id

    async def send(self, conversation_id: str, content: str, **fields: Any) -> Any:
        """Sends a message."""
        return await self.post("/api/chat/send", {"conversationId": conversation_id, "content": content, **fields})


def answer_of(response: httpx.Response) -> Any:
    """The JSON of an answer that must be a success."""
    assert response.is_success, response.text
    return response.json()


def problem_of(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and reason of a failure, which must have the body that all failures have."""
    error = response.json()["error"]
    assert set(error) <= {"code", "reason", "message", "retryAfterMs", "fields"}
    assert error["message"]
    return response.status_code, error["code"], error["reason"]


@asynccontextmanager
async def serving_chat(auth: RunningAuth, mongodb_uri: str, redis_url: str) -> AsyncIterator[str]:
    """Runs chat; yields where."""
    settings = ChatSettings(**_common(auth, mongodb_uri, redis_url), messages_per_second=1_000, messages_burst=1_000)
    async with _database(settings), wire_chat(settings) as service, serving(service, settings) as port:
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def serving_notify(auth: RunningAuth, mongodb_uri: str, redis_url: str) -> AsyncIterator[str]:
    """Runs notify, which hears nothing of chat; yields where."""
    settings = NotifySettings(**_common(auth, mongodb_uri, redis_url), chat_log=f"test-{secrets.token_hex(8)}")
    async with _database(settings), wire_notify(settings) as service, serving(service, settings) as port:
        yield f"127.0.0.1:{port}"


@asynccontextmanager
async def serving_presence(auth: RunningAuth, mongodb_uri: str, redis_url: str) -> AsyncIterator[str]:
    """Runs presence; yields where."""
    settings = PresenceSettings(**_common(auth, mongodb_uri, redis_url))
    async with _database(settings), wire_presence(settings) as service, serving(service, settings) as port:
        yield f"127.0.0.1:{port}"


def _common(auth: RunningAuth, mongodb_uri: str, redis_url: str) -> dict[str, Any]:
    service, secret = auth.service_credentials
    return {
        "mongodb_uri": mongodb_uri,
        "redis_url": redis_url,
        "mongodb_database": f"test_rest_{secrets.token_hex(8)}",
        "auth_target": auth.target,
        "service_name": service,
        "service_secret": SecretStr(secret),
        "drain_seconds": 1.0,
    }


@asynccontextmanager
async def _database(settings: ChatSettings | NotifySettings | PresenceSettings) -> AsyncIterator[None]:
    """Removes the database on leaving."""
    yield
    async with AsyncMongoClient[dict[str, object]](settings.mongodb_uri) as client:
        await client.drop_database(settings.mongodb_database)


@asynccontextmanager
async def serving_rest(
    auth: RunningAuth, *, is_stopping: Callable[[], bool] = lambda: False, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Runs the HTTP interface; yields a client of it. Services that are not named are nowhere."""
    service, secret = auth.service_credentials
    gateway_settings = Settings.model_validate(
        {
            "auth_target": auth.target,
            "chat_target": NOWHERE,
            "presence_target": NOWHERE,
            "notify_target": NOWHERE,
            "service_name": service,
            "service_secret": SecretStr(secret),
            "allowed_origins": (ORIGIN,),
            "drain_seconds": 5.0,
        }
        | settings
    )
    async with open_upstreams(gateway_settings) as upstreams:
        verifier = TokenVerifier(lambda: fetch_keys(upstreams.auth_channel))
        people = UserCache(partial(fetch_users, upstreams))
        async with (
            serving_http(gateway_settings, upstreams, verifier, people, is_stopping=is_stopping) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client,
        ):
            yield client
