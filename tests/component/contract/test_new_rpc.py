"""An RPC that a contract gains can be called at every door, and says the same of a bad request at each."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import grpc
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from chassis.contract.methods import all_services, message_class, methods_of
from chassis.errors import AppError, NotFoundError
from chassis.identity import TokenVerifier, calling_user
from chassis.rpc.channel import ServiceTokens, bearer
from chassis.rpc.interceptor import Context
from chassis.rpc.server import Registration, Service
from chassis.rpc.status import from_rpc_error
from gateway.connections.dispatcher import RequestDispatcher
from gateway.dialects.native.dialect import NativeDialect
from gateway.dialects.native.requests import commands_of
from gateway.rest.app import application, table
from gateway.rest.readiness import Readiness
from gateway.sessions.background_tasks import running_background_tasks
from gateway.sessions.session import Session
from gateway.upstream.clients import Upstreams
from gateway.upstream.user_cache import UserCache, fetch_users
from tests.unit.contract.example import POLL_METHODS, POLL_SERVICE, new
from tests.unit.gateway.fixtures import LIMITS, RecordingConnection, identity, lines_of

METHODS: Final = [*methods_of(all_services()), *POLL_METHODS.values()]
KEY: Final = ECKey.generate_key("P-256", parameters={"kid": "one"})


def token() -> str:
    claims = {"sub": "ann", "org": "acme", "role": "sales", "exp": int(time.time()) + 3_600}
    return jwt.encode({"alg": "ES256", "kid": "one"}, claims, KEY, algorithms=["ES256"])


async def keys() -> str:
    return json.dumps(KeySet([KEY]).as_dict(private=False))


class Polls:
    """Keeps polls, and recognizes repeats by their request ids."""

    def __init__(self) -> None:
        self.polls: dict[str, Any] = {}
        self.by_request: dict[str, Any] = {}

    async def CreatePoll(self, request: Any, context: Context) -> Any:  # gRPC's name
        if request.request_id not in self.by_request:
            poll = request.poll
            poll.poll_id, poll.kind, poll.created_by = f"p{len(self.polls)}", request.kind, calling_user().user_id
            self.polls[poll.poll_id] = self.by_request[request.request_id or poll.poll_id] = poll
        return new("CreatePollResponse", poll=self.by_request[request.request_id or poll.poll_id])

    async def UpdatePoll(self, request: Any, context: Context) -> Any:
        poll = self.polls.get(request.poll.poll_id)
        if poll is None:
            raise NotFoundError("POLL_NOT_FOUND", "there is no such poll")
        request.update_mask.MergeMessage(request.poll, poll, replace_message_field=True, replace_repeated_field=True)
        return new("UpdatePollResponse", poll=poll)

    async def ListPolls(self, request: Any, context: Context) -> Any:
        creators = set(request.creator_ids)
        polls = [poll for poll in self.polls.values() if not creators or poll.created_by in creators]
        return new("ListPollsResponse", polls=polls)


def add_to_server(servicer: Any, server: grpc.aio.Server) -> None:
    """Does what the generated function of a service does."""
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            getattr(servicer, name),
            request_deserializer=message_class(method.input).FromString,
            response_serializer=message_class(method.output).SerializeToString,
        )
        for name, method in POLL_METHODS.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(POLL_SERVICE.full_name, handlers),))


@pytest.fixture
def grpc_service() -> Service:
    return Service([Registration(POLL_SERVICE, add_to_server, Polls())], TokenVerifier(keys))


@dataclass
class Doors:
    """The three ways to an RPC."""

    upstreams: Upstreams
    http: httpx.AsyncClient
    dispatcher: RequestDispatcher
    connection: RecordingConnection

    async def by_grpc(self, name: str, request: Any) -> Any:
        return await self.upstreams.method(POLL_METHODS[name])(request, metadata=bearer(token()), timeout=20)

    async def refused_by_grpc(self, name: str, request: Any) -> AppError:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await self.by_grpc(name, request)
        return from_rpc_error(raised.value)

    async def by_websocket(self, op: str, **body: Any) -> Any:
        """Returns the reply to a request of a native session."""
        before = len(self.connection.frames)
        self.dispatcher.received(self.connection, json.dumps({"id": 7, "op": op, "body": body}))
        async with asyncio.timeout(20):
            while len(self.connection.frames) == before:
                await asyncio.sleep(0.001)
        return self.connection.frames[-1]

    async def by_http(self, verb: str, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token()}", **options.pop("headers", {})}
        return await self.http.request(verb, path, headers=headers, **options)


@pytest.fixture
async def doors(grpc_channel: grpc.aio.Channel) -> AsyncIterator[Doors]:
    """The gateway's HTTP interface and a session of its native dialect, before the service."""
    channels = dict.fromkeys(("auth", "chat", "presence", "notify", "example"), grpc_channel)
    upstreams = Upstreams(
        channels=channels, service_tokens=ServiceTokens(grpc_channel, "gateway", "unused"), chat_shards=1
    )
    verifier = TokenVerifier(keys)
    user_cache = UserCache(partial(fetch_users, upstreams))
    groups = table(upstreams, user_cache, Readiness(upstreams, lambda: False), 0, METHODS)
    transport = httpx.ASGITransport(app=cast(Any, application(groups, verifier, ())))
    unused = cast(Any, None)
    connection = RecordingConnection(lines_of(NativeDialect(commands_of(METHODS))))
    connection.session = Session("session-1", identity(), token(), LIMITS)
    connection.session.ready = True
    async with (
        running_background_tasks() as tasks,
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as http,
    ):
        dispatcher = RequestDispatcher(
            hub=unused,
            readiness=unused,
            messages=unused,
            signals=unused,
            tasks=tasks,
            upstreams=upstreams,
            verifier=verifier,
        )
        yield Doors(upstreams, http, dispatcher, connection)


GOOD: Final[dict[str, Any]] = {"kind": "open", "question": "Tea?", "options": ["yes", "no"]}


async def test_what_is_made_at_one_door_is_seen_at_the_others(doors: Doors) -> None:
    by_websocket = (await doors.by_websocket("poll.create", **GOOD))["ok"]["poll"]
    by_http = await doors.by_http("POST", "/api/polls", json={**GOOD, "question": "Coffee?"})
    by_grpc = await doors.by_grpc(
        "CreatePoll", new("CreatePollRequest", kind=1, poll=new("Poll", question="Water?", options=["a", "b"]))
    )

    assert by_websocket == {**GOOD, "pollId": "p0", "createdBy": "ann"}
    assert (by_http.status_code, by_http.headers["location"]) == (201, "/api/polls/p1")
    assert by_grpc.poll.poll_id == "p2"
    listed = (await doors.by_http("GET", "/api/polls", params={"creatorIds": ["ann", "bob"]})).json()
    assert [poll["question"] for poll in listed["polls"]] == ["Tea?", "Coffee?", "Water?"]
    assert (await doors.by_websocket("poll.list"))["ok"] == listed


async def test_a_change_has_a_mask_and_a_repeat_its_id(doors: Doors) -> None:
    first = await doors.by_http("POST", "/api/polls", json=GOOD, headers={"Idempotency-Key": "r-1"})
    again = (await doors.by_websocket("poll.create", **GOOD, requestId="r-1"))["ok"]
    assert first.json() == again

    changed = await doors.by_http("PATCH", "/api/polls/p0", json={"closeTime": "2026-01-31T12:00:00Z"})
    assert changed.json()["poll"] == {**again["poll"], "closeTime": "2026-01-31T12:00:00.000Z"}
    cleared = await doors.by_websocket("poll.update", pollId="p0", closeTime=None, options=["a", "b"])
    assert cleared["ok"]["poll"] == {**again["poll"], "options": ["a", "b"]}


async def test_a_bad_request_gets_the_same_text_at_every_door(doors: Doors) -> None:
    body = {"kind": "legacy", "question": " ", "options": ["yes"], "requestId": "r" * 65}
    message = new("CreatePollRequest", kind=3, poll=new("Poll", question=" ", options=["yes"]), request_id="r" * 65)

    by_websocket = (await doors.by_websocket("poll.create", **body))["error"]
    by_http = await doors.by_http("POST", "/api/polls", json=body)
    by_grpc = await doors.refused_by_grpc("CreatePoll", message)

    assert by_http.status_code == 400
    assert set(by_websocket["fields"]) == {"kind", "question", "options", "requestId"}
    assert by_http.json()["error"]["fields"] == by_websocket["fields"] == by_grpc.fields
    assert by_http.json()["error"]["reason"] == by_websocket["reason"] == by_grpc.reason == "INVALID_FIELDS"
    assert by_http.json()["error"]["message"] == by_websocket["message"] == by_grpc.message


async def test_an_error_of_the_service_is_the_same_at_every_door(doors: Doors) -> None:
    request = new(
        "UpdatePollRequest", poll=new("Poll", poll_id="p9", question="?"), update_mask={"paths": ["question"]}
    )
    by_websocket = (await doors.by_websocket("poll.update", pollId="p9", question="?"))["error"]
    by_http = await doors.by_http("PATCH", "/api/polls/p9", json={"question": "?"})
    by_grpc = await doors.refused_by_grpc("UpdatePoll", request)

    assert by_http.status_code == 404
    assert by_http.json()["error"] == by_websocket
    assert by_websocket == {"code": "NOT_FOUND", "reason": by_grpc.reason, "message": by_grpc.message}


async def test_only_users_get_through(doors: Doors) -> None:
    assert (await doors.http.get("/api/polls")).status_code == 401
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await doors.upstreams.method(POLL_METHODS["ListPolls"])(new("ListPollsRequest"), timeout=20)
    assert from_rpc_error(raised.value).reason == "TOKEN_MISSING"
