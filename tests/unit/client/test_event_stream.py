"""Events reach every reader; a slow reader learns that it was too slow."""

import asyncio

import pytest
from parley_client.errors import AccountDisabledError, ClientClosedError, EventsOverflowError
from parley_client.event_stream import EventHub, EventStream
from parley_client.events import Event, PresenceUpdated, TypingUpdated


def typing(user_id: str) -> TypingUpdated:
    return TypingUpdated(conversation_id="c", user_id=user_id, active=True)


async def read(stream: EventStream[Event]) -> list[Event]:
    return [event async for event in stream]


async def test_each_stream_gets_all_events_since_it_was_opened_in_order() -> None:
    hub = EventHub(limit=10)
    early = hub.open(())
    hub.publish(typing("ann"))
    late = hub.open(())
    hub.publish(typing("bob"))
    hub.end(ClientClosedError())

    assert await read(early) == [typing("ann"), typing("bob")]
    assert await read(late) == [typing("bob")]


async def test_a_stream_of_some_kinds_gets_no_others() -> None:
    hub = EventHub(limit=10)
    stream = hub.open((PresenceUpdated,))
    hub.publish(typing("ann"))
    hub.publish(PresenceUpdated(user_id="bob", status="online"))
    hub.end(ClientClosedError())

    assert await read(stream) == [PresenceUpdated(user_id="bob", status="online")]


async def test_a_reader_that_waits_is_woken() -> None:
    hub = EventHub(limit=10)
    stream = hub.open(())
    reading = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)

    hub.publish(typing("ann"))

    assert await reading == typing("ann")


async def test_a_full_stream_gives_what_it_has_and_then_fails() -> None:
    hub = EventHub(limit=2)
    slow, quick = hub.open(()), hub.open((PresenceUpdated,))
    for user_id in ("ann", "bob", "cid", "dan"):
        hub.publish(typing(user_id))
    hub.publish(PresenceUpdated(user_id="bob", status="online"))

    assert [await anext(slow), await anext(slow)] == [typing("ann"), typing("bob")]
    with pytest.raises(EventsOverflowError):
        await anext(slow)
    assert await anext(quick) == PresenceUpdated(user_id="bob", status="online")


async def test_a_refusal_reaches_readers_after_what_came_before_it() -> None:
    hub = EventHub(limit=10)
    stream = hub.open(())
    hub.publish(typing("ann"))
    hub.end(AccountDisabledError("the account is disabled"))

    assert await anext(stream) == typing("ann")
    for _ in range(2):
        with pytest.raises(AccountDisabledError):
            await anext(stream)


async def test_a_closed_stream_ends_and_costs_nothing_more() -> None:
    hub = EventHub(limit=10)
    with hub.open(()) as stream:
        hub.publish(typing("ann"))
        assert hub.has_readers

    assert not hub.has_readers
    hub.publish(typing("bob"))
    assert await read(stream) == []


async def test_a_stream_opened_after_the_end_ends_at_once() -> None:
    hub = EventHub(limit=10)
    hub.end(ClientClosedError())

    assert await read(hub.open(())) == []
    assert not hub.has_readers
