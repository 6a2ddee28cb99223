"""A batch of messages is one trace, from the gateway through chat to its commit and publication."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import httpx
import pytest
from parley.auth.v1 import auth_pb2, auth_pb2_grpc
from parley.chat.v1 import conversation_pb2, conversation_pb2_grpc
from parley_client.events import ConversationCreated

from chassis.rpc.channel import bearer, open_channel
from deploy.local.options import StackOptions
from deploy.local.seed import seed_demo
from deploy.local.stack import LocalStack
from tests.e2e.conftest import PASSWORD, TIMEOUT, Company, new_company
from tests.e2e.waiting import event_of, until
from tests.monitoring.collector import Collector, Span, collecting

METHOD = "parley.chat.v1.MessageService/SendMessages"
LISTING = "parley.chat.v1.ConversationService/ListMembers"
SECRET = "what nobody but them may read"
TRACED = {"PARLEY_TRACE_RATIO": "1", "OTEL_BSP_SCHEDULE_DELAY": "200"}


@pytest.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
async def company(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    """Yields a company in a stack with the collector set by Parley's variable (gateway) and OpenTelemetry's (chat)."""
    settings = {
        "gateway": {**TRACED, "PARLEY_OTLP_ENDPOINT": collector.endpoint},
        "chat": {**TRACED, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint},
    }
    stack = LocalStack(tmp_path_factory.mktemp("stack"), options=StackOptions(settings=settings))
    async with stack:
        await seed_demo(stack.grpc_target, stack.credentials)
        async with new_company(stack) as company:
            await company.create_user("ann")
            await company.create_user("bob")
            yield company


async def spans_of(collector: Collector, process: str, name: str) -> list[Span]:
    async def there() -> bool:
        return bool(collector.named(process, name))

    await until(there)
    return collector.named(process, name)


@pytest.fixture(scope="module")
async def batch(company: Company) -> None:
    """Sends one message as a batch of its own."""
    ann, bob = await company.client("ann"), await company.client("bob")
    with bob.events() as events:
        conversation = (await ann.conversation_direct(user_id="bob")).conversation.conversation_id
        await event_of(events, ConversationCreated)  # otherwise both events may come in one batch, from the store
    await ann.send_message(conversation, SECRET)


@pytest.mark.usefixtures("batch")
async def test_a_batch_is_one_trace_through_gateway_and_chat(collector: Collector) -> None:
    (publish,) = await spans_of(collector, "chat", "publish")
    (commit,) = await spans_of(collector, "chat", "commit")
    (served,) = await spans_of(collector, "chat", METHOD)
    (called,) = await spans_of(collector, "gateway", METHOD)
    assert {span.trace for span in (called, served, commit, publish)} == {called.trace}
    assert called.parent == b""
    assert served.parent == called.span
    assert commit.parent == publish.parent == served.span
    assert (called.sizes, commit.sizes, publish.sizes) == (
        {"parley.items": 1},
        {"parley.messages": 1},
        {"parley.events": 1},
    )


@pytest.mark.usefixtures("batch")
async def test_the_time_of_a_commit_has_its_trace_as_exemplar(company: Company, collector: Collector) -> None:
    commits = await spans_of(collector, "chat", "commit")
    port = company.stack.processes["chat-1"].spec.ports["metrics"]
    async with httpx.AsyncClient(trust_env=False) as client:
        headers = {"Accept": "application/openmetrics-text"}
        metrics = (await client.get(f"http://127.0.0.1:{port}/metrics", headers=headers)).text
    buckets = [line for line in metrics.splitlines() if line.startswith("parley_chat_commit_seconds_bucket")]
    assert any(f'# {{trace_id="{commit.trace.hex()}"}}' in line for line in buckets for commit in commits)


@pytest.mark.usefixtures("batch")
async def test_spans_tell_nothing_of_who_wrote_what(company: Company, collector: Collector) -> None:
    await spans_of(collector, "chat", "publish")
    texts = " ".join(text for span in collector.spans for text in (span.name, *span.texts))
    assert not [word for word in (SECRET, "ann", "bob", company.organization_id) if word in texts.split()]


async def test_a_user_does_not_decide_what_is_traced(company: Company, collector: Collector) -> None:
    own_trace = "0af7651916cd43dd8448eb211c80319c"
    header = ("traceparent", f"00-{own_trace}-b7ad6b7169203331-01")
    async with open_channel(company.stack.grpc_target) as channel:
        request = auth_pb2.SignInRequest(email=f"bob@{company.organization_id}.example", password=PASSWORD)
        signed_in = await auth_pb2_grpc.AuthServiceStub(channel).SignIn(request, timeout=TIMEOUT)
        stub = conversation_pb2_grpc.ConversationServiceStub(channel)
        metadata = (*bearer(signed_in.tokens.access_token), header)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.ListMembers(
                conversation_pb2.ListMembersRequest(conversation_id="none"), metadata=metadata, timeout=TIMEOUT
            )
    (served,) = await spans_of(collector, "chat", LISTING)
    assert (served.trace.hex() != own_trace, served.parent) == (True, b"")
