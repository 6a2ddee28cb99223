"""The services as dialects call them, with answers that a test has at hand: the stubs are the generated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from parley.auth.v1.user_pb2 import ROLE_AGENT_L1, ROLE_CLIENT, ROLE_SALES, User

from chassis.errors import AppError, NotFoundError
from chassis.identity import Identity
from gateway.commands import UserCalls
from gateway.people import Fetch, People
from gateway.upstreams import Upstreams

USERS = {
    "ann": User(user_id="ann", name="Ann", role=ROLE_SALES, avatar_url="https://crm.example/ann.png"),
    "42": User(user_id="42", name="Bob", role=ROLE_AGENT_L1),
    "carl": User(user_id="carl", name="Carl", role=ROLE_CLIENT),
}
"""Who is in the directory; Bob's id is a number to front-ends that know such."""

Answer = Any
"""A response, an error, or what makes one of a request."""


class _Names:
    """A channel whose calls are the names of the methods."""

    def _named(self, path: str, *_: object, **__: object) -> str:
        return path.rpartition("/")[2]

    unary_unary = unary_stream = stream_unary = stream_stream = _named


class Services:
    """Answers of the services, by the name of the method.

    Args:
        answers: what there is to say; of anything else nothing is found.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers: dict[str, Answer] = dict(answers or {})
        self.asked: list[tuple[str, Any]] = []

    def calls(self, identity: Identity) -> UserCalls:
        """Calls for a user."""
        return cast(UserCalls, _Calls(self, identity))

    def answer(self, method: str, request: Any) -> Any:
        """The answer to a request, which is kept. Raises AppError."""
        self.asked.append((method, request))
        answer = self.answers.get(method, NotFoundError("NOT_FOUND", "there is none here"))
        if isinstance(answer, AppError):
            raise answer
        return answer(request) if callable(answer) else answer


class _Calls:
    def __init__(self, services: Services, identity: Identity) -> None:
        names = cast(Any, _Names())
        self._services = services
        self.identity = identity
        self.upstreams = Upstreams(
            auth=names, chat=names, presence=names, notify=names, service_tokens=cast(Any, None), chat_shards=1
        )

    async def until_ready(self) -> None:
        """It is."""

    async def call(self, method: Any, request: Any, *, conversation_id: str = "") -> Any:
        """Makes a call."""
        return self._services.answer(method, request)


def directory(users: Mapping[str, User] = USERS, told: Callable[[Sequence[str]], object] = lambda _: None) -> Fetch:
    """A directory of some users; `told` is told what it is asked for."""

    async def fetch(_: str, user_ids: Sequence[str]) -> Iterable[User]:
        told(user_ids)
        return [users[user_id] for user_id in user_ids if user_id in users]

    return fetch


def everybody() -> People:
    """People who are looked up among `USERS`."""
    return People(directory())
