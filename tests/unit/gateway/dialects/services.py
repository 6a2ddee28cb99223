"""The services as dialects call them, with a test's answers behind the generated stubs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from google.protobuf.timestamp_pb2 import Timestamp
from parley.auth.v1.auth_pb2 import IssueServiceTokenResponse
from parley.auth.v1.user_pb2 import ROLE_AGENT_L1, ROLE_CLIENT, ROLE_SALES, User

from chassis.errors import AppError, NotFoundError
from chassis.identity import Identity
from chassis.rpc.channel import ServiceTokens
from gateway.sessions.user_client import UserClient
from gateway.upstream.clients import Upstreams
from gateway.upstream.user_cache import Fetch, UserCache

USERS = {
    "ann": User(user_id="ann", name="Ann", role=ROLE_SALES, avatar_url="https://crm.example/ann.png"),
    "42": User(user_id="42", name="Bob", role=ROLE_AGENT_L1),
    "carl": User(user_id="carl", name="Carl", role=ROLE_CLIENT),
}
"""The directory's users; Bob's id is a number for front-ends with numbers."""

Answer = Any
"""A response, an error, or a function that returns or awaits one for a request."""


class Services:
    """The answers of the services, by the name of the method.

    Args:
        answers: the answers; any other method answers NOT_FOUND.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        issued = IssueServiceTokenResponse(access_token="token", expire_time=Timestamp(seconds=4_000_000_000))
        self.answers: dict[str, Answer] = {"IssueServiceToken": issued, **(answers or {})}
        channel = cast(Any, _Channel(self))
        self.upstreams = Upstreams(
            channels=dict.fromkeys(("auth", "chat", "presence", "notify"), channel),
            service_tokens=ServiceTokens(channel, "gateway", "secret"),
            chat_shards=1,
        )

    def client(self, who: Identity) -> UserClient:
        """Returns a client for a user."""
        return UserClient(self.upstreams, who, "token")

    async def answer(self, method: str, request: Any) -> Any:
        """Returns the answer to a request. Raises AppError."""
        answer = self.answers.get(method, NotFoundError("NOT_FOUND", "there is none here"))
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, AppError):
            raise answer
        return answer


class _Channel:
    """A channel to the answers in this process."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def unary_unary(self, path: str, **_: object) -> Callable[..., Awaitable[Any]]:
        """Returns a method."""
        name = path.rpartition("/")[2]

        async def call(request: Any, **__: object) -> Any:
            return await self._services.answer(name, request)

        return call

    def stream_stream(self, path: str, **_: object) -> str:
        """Returns a placeholder: no test opens a stream."""
        return path

    unary_stream = stream_stream


def directory(users: Mapping[str, User] = USERS) -> Fetch:
    """Returns a directory of some users."""

    async def fetch(_: str, user_ids: Sequence[str]) -> Iterable[User]:
        return [users[user_id] for user_id in user_ids if user_id in users]

    return fetch


def user_cache() -> UserCache:
    """Returns a cache of `USERS`."""
    return UserCache(directory())
