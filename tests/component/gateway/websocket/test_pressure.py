"""Overload: excess requests are refused with a retry time, and others are not affected."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.component.auth_service import SignedIn
from tests.component.gateway.websocket.harness import Harness, running_gateway, talking
from tests.component.gateway.websocket.test_handshake import upgrade


async def test_connections_beyond_the_rate_limit_get_a_time_to_retry(stack: Harness, ann: SignedIn) -> None:
    async with running_gateway(
        stack.auth, stack.targets, connections_per_second=1, connections_burst=5, connections_per_user=1_000
    ) as gateway:
        answers = await asyncio.gather(*(upgrade(gateway.port, ann.access_token) for _ in range(60)))
        statuses = Counter(status for status, _, _ in answers)
        assert set(statuses) == {101, 503}
        assert statuses[101] >= 5
        refusals = [(headers, body) for status, headers, body in answers if status == 503]
        assert all(int(headers["retry-after"]) >= 1 for headers, _ in refusals)
        assert {body["error"]["reason"] for _, body in refusals} == {"TOO_MANY_CONNECTIONS"}

        async def let_in() -> bool:
            return (await upgrade(gateway.port, ann.access_token))[0] == 101

        async with asyncio.timeout(60):
            while not await let_in():
                await asyncio.sleep(0.2)


async def test_those_without_a_token_do_not_use_up_the_pace(stack: Harness, ann: SignedIn) -> None:
    async with running_gateway(stack.auth, stack.targets, connections_per_second=1, connections_burst=3) as gateway:
        strangers = await asyncio.gather(*(upgrade(gateway.port, "no token") for _ in range(20)))
        assert {status for status, _, _ in strangers} == {401}
        assert (await upgrade(gateway.port, ann.access_token))[0] == 101


async def test_when_chat_stalls_what_waits_is_bounded_and_goes_on_afterwards(
    stack: Harness, ann: SignedIn, bob: SignedIn
) -> None:
    """The gateway holds the messages of the stalled call and a full queue, and refuses the rest."""
    flowing = asyncio.Event()
    flowing.set()
    async with (
        valve(stack.targets.chat, flowing) as target,
        running_gateway(
            stack.auth, replace(stack.targets, chat=target), queued_items=50, requests_in_flight=1_000
        ) as gateway,
    ):
        anns, bobs, key = await talking(gateway, ann, bob)
        flowing.clear()
        sends = [
            asyncio.create_task(
                anns.request("message.send", conversationId=key, clientMessageId=f"stalled-{n}", text=str(n))
            )
            for n in range(200)
        ]
        await anns.ask("user.me")  # frames are handled in order: by now all of these are held or refused
        done, waiting = await asyncio.wait(sends, timeout=1)
        assert {task.result()["error"]["reason"] for task in done} == {"OVERLOADED"}
        assert all(task.result()["error"]["retryAfterMs"] > 0 for task in done)
        assert 0 < len(waiting) <= 2 * 50
        flowing.set()
        replies = await asyncio.gather(*waiting)
        assert all("ok" in reply for reply in replies), replies
        await bobs.message(str(max(number for number, task in enumerate(sends) if task in waiting)))


@asynccontextmanager
async def valve(target: str, flowing: asyncio.Event) -> AsyncIterator[str]:
    """Proxies to a service, and can be shut; yields its address. Bytes in transit wait, and none is lost."""
    host, _, port = target.rpartition(":")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
