"""The interceptor: authorization, errors and deadlines, through a real server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from parley.presence.v1 import presence_pb2, presence_pb2_grpc

from chassis.errors import AppError, Category, ResourceExhaustedError
from chassis.identity import TokenVerifier, caller, caller_token, calling_user
from chassis.process.settings import ServiceSettings
from chassis.rpc.access import MissingRuleError, access_of
from chassis.rpc.channel import Metadata, bearer
from chassis.rpc.interceptor import Context
from chassis.rpc.server import PortTakenError, Registration, Service, serving
from chassis.rpc.status import from_rpc_error

DESCRIPTOR = presence_pb2.DESCRIPTOR.services_by_name["PresenceService"]
OUTAGE = ConnectionResetError


class ScriptedPresence(presence_pb2_grpc.PresenceServiceServicer):
    """Behaves as the first user id says; returns the caller in the presence's text."""

    def __init__(self) -> None:
        self.streams_closed = 0

    async def BatchGetPresence(
        self, request: presence_pb2.BatchGetPresenceRequest, context: Context
    ) -> presence_pb2.BatchGetPresenceResponse:
        match list(request.user_ids):
            case ["busy"]:
                raise ResourceExhaustedError("BUSY", "come back", retry_after_ms=250, fields={"userIds": "too many"})
            case ["bug"]:
                raise ZeroDivisionError("a secret of ours")
            case ["outage"]:
                raise OUTAGE("mongodb://secret")
            case ["slow"]:
                await asyncio.sleep(60)
        assert caller_token()
        user = calling_user()
        text = f"{user.organization_id} {user.role} {','.join(user.teams)}"
        return presence_pb2.BatchGetPresenceResponse(
            presences=[presence_pb2.Presence(user_id=caller().user_id, text=text)]
        )

    async def SetStatus(
        self, request: presence_pb2.SetStatusRequest, context: Context
    ) -> presence_pb2.SetStatusResponse:
        return presence_pb2.SetStatusResponse()

    async def WatchPresence(
        self, request: presence_pb2.WatchPresenceRequest, context: Context
    ) -> AsyncIterator[presence_pb2.WatchPresenceResponse]:
        try:
            yield presence_pb2.WatchPresenceResponse()
            if list(request.user_ids) == ["busy"]:
                raise ResourceExhaustedError("BUSY", "come back")
            await asyncio.Event().wait()
        finally:
            self.streams_closed += 1

    async def Attach(
        self, request_iterator: AsyncIterator[presence_pb2.AttachRequest], context: Context
    ) -> AsyncIterator[presence_pb2.AttachResponse]:
        async for request in request_iterator:
            yield presence_pb2.AttachResponse(acked_sequence=request.request_sequence)


KEY = ECKey.generate_key("P-256", parameters={"kid": "one"})
OTHER_KEY = ECKey.generate_key("P-256", parameters={"kid": "one"})


def public_keys() -> str:
    return json.dumps(KeySet([KEY]).as_dict(private=False))


def token(key: ECKey = KEY, **claims: object) -> str:
    body = {"sub": "ann", "org": "acme", "role": "manager", "teams": ["east"], "exp": int(time.time()) + 3_600} | claims
    header = {"alg": "ES256", "kid": "one"}
    return jwt.encode(header, {k: v for k, v in body.items() if v is not None}, key, algorithms=["ES256"])


def signed_with_the_public_key() -> str:
    """Makes a token that a verifier accepts if it trusts the token's algorithm; see RFC 8725, section 2.1."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=") + b"." + token().split(".")[1].encode()
    signature = hmac.new(KEY.as_pem(private=False), head, hashlib.sha256).digest()
    return f"{head.decode()}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def service_token(*scopes: str) -> str:
    return token(sub=None, org=None, role=None, teams=None, svc="gateway", scope=list(scopes))


@pytest.fixture
def servicer() -> ScriptedPresence:
    return ScriptedPresence()


@pytest.fixture
def grpc_service(servicer: ScriptedPresence) -> Service:
    async def fetch() -> str:
        return public_keys()

    registration = Registration(DESCRIPTOR, presence_pb2_grpc.add_PresenceServiceServicer_to_server, servicer)
    return Service([registration], TokenVerifier(fetch), outages=(OUTAGE,))


@pytest.fixture
def grpc_stub_cls() -> Callable[[grpc.aio.Channel], presence_pb2_grpc.PresenceServiceStub]:
    return presence_pb2_grpc.PresenceServiceStub


async def failure(call: Awaitable[object]) -> AppError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return from_rpc_error(raised.value)


def request_for(*user_ids: str) -> presence_pb2.BatchGetPresenceRequest:
    return presence_pb2.BatchGetPresenceRequest(user_ids=user_ids)


async def test_a_verified_user_is_known_to_the_servicer(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    answer = await grpc_stub.BatchGetPresence(request_for(), metadata=bearer(token()), timeout=30)
    assert (answer.presences[0].user_id, answer.presences[0].text) == ("ann", "acme manager east")


BAD_CALLERS: dict[str, tuple[Metadata, Category, str]] = {
    "no token": ((), Category.UNAUTHENTICATED, "TOKEN_MISSING"),
    "not a bearer": ((("authorization", "Basic YTpi"),), Category.UNAUTHENTICATED, "TOKEN_INVALID"),
    "garbage": (bearer("garbage"), Category.UNAUTHENTICATED, "TOKEN_INVALID"),
    "nearly a token": (bearer(token()[:-4] + "AAAA"), Category.UNAUTHENTICATED, "TOKEN_INVALID"),
    "too long": (bearer("a" * 9_000), Category.UNAUTHENTICATED, "TOKEN_INVALID"),
    "expired": (bearer(token(exp=int(time.time()) - 1)), Category.UNAUTHENTICATED, "TOKEN_EXPIRED"),
    "another key": (bearer(token(OTHER_KEY)), Category.UNAUTHENTICATED, "TOKEN_INVALID"),
    "no expiry": (bearer(token(exp=None)), Category.UNAUTHENTICATED, "TOKEN_INVALID"),
    "no organization": (bearer(token(org=None)), Category.UNAUTHENTICATED, "TOKEN_INVALID"),
    "user and service at once": (bearer(token(svc="gateway")), Category.UNAUTHENTICATED, "TOKEN_INVALID"),
    "the public key as a shared secret": (
        bearer(signed_with_the_public_key()),
        Category.UNAUTHENTICATED,
        "TOKEN_INVALID",
    ),
    "no algorithm": (
        bearer("eyJhbGciOiJub25lIiwia2lkIjoib25lIn0." + token().split(".")[1] + "."),
        Category.UNAUTHENTICATED,
        "TOKEN_INVALID",
    ),
    "a service": (bearer(service_token("streams.subscribe")), Category.PERMISSION_DENIED, "NOT_ALLOWED"),
}


@pytest.mark.parametrize(("metadata", "category", "reason"), BAD_CALLERS.values(), ids=BAD_CALLERS)
async def test_a_caller_who_is_not_allowed_gets_the_reason(
    grpc_stub: presence_pb2_grpc.PresenceServiceStub, metadata: Metadata, category: Category, reason: str
) -> None:
    error = await failure(grpc_stub.BatchGetPresence(request_for(), metadata=metadata, timeout=30))
    assert (error.category, error.reason) == (category, reason)


async def test_a_scope_opens_the_methods_that_ask_for_it(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    call = grpc_stub.Attach(metadata=bearer(service_token("streams.subscribe")), timeout=30)
    await call.write(presence_pb2.AttachRequest(request_sequence=7))
    answer = await call.read()
    assert isinstance(answer, presence_pb2.AttachResponse)
    assert answer.acked_sequence == 7
    call.cancel()
    refused = grpc_stub.Attach(metadata=bearer(service_token("users.act")), timeout=30)
    error = await failure(refused.read())  # writes nothing, as the refusal may arrive before
    assert error.category is Category.PERMISSION_DENIED


@pytest.mark.parametrize(
    "data", [b"\x0a\x02\xff\xfe", b"\x0a\x7f\x61", b"\x0f"], ids=["no UTF-8", "cut off", "no type"]
)
async def test_malformed_bytes_are_an_invalid_argument(grpc_channel: Any, data: bytes) -> None:
    path = f"/{DESCRIPTOR.full_name}/"
    error = await failure(
        grpc_channel.unary_unary(path + "BatchGetPresence")(data, metadata=bearer(token()), timeout=30)
    )
    assert (error.category, error.reason) == (Category.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    stream = grpc_channel.stream_stream(path + "Attach")(
        metadata=bearer(service_token("streams.subscribe")), timeout=30
    )
    await stream.write(presence_pb2.AttachRequest(request_sequence=7).SerializeToString())
    assert presence_pb2.AttachResponse.FromString(await stream.read()).acked_sequence == 7
    await stream.write(data)
    error = await failure(stream.read())
    assert (error.category, error.reason) == (Category.INVALID_ARGUMENT, "MALFORMED_REQUEST")


async def test_an_expected_error_arrives_complete(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    error = await failure(grpc_stub.BatchGetPresence(request_for("busy"), metadata=bearer(token()), timeout=30))
    assert isinstance(error, ResourceExhaustedError)
    assert (error.reason, error.message, error.retry_after_ms) == ("BUSY", "come back", 250)
    assert error.fields == {"userIds": "too many"}


async def test_a_bug_is_reported_as_an_incident_only(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    error = await failure(grpc_stub.BatchGetPresence(request_for("bug"), metadata=bearer(token()), timeout=30))
    assert (error.category, error.reason) == (Category.INTERNAL, "INTERNAL")
    assert "incident" in error.message
    assert "secret" not in error.message


async def test_an_unreachable_store_is_unavailable(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    error = await failure(grpc_stub.BatchGetPresence(request_for("outage"), metadata=bearer(token()), timeout=30))
    assert (error.category, error.reason) == (Category.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert error.retry_after_ms
    assert "mongodb" not in error.message


async def test_the_callers_deadline_ends_a_slow_call(grpc_stub: presence_pb2_grpc.PresenceServiceStub) -> None:
    error = await failure(grpc_stub.BatchGetPresence(request_for("slow"), metadata=bearer(token()), timeout=0.2))
    assert error.category is Category.DEADLINE_EXCEEDED


async def test_a_stream_is_closed_however_it_ends(
    servicer: ScriptedPresence, grpc_stub: presence_pb2_grpc.PresenceServiceStub
) -> None:
    abandoned = grpc_stub.WatchPresence(presence_pb2.WatchPresenceRequest(), metadata=bearer(token()), timeout=30)
    await abandoned.read()
    abandoned.cancel()
    failing = grpc_stub.WatchPresence(
        presence_pb2.WatchPresenceRequest(user_ids=["busy"]), metadata=bearer(token()), timeout=5
    )
    await failing.read()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await failing.read()
    assert from_rpc_error(raised.value).reason == "BUSY"
    async with asyncio.timeout(60):
        while servicer.streams_closed < 2:
            await asyncio.sleep(0.01)


async def test_a_server_does_not_start_on_a_port_that_is_taken(
    grpc_server: str, grpc_service: Service, grpc_settings: ServiceSettings
) -> None:
    taken = grpc_settings.model_copy(update={"listen": grpc_server})
    with pytest.raises(PortTakenError, match="in use"):
        async with serving(grpc_service, taken):
            pass


def test_a_method_without_a_rule_keeps_a_server_from_starting() -> None:
    from grpc_health.v1 import health_pb2  # noqa: PLC0415  # a service without access rules

    with pytest.raises(MissingRuleError, match=r"grpc\.health\.v1\.Health\.Check"):
        access_of([health_pb2.DESCRIPTOR.services_by_name["Health"]])  # type: ignore[list-item]  # its stubs' own class
