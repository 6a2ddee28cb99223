"""The outages that connections survive, and the close codes for the others."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from redis.asyncio import Redis

from deploy.local.stack import LocalStack
from gateway.connections import draining
from tests.component.auth_service import RunningAuth, SignedIn
from tests.component.gateway.websocket.harness import (
    Databases,
    Harness,
    Targets,
    running_chat,
    running_gateway,
    send,
    talking,
)


async def test_without_presence_and_notify_there_is_still_a_chat(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    async with running_gateway(stack.auth, Targets(chat=stack.targets.chat)) as gateway:
        anns, bobs, conversation_id = await talking(gateway, ann, bob)
        await send(anns, conversation_id, "still here")
        await bobs.message("still here")
        code, reason = await anns.refused("notification.list")
        assert (code, reason) == ("UNAVAILABLE", "SERVICE_UNAVAILABLE")


async def test_sockets_live_through_a_restart_of_chat_and_miss_nothing(
    auth: RunningAuth, stores: Databases, ann: SignedIn, bob: SignedIn, address: str
) -> None:
    database = {"mongodb_database": f"test_gateway_{secrets.token_hex(8)}", "listen": address}
    async with AsyncExitStack() as first_life:
        chat = await first_life.enter_async_context(running_chat(auth, stores, **database))
        async with running_gateway(auth, Targets(chat)) as gateway:
            anns, bobs, conversation_id = await talking(gateway, ann, bob)
            await send(anns, conversation_id, "before")
            await bobs.message("before")
            await first_life.aclose()

            away = await anns.request(
                "message.send", conversationId=conversation_id, clientMessageId="k", text="retried"
            )
            assert away["error"]["code"] == "UNAVAILABLE"
            assert away["error"]["retryAfterMs"] > 0

            async with running_chat(auth, stores, **database):
                async with asyncio.timeout(60):
                    while "error" in (
                        await anns.request(
                            "message.send", conversationId=conversation_id, clientMessageId="k", text="retried"
                        )
                    ):
                        await asyncio.sleep(0.1)
                await send(anns, conversation_id, "after")
                await bobs.message("after")
                texts = [body["message"]["text"] for body in bobs.bodies("message.created")]
                assert list(dict.fromkeys(texts)) == ["before", "retried", "after"]  # a restart may repeat events


@pytest.fixture
async def own_stores(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Databases]:
    """Databases that a test may break."""
    async with LocalStack(tmp_path_factory.mktemp("own"), services=()) as stack:
        yield Databases(stack.mongodb_uri, stack.redis_url)


async def test_when_events_were_lost_clients_are_sent_away_to_catch_up(
    auth: RunningAuth, own_stores: Databases, ann: SignedIn, bob: SignedIn, address: str
) -> None:
    database = {"mongodb_database": "parley_chat", "listen": address}
    async with AsyncExitStack() as first_life:
        chat = await first_life.enter_async_context(running_chat(auth, own_stores, **database))
        async with running_gateway(auth, Targets(chat)) as gateway:
            anns, bobs, conversation_id = await talking(gateway, ann, bob)
            await send(anns, conversation_id, "before")
            await bobs.message("before")
            await first_life.aclose()
            async with Redis.from_url(own_stores.redis_url) as redis:
                await redis.flushall()
            async with running_chat(auth, own_stores, **database):
                for client in (anns, bobs):
                    assert (await client.event("session.closing"))["reconnectAfterMs"] >= 0
                    assert await client.closed() == 1012
                back = await gateway.connect(bob)
                page = await back.ask("message.sync", conversationId=conversation_id, afterRev=0)
                assert [message["text"] for message in page["messages"]] == ["before"]


async def test_a_stop_tells_clients_finishes_requests_and_closes(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    async with AsyncExitStack() as life:
        gateway = await life.enter_async_context(running_gateway(stack.auth, stack.targets))
        anns, bobs, conversation_id = await talking(gateway, ann, bob)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.http_port}", trust_env=False) as http:
            assert (await http.get("/readyz")).status_code == 200
        sending = [asyncio.create_task(send(anns, conversation_id, f"{n}")) for n in range(100)]
        await asyncio.sleep(0)
        await life.aclose()
        receipts = await asyncio.gather(*sending)
        assert [receipt["seq"] for receipt in receipts] == list(range(1, 101))
        for client in (anns, bobs):
            assert 0 <= (await client.event("session.closing"))["reconnectAfterMs"] <= 5_000
            assert await client.closed() == 1012


async def test_a_stop_waits_for_those_who_have_yet_to_read_of_it(
    stack: Harness, ann: SignedIn, bob: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow request is answered: its client closes by itself, with all its replies."""
    monkeypatch.setattr(draining, "_LEAVE_TIMEOUT_SECONDS", 60.0)
    async with AsyncExitStack() as life:
        gateway = await life.enter_async_context(running_gateway(stack.auth, stack.targets))
        anns, bobs, conversation_id = await talking(gateway, ann, bob)
        await bobs.close()
        stopping = asyncio.create_task(life.aclose())
        await anns.event("session.closing")
        await asyncio.sleep(4 * draining._IN_TRANSIT_SECONDS)  # longer than the wait for requests in transit
        assert (await send(anns, conversation_id, "late"))["seq"] == 1
        await anns.close()
        await stopping
