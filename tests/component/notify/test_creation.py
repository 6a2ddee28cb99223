"""Other services and admins make notifications, each item with an outcome of its own, once for each key."""

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
from tests.component.notify.orders import Item, created, order, outcomes
from tests.component.notify.person import Person
from tests.component.notify.running import Stage

REMINDER = notification_pb2.NOTIFICATION_TYPE_REMINDER
LEAD_ASSIGNED = notification_pb2.NOTIFICATION_TYPE_LEAD_ASSIGNED


def _struct(**fields: Any) -> Struct:
    struct = Struct()
    struct.update(fields)
    return struct


def _reasons(found: list[notification_pb2.Notification | AppError]) -> list[str]:
    return [outcome.reason if isinstance(outcome, AppError) else "" for outcome in found]


async def test_a_service_notifies_a_user(stage: Stage, ann: Person) -> None:
    data = _struct(leadId="L-7", **{"$inc": {"a.b": 1}}, score=7, share=0.5, tags=["hot", None, True])
    (made,) = await created(stage, order("ann", type=LEAD_ASSIGNED, title="A lead", body="Acme Ltd", data=data))
    assert (made.type, made.title, made.body, made.count, made.read) == (
        LEAD_ASSIGNED,
        "A lead",
        "Acme Ltd",
        1,
        False,
    )
    assert MessageToDict(made.data) == MessageToDict(data)
    assert len(made.notification_id) == 22
    assert await ann.only() == made


async def test_an_admin_notifies_users_and_others_may_not(stage: Stage, ann: Person) -> None:
    admin = await stage.person("root", role="admin")
    await created(stage, order("ann"), metadata=admin.metadata)
    for role in ("manager", "employee", "client"):
        person = await stage.person(role, role=role)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await created(stage, order("ann"), metadata=person.metadata)
        assert from_rpc_error(caught.value).reason == "NOT_ALLOWED"
    assert await ann.unread() == 1


async def test_a_service_names_the_organization_in_its_token(stage: Stage, ann: Person) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await created(stage, order("ann"), metadata=await stage.auth.service_metadata())
    assert from_rpc_error(caught.value).reason == "ORGANIZATION_REQUIRED"


async def test_each_item_has_its_own_outcome_in_the_order_of_the_items(stage: Stage, ann: Person) -> None:
    found = await outcomes(
        stage, order("nobody"), order("ann", title="one"), order("ann", title=""), order("ann", title="two")
    )
    assert _reasons(found) == ["USER_NOT_FOUND", "", "INVALID_FIELDS", ""]
    assert {n.title for n in await ann.notifications()} == {"one", "two"}


async def test_users_of_another_organization_are_not_found(stage: Stage) -> None:
    other = f"{stage.organization_id}-2"
    await stage.auth.create_organization(other)
    await stage.person("zoe", organization_id=other)
    assert _reasons(await outcomes(stage, order("zoe"))) == ["USER_NOT_FOUND"]


async def test_without_a_key_every_item_is_new(stage: Stage, ann: Person) -> None:
    one, two = await created(stage, order("ann"), order("ann"))
    assert one.notification_id != two.notification_id
    assert await ann.unread() == 2


async def test_a_key_makes_repeats_return_the_first(stage: Stage, ann: Person) -> None:
    (first,) = await created(stage, order("ann", title="first", idempotency_key="k"))
    repeats = await created(
        stage,
        order("ann", title="second", idempotency_key="k"),
        order("ann", title="third", type=LEAD_ASSIGNED, idempotency_key="k"),
    )
    assert repeats == [first, first]
    assert await ann.notifications() == [first]


async def test_repeats_at_once_make_one(stage: Stage, ann: Person) -> None:
    items = [order("ann", title=f"title {number}", idempotency_key=f"k{number}") for number in range(20)]
    calls = await asyncio.gather(*(created(stage, *items) for _ in range(8)))
    assert all(call == calls[0] for call in calls)
    assert await ann.unread() == 20


async def test_a_repeat_does_not_bring_back_what_the_user_read_or_deleted(stage: Stage, ann: Person) -> None:
    items = [order("ann", title="read", idempotency_key="r"), order("ann", title="deleted", idempotency_key="d")]
    read, deleted = await created(stage, *items)
    await ann.read(read.notification_id)
    await ann.delete(deleted.notification_id)
    again = await created(stage, *items)
    assert [(n.notification_id, n.read) for n in again] == [
        (read.notification_id, True),
        (deleted.notification_id, True),
    ]
    assert [n.title for n in await ann.notifications()] == ["read"]
    assert await ann.unread() == 0


async def test_keys_of_different_users_and_callers_never_meet(stage: Stage, ann: Person, ben: Person) -> None:
    admin = await stage.person("root", role="admin")
    await created(stage, order("ann", idempotency_key="k"), order("ben", idempotency_key="k"))
    await created(stage, order("ann", idempotency_key="k"), metadata=admin.metadata)
    assert (await ann.unread(), await ben.unread()) == (2, 1)


async def test_muted_types_are_not_made(stage: Stage, ann: Person) -> None:
    await ann.mute(REMINDER)
    found = await outcomes(stage, order("ann", idempotency_key="k"), order("ann", type=LEAD_ASSIGNED))
    assert _reasons(found) == ["TYPE_MUTED", ""]
    assert (await ann.only()).type == LEAD_ASSIGNED


async def test_a_repeat_after_muting_still_returns_the_first(stage: Stage, ann: Person) -> None:
    item = order("ann", idempotency_key="k")
    first = await created(stage, item)
    await ann.mute(REMINDER)
    assert await created(stage, item) == first


async def test_more_users_than_the_directory_answers_at_once(stage: Stage, ann: Person) -> None:
    items = [order(f"nobody-{number}") for number in range(450)] + [order("ann")]
    assert _reasons(await outcomes(stage, *items)) == ["USER_NOT_FOUND"] * 450 + [""]


async def test_a_call_takes_a_thousand_items_and_no_more(stage: Stage, ann: Person) -> None:
    assert await outcomes(stage) == []
    assert len(await created(stage, *[order("ann")] * 1_000)) == 1_000
    assert await ann.unread() == 1_000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await outcomes(stage, *[order("ann")] * 1_001)
    assert list(from_rpc_error(caught.value).fields) == ["items"]


BAD_ITEMS = [
    (order(""), "userId"),
    (order("no user id"), "userId"),
    (order("x" * 65), "userId"),
    (order("ann", type=0), "type"),
    (order("ann", type=1), "type"),
    (order("ann", type=77), "type"),
    (order("ann", title=""), "title"),
    (order("ann", title="é" * 201), "title"),
    (order("ann", body="x" * 2_001), "body"),
    (order("ann", idempotency_key="x" * 129), "idempotencyKey"),
    (order("ann", data=_struct(text="é" * 4_100)), "data"),
    (order("ann", data=_struct(number=float("nan"))), "data"),
    (order("ann", data=_struct(number=float("inf"))), "data"),
]


@pytest.mark.parametrize(("item", "field"), BAD_ITEMS)
async def test_a_bad_item_is_refused_by_the_name_of_the_field(
    stage: Stage, ann: Person, item: Item, field: str
) -> None:
    (error,) = await outcomes(stage, item)
    assert isinstance(error, AppError)
    assert (error.reason, list(error.fields)) == ("INVALID_FIELDS", [field])
    assert await ann.notifications() == []


async def test_the_largest_item_is_taken(stage: Stage, ann: Person) -> None:
    data = _struct(text="x" * (8_192 - len('{"text":""}')))
    item = order("ann", title="é" * 200, body="é" * 2_000, data=data, idempotency_key="é" * 128)
    assert await created(stage, item) == [await ann.only()]
