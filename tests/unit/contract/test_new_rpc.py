"""An RPC that a contract gains is at every door without a further line."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from functools import partial
from types import ModuleType
from typing import Any, Final

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from parley.comments import COMMENTS
from pydantic import SecretStr

from chassis.contract.methods import all_services, methods_of
from chassis.contract.validator import validate
from chassis.errors import InvalidArgumentError
from deploy.client_module import client_module
from deploy.protocol_page import with_operations
from gateway.dialects.native.dialect import NativeDialect
from gateway.dialects.native.requests import all_commands, commands_of
from gateway.rest.app import VERSION, table
from gateway.rest.openapi import document
from gateway.rest.operation import Group
from gateway.rest.readiness import Readiness
from gateway.sessions.commands import CallUpstream, Reject
from gateway.settings import Settings
from gateway.upstream.clients import open_upstreams
from gateway.upstream.user_cache import UserCache, fetch_users
from gateway.wire.json_reader import read_request
from tests.unit.contract.example import POLL_METHODS, new
from tests.unit.gateway.fixtures import session

METHODS: Final = [*methods_of(all_services()), *POLL_METHODS.values()]
NOWHERE: Final = "127.0.0.1:1"


# WebSocket.


def decode(frame: str) -> Any:
    return NativeDialect(commands_of(METHODS)).decode(frame, session())


def test_a_new_rpc_is_an_op() -> None:
    assert commands_of(METHODS).keys() - all_commands().keys() == {"poll.create", "poll.update", "poll.list"}


def test_a_new_op_takes_a_good_body() -> None:
    body = '{"kind": "open", "question": "Tea?", "options": ["yes", "no"], "requestId": "r-1"}'
    request = decode(f'{{"id": 1, "op": "poll.create", "body": {body}}}')
    assert (request.reference, request.operation) == (1, "poll.create")
    assert isinstance(request.command, CallUpstream)


def test_without_the_contract_there_is_no_such_op() -> None:
    request = NativeDialect().decode('{"id": 1, "op": "poll.create", "body": {}}', session())
    assert isinstance(request.command, Reject)
    assert request.command.error.reason == "UNKNOWN_OP"


BAD: Final[list[tuple[str, dict[str, Any], Any]]] = [
    (
        "poll.create",
        {"kind": "open", "question": " ", "options": ["yes"], "requestId": "r" * 65},
        new("CreatePollRequest", kind=1, poll=new("Poll", question=" ", options=["yes"]), request_id="r" * 65),
    ),
    (
        "poll.create",
        {"kind": "legacy", "question": "q" * 201, "options": ["yes", ""]},
        new("CreatePollRequest", kind=3, poll=new("Poll", question="q" * 201, options=["yes", ""])),
    ),
    (
        "poll.update",
        {"pollId": "", "question": ""},
        new("UpdatePollRequest", poll=new("Poll", question=""), update_mask={"paths": ["question"]}),
    ),
    (
        "poll.list",
        {"creatorIds": ["ann", "a b"], "pageSize": -1},
        new("ListPollsRequest", creator_ids=["ann", "a b"], page_size=-1),
    ),
]


@pytest.mark.parametrize(("op", "body", "message"), BAD)
def test_a_new_op_refuses_a_bad_body_as_services_refuse_the_message(
    op: str, body: dict[str, Any], message: Any
) -> None:
    with pytest.raises(InvalidArgumentError) as by_op:
        commands_of(METHODS)[op](body)
    with pytest.raises(InvalidArgumentError) as by_service:
        validate(message)
    assert by_op.value.fields == by_service.value.fields
    assert by_op.value.message == by_service.value.message


def test_a_change_holds_what_is_present() -> None:
    body = {"pollId": "p", "closeTime": None, "options": ["a", "b"]}
    expected = new("UpdatePollRequest", poll=new("Poll", poll_id="p", options=["a", "b"]))
    expected.update_mask.paths.extend(["options", "close_time"])
    assert read_request(body, POLL_METHODS["UpdatePoll"].input) == expected


# HTTP.


@pytest.fixture
async def groups() -> AsyncIterator[tuple[Group, ...]]:
    """The table with the new RPCs; its services are never called."""
    settings = Settings(
        auth_target=NOWHERE,
        chat_target=NOWHERE,
        presence_target=NOWHERE,
        notify_target=NOWHERE,
        service_name="gateway",
        service_secret=SecretStr("unused"),
    )
    async with open_upstreams(settings) as upstreams:
        user_cache = UserCache(partial(fetch_users, upstreams))
        yield table(upstreams, user_cache, Readiness(upstreams, lambda: False), settings.trusted_proxies, METHODS)


@pytest.fixture
def api(groups: tuple[Group, ...]) -> dict[str, Any]:
    return document(groups, VERSION)


def test_a_new_rpc_has_a_row_and_its_paths_a_group(groups: tuple[Group, ...]) -> None:
    polls = next(group for group in groups if group.name == "polls")
    assert {(row.method, row.path, row.name) for row in polls.operations} == {
        ("POST", "/api/polls", "createPoll"),
        ("PATCH", "/api/polls/{pollId}", "updatePoll"),
        ("GET", "/api/polls", "listPolls"),
    }


def test_a_new_body_is_documented_with_its_constraints(api: dict[str, Any]) -> None:
    body = api["paths"]["/api/polls"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["required"]) == {"question", "kind"}
    properties = {name: {**schema, "description": ""} for name, schema in body["properties"].items()}
    text = {"type": "string", "minLength": 1, "maxLength": 50}
    assert properties == {
        "question": {"type": "string", "minLength": 1, "maxLength": 200, "description": ""},
        "options": {"type": "array", "items": text, "minItems": 2, "maxItems": 10, "description": ""},
        "closeTime": {"type": "string", "format": "date-time", "description": ""},
        "kind": {"type": "string", "enum": ["open", "secret"], "description": ""},
        "requestId": {"type": "string", "maxLength": 64, "description": ""},
    }


def test_new_parameters_are_documented_with_their_constraints(api: dict[str, Any]) -> None:
    parameters = api["paths"]["/api/polls"]["get"]["parameters"]
    assert {parameter["name"]: parameter["schema"]["type"] for parameter in parameters} == {
        "kind": "string",
        "creatorIds": "array",
        "pageSize": "integer",
    }
    parameters = api["paths"]["/api/polls/{pollId}"]["patch"]["parameters"]
    assert {(parameter["name"], parameter["in"], parameter["required"]) for parameter in parameters} == {
        ("pollId", "path", True),
        ("Idempotency-Key", "header", False),
    }
    body = api["paths"]["/api/polls/{pollId}"]["patch"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"question", "options", "closeTime", "requestId"}


def test_new_answers_are_documented(api: dict[str, Any]) -> None:
    schemas = api["components"]["schemas"]
    created = api["paths"]["/api/polls"]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    assert created == {"$ref": "#/components/schemas/CreatePollResponse"}
    assert schemas["CreatePollResponse"]["properties"]["poll"]["$ref"] == "#/components/schemas/Poll"
    assert set(schemas["Poll"]["properties"]) == {"pollId", "kind", "question", "options", "closeTime", "createdBy"}


# Documents and clients.


def test_a_new_rpc_has_a_row_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for method in POLL_METHODS.values():
        monkeypatch.setitem(COMMENTS, method.descriptor.full_name, "Does something. Says more.")
    page = with_operations("", METHODS)
    assert (
        "| `poll.update` | `{pollId, question?, options?, closeTime?}` | `{poll}` | `PATCH /api/polls/{pollId}` "
        "| Does something. |\n"
    ) in page


async def test_a_new_op_has_a_method_in_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("polls")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(client_module(METHODS, COMMENTS), vars(module))  # noqa: S102  # our own source

    class Requests(module.Operations):  # type: ignore[misc, name-defined]
        async def call(self, op: str, body: Any, shape: type, **_: object) -> object:
            return op, body, shape

    created = await Requests().poll_create(kind="open", question="Tea?", options=["yes", "no"])
    body = {"kind": "open", "question": "Tea?", "options": ["yes", "no"]}
    assert created == ("poll.create", body, module.CreatePollResponse)
    assert {"poll.create", "poll.update"} <= module.CHANGES
    assert "poll.list" in module.READS
    read = read_request(body, POLL_METHODS["CreatePoll"].input)
    assert read == new("CreatePollRequest", kind=1, poll=new("Poll", question="Tea?", options=["yes", "no"]))


def test_a_time_that_services_refuse_is_refused() -> None:
    late = new("Poll", question="?", options=["a", "b"], close_time=Timestamp(seconds=253_402_300_800))
    with pytest.raises(InvalidArgumentError) as raised:
        validate(new("CreatePollRequest", kind=1, poll=late))
    assert set(raised.value.fields) == {"closeTime"}
