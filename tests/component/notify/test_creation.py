"""CreateNotifications: each item has its own outcome, and creates one notification for its key."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from parley.notify.v1 import notification_pb2

from chassis.errors import AppError
from chassis.rpc.status import from_rpc_error
from tests.component.notify.creation import Item, create, make_item, outcomes
from tests.component.notify.harness import Harness
from tests.component.notify.user import User

REMINDER = notification_pb2.NOTIFICATION_TYPE_REMINDER
LEAD_ASSIGNED = notification_pb2.NOTIFICATION_TYPE_LEAD_ASSIGNED


def _struct(**fields: Any) -> Struct:
    struct = Struct()
    struct.update(fields)
    return struct


def _reasons(results: list[notification_pb2.Notification | AppError]) -> list[str]:
    return [outcome.reason if isinstance(outcome, AppError) else "" for outcome in results]


async def test_a_service_notifies_a_user(harness: Harness, ann: User) -> None:
    data = _struct(leadId="L-7", **{"$inc": {"a.b": 1}}, score=7, share=0.5, tags=["hot", None, True])
    (notification,) = await create(
        harness, make_item("ann", type=LEAD_ASSIGNED, title="A lead", body="Acme Ltd", data=data)
    )
    assert (notification.type, notification.title, notification.body, notification.count, notification.read) == (
        LEAD_ASSIGNED,
        "A lead",
        "Acme Ltd",
        1,
        False,
    )
    assert MessageToDict(notification.data) == MessageToDict(data)
    assert len(notification.notification_id) == 22
    assert await ann.only() == notification


async def test_an_admin_notifies_users_and_others_may_not(harness: Harness, ann: User) -> None:
    admin = await harness.create_user("root", role="admin")
    await create(harness, make_item("ann"), metadata=admin.metadata)
    for role in ("manager", "employee", "client"):
        user = await harness.create_user(role, role=role)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await create(harness, make_item("ann"), metadata=user.metadata)
        assert from_rpc_error(caught.value).reason == "NOT_ALLOWED"
    assert await ann.unread() == 1


async def test_a_service_names_the_organization_in_its_token(harness: Harness, ann: User) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(harness, make_item("ann"), metadata=await harness.auth.service_metadata())
    assert from_rpc_error(caught.value).reason == "ORGANIZATION_REQUIRED"


async def test_each_item_has_its_own_outcome_in_the_order_of_the_items(harness: Harness, ann: User) -> None:
    results = await outcomes(
        harness,
        make_item("nobody"),
        make_item("ann", title="one"),
        make_item("ann", title=""),
        make_item("ann", title="two"),
    )
    assert _reasons(results) == ["USER_NOT_FOUND", "", "INVALID_FIELDS", ""]
    assert {n.title for n in await ann.notifications()} == {"one", "two"}


async def test_users_of_another_organization_are_not_found(harness: Harness) -> None:
    other = f"{harness.organization_id}-2"
    await harness.auth.create_organization(other)
    await harness.create_user("zoe", organization_id=other)
    assert _reasons(await outcomes(harness, make_item("zoe"))) == ["USER_NOT_FOUND"]


async def test_without_a_key_every_item_is_new(harness: Harness, ann: User) -> None:
    one, two = await create(harness, make_item("ann"), make_item("ann"))
    assert one.notification_id != two.notification_id
    assert await ann.unread() == 2


async def test_a_key_makes_repeats_return_the_first(harness: Harness, ann: User) -> None:
    (first,) = await create(harness, make_item("ann", title="first", idempotency_key="k"))
    repeats = await create(
        harness,
        make_item("ann", title="second", idempotency_key="k"),
        make_item("ann", title="third", type=LEAD_ASSIGNED, idempotency_key="k"),
    )
    assert repeats == [first, first]
    assert await ann.notifications() == [first]


async def test_repeats_at_once_make_one(harness: Harness, ann: User) -> None:
    items = [make_item("ann", title=f"title {number}", idempotency_key=f"k{number}") for number in range(20)]
    calls = await asyncio.gather(*(create(harness, *items) for _ in range(8)))
    assert all(call == calls[0] for call in calls)
    assert await ann.unread() == 20


async def test_a_repeat_does_not_bring_back_what_the_user_read_or_deleted(harness: Harness, ann: User) -> None:
    items = [
        make_item("ann", title="read", idempotency_key="r"),
        make_item("ann", title="deleted", idempotency_key="d"),
    ]
    read, deleted = await create(harness, *items)
    await ann.read(read.notification_id)
    await ann.delete(deleted.notification_id)
    again = await create(harness, *items)
    assert [(n.notification_id, n.read) for n in again] == [
        (read.notification_id, True),
        (deleted.notification_id, True),
    ]
    assert [n.title for n in await ann.notifications()] == ["read"]
    assert await ann.unread() == 0


async def test_keys_of_different_users_and_callers_are_independent(harness: Harness, ann: User, ben: User) -> None:
    admin = await harness.create_user("root", role="admin")
    await create(harness, make_item("ann", idempotency_key="k"), make_item("ben", idempotency_key="k"))
    await create(harness, make_item("ann", idempotency_key="k"), metadata=admin.metadata)
    assert (await ann.unread(), await ben.unread()) == (2, 1)


async def test_notifications_of_muted_types_are_not_created(harness: Harness, ann: User) -> None:
    await ann.mute(REMINDER)
    results = await outcomes(harness, make_item("ann", idempotency_key="k"), make_item("ann", type=LEAD_ASSIGNED))
    assert _reasons(results) == ["TYPE_MUTED", ""]
    assert (await ann.only()).type == LEAD_ASSIGNED


async def test_a_repeat_after_muting_still_returns_the_first(harness: Harness, ann: User) -> None:
    item = make_item("ann", idempotency_key="k")
    first = await create(harness, item)
    await ann.mute(REMINDER)
    assert await create(harness, item) == first


async def test_a_call_may_name_more_users_than_one_call_of_the_directory(harness: Harness, ann: User) -> None:
    items = [make_item(f"nobody-{number}") for number in range(450)] + [make_item("ann")]
    assert _reasons(await outcomes(harness, *items)) == ["USER_NOT_FOUND"] * 450 + [""]


async def test_a_call_takes_a_thousand_items_and_no_more(harness: Harness, ann: User) -> None:
    assert await outcomes(harness) == []
    assert len(await create(harness, *[make_item("ann")] * 1_000)) == 1_000
    assert await ann.unread() == 1_000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await outcomes(harness, *[make_item("ann")] * 1_001)
    assert list(from_rpc_error(caught.value).fields) == ["items"]


BAD_ITEMS = [
    (make_item(""), "userId"),
    (make_item("no user id"), "userId"),
    (make_item("x" * 65), "userId"),
    (make_item("ann", type=0), "type"),
    (make_item("ann", type=1), "type"),
    (make_item("ann", type=77), "type"),
    (make_item("ann", title=""), "title"),
    (make_item("ann", title="é" * 201), "title"),
    (make_item("ann", body="x" * 2_001), "body"),
    (make_item("ann", idempotency_key="x" * 129), "idempotencyKey"),
    (make_item("ann", data=_struct(text="é" * 4_100)), "data"),
    (make_item("ann", data=_struct(number=float("nan"))), "data"),
    (make_item("ann", data=_struct(number=float("inf"))), "data"),
]


@pytest.mark.parametrize(("item", "field"), BAD_ITEMS)
async def test_a_bad_item_is_refused_by_the_name_of_the_field(
    harness: Harness, ann: User, item: Item, field: str
) -> None:
    (error,) = await outcomes(harness, item)
    assert isinstance(error, AppError)
    assert (error.reason, list(error.fields)) == ("INVALID_FIELDS", [field])
    assert await ann.notifications() == []


async def test_the_largest_item_is_taken(harness: Harness, ann: User) -> None:
    data = _struct(text="x" * (8_192 - len('{"text":""}')))
    item = make_item("ann", title="é" * 200, body="é" * 2_000, data=data, idempotency_key="é" * 128)
    assert await create(harness, item) == [await ann.only()]
