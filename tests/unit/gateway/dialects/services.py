"""The services as dialects call them, with answers that a test has at hand: the stubs are the generated ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from google.protobuf.timestamp_pb2 import Timestamp
from parley.auth.v1.auth_pb2 import IssueServiceTokenResponse
from parley.auth.v1.user_pb2 import ROLE_AGENT_L1, ROLE_CLIENT, ROLE_SALES, User

from chassis.errors import AppError, NotFoundError
from chassis.identity import Identity
from chassis.rpc.channel import ServiceTokens
from gateway.sessions.commands import UserCalls
from gateway.sessions.user_client import UserClient
from gateway.upstream.clients import Upstreams
from gateway.upstream.user_cache import Fetch, UserCache

USERS = {
    "ann": User(user_id="ann", name="Ann", role=ROLE_SALES, avatar_url="https://crm.example/ann.png"),
    "42": User(user_id="42", name="Bob", role=ROLE_AGENT_L1),
    "carl": User(user_id="carl", name="Carl", role=ROLE_CLIENT),
}
"""Who is in the directory; Bob's id is a number to front-ends that know such."""

Answer = Any
"""A response, an error, or what makes one of a request, at once or later."""


class Services:
    """Answers of the services, by the name of the method.

    Args:
        answers: what there is to say; of anything else nothing is found.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        issued = IssueServiceTokenResponse(access_token="token", expire_time=Timestamp(seconds=4_000_000_000))
        self.answers: dict[str, Answer] = {"IssueServiceToken": issued, **(answers or {})}
        channel = cast(Any, _Channel(self))
        self.upstreams = Upstreams(
            auth=channel,
            chat=channel,
            presence=channel,
            notify=channel,
            service_tokens=ServiceTokens(channel, "gateway", "secret"),
            chat_shards=1,
        )

    def calls(self, who: Identity) -> UserCalls:
        """Calls for a user."""
        return UserClient(self.upstreams, who, "token")

    async def answer(self, method: str, request: Any) -> Any:
        """The answer to a request. Raises AppError."""
        answer = self.answers.get(method, NotFoundError("NOT_FOUND", "there is none here"))
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, AppError):
            raise answer
        return answer


class _Channel:
    """A channel on which the services answer at once, in this process."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def unary_unary(self, path: str, **_: object) -> Callable[..., Awaitable[Any]]:
        """A method."""
        name = path.rpartition("/")[2]

        async def call(request: Any, **__: object) -> Any:
            return await self._services.answer(name, request)

        return call

    def stream_stream(self, path: str, **_: object) -> str:
        """A stream, which nobody opens here."""
        return path

    unary_stream = stream_stream


def directory(users: Mapping[str, User] = USERS, told: Callable[[Sequence[str]], object] = lambda _: None) -> Fetch:
    """A directory of some users; `told` is told what it is asked for."""

    async def fetch(_: str, user_ids: Sequence[str]) -> Iterable[User]:
        told(user_ids)
        return [users[user_id] for user_id in user_ids if user_id in users]

    return fetch


def everybody() -> UserCache:
    """People who are looked up among `USERS`."""
    return UserCache(directory())
