"""Two users talk through the gateway."""

from __future__ import annotations

import asyncio
import secrets

from parley.notify.v1 import notification_pb2, notification_pb2_grpc

from chassis.rpc.channel import open_channel
from tests.component.auth_service import SignedIn
from tests.component.gateway.websocket.harness import Client, Harness, running_gateway, send, talking


async def test_the_first_event_says_who_one_is(stack: Harness, ann: SignedIn) -> None:
    client = await stack.gateway.connect(ann)
    (ready,) = client.bodies("session.ready")
    assert client.events[0]["event"] == "session.ready"
    assert ready["user"] == {"userId": ann.user_id, "name": "Ann", "role": "manager", "teams": []}
    assert ready["limits"]["frameBytes"] == 65_536
    assert client.socket.subprotocol == "parley.v1.json"


async def test_a_message_reaches_the_other_and_ones_own_other_device(
    stack: Harness, ann: SignedIn, bob: SignedIn
) -> None:
    anns, bobs, conversation_id = await talking(stack.gateway, ann, bob)
    anns_phone = await stack.gateway.connect(ann)
    receipt = await send(anns, conversation_id, "hello")
    for client in (bobs, anns_phone):
        message = await client.message("hello")
        assert {key: message[key] for key in receipt} == receipt
        assert message["senderId"] == ann.user_id
    await send(bobs, conversation_id, "hi there")
    await anns.message("hi there")
    assert [body["message"]["text"] for body in anns.bodies("message.created")] == ["hi there"]


async def test_a_repeated_send_is_answered_with_the_first_outcome(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns, bobs, conversation_id = await talking(stack.gateway, ann, bob)
    key = secrets.token_hex(8)
    first, *others = await asyncio.gather(
        *(send(anns, conversation_id, f"try {n}", clientMessageId=key) for n in range(5))
    )
    assert others == [first] * 4
    await send(anns, conversation_id, "last")
    await bobs.message("last")
    assert [body["message"]["seq"] for body in bobs.bodies("message.created")] == [1, 2]


async def test_many_messages_at_once_keep_their_order(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns, bobs, conversation_id = await talking(stack.gateway, ann, bob)
    receipts = await asyncio.gather(*(send(anns, conversation_id, f"{n}") for n in range(200)))
    assert [receipt["seq"] for receipt in receipts] == list(range(1, 201))
    await bobs.message("199")
    assert [body["message"]["text"] for body in bobs.bodies("message.created")] == [f"{n}" for n in range(200)]


async def test_edits_and_deletions_are_delivered(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns, bobs, conversation_id = await talking(stack.gateway, ann, bob)
    message_id = (await send(anns, conversation_id, "helo"))["messageId"]
    place = {"conversationId": conversation_id, "messageId": message_id}
    edited = (await anns.ask("message.edit", **place, text="hello"))["message"]
    assert (await bobs.event("message.updated"))["message"] == edited
    tombstone = (await anns.ask("message.delete", **place))["message"]
    assert (await bobs.event("message.deleted"))["message"] == tombstone
    assert tombstone["text"] == ""
    assert "deleteTime" in tombstone


async def test_receipts_and_typing_are_delivered(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns, bobs, conversation_id = await talking(stack.gateway, ann, bob)
    await send(anns, conversation_id, "hello")
    assert await bobs.ask("receipt.delivered", conversationId=conversation_id, seq=1) == {}
    assert await bobs.ask("receipt.read", conversationId=conversation_id, seq=1) == {}
    await anns.event("receipt.updated", userId=bob.user_id, readSeq=1, deliveredSeq=1)
    assert await bobs.ask("typing.set", conversationId=conversation_id, active=True) == {}
    await anns.event("typing.updated", userId=bob.user_id, active=True)
    assert bobs.bodies("typing.updated") == []


async def test_signals_to_a_conversation_of_others_are_refused(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    _, _, conversation_id = await talking(stack.gateway, ann, bob)
    eve = await stack.gateway.connect(await stack.join(ann.user.organization_id, "admin"))
    not_a_member = ("PERMISSION_DENIED", "NOT_A_MEMBER")
    assert await eve.refused("typing.set", conversationId=conversation_id, active=True) == not_a_member
    assert await eve.refused("receipt.read", conversationId=conversation_id, seq=1) == not_a_member
    sent = {"conversationId": conversation_id, "clientMessageId": "k", "text": "x"}
    assert await eve.refused("message.send", **sent) == not_a_member


async def test_a_group_lives(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns, bobs = await stack.gateway.connect(ann), await stack.gateway.connect(bob)
    made = {"kind": "group", "name": "Team", "memberIds": [bob.user_id], "externalRef": "deal-1"}
    group = (await anns.ask("conversation.create", **made))["conversation"]
    place = {"conversationId": group["conversationId"]}
    assert (group["kind"], group["name"], group["externalRef"]) == ("group", "Team", "deal-1")
    assert (await bobs.event("conversation.created"))["conversation"]["name"] == "Team"

    changed = (await anns.ask("conversation.update", **place, name="The team", tags=["hot"]))["conversation"]
    assert (changed["name"], changed["tags"], changed["externalRef"]) == ("The team", ["hot"], "deal-1")
    assert (await bobs.event("conversation.updated"))["conversation"]["name"] == "The team"

    cleo = await stack.join(ann.user.organization_id, "client")
    await anns.ask("member.add", **place, userIds=[cleo.user_id])
    assert (await bobs.event("member.added"))["member"]["userId"] == cleo.user_id
    await anns.ask("member.update", **place, userId=bob.user_id, role="admin")
    assert (await bobs.event("member.updated"))["member"]["role"] == "admin"
    await bobs.ask("member.remove", **place, userId=bob.user_id)
    assert (await anns.event("member.removed"))["member"]["userId"] == bob.user_id
    assert await bobs.refused("conversation.get", **place) == ("PERMISSION_DENIED", "NOT_A_MEMBER")

    await bobs.event("member.removed")
    await send(anns, group["conversationId"], "gone already")
    phone = await stack.gateway.connect(bob)
    await phone.ask("user.me")
    assert bobs.bodies("message.created") == []


async def test_muting_is_ones_own_and_ends_with_null(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns, bobs, conversation_id = await talking(stack.gateway, ann, bob)
    until = "2099-01-01T00:00:00.000Z"
    muted = await anns.ask("conversation.update", conversationId=conversation_id, mutedUntil=until)
    assert muted["conversation"]["mutedUntil"] == until
    seen = await bobs.ask("conversation.get", conversationId=conversation_id)
    assert "mutedUntil" not in seen["conversation"]
    unmuted = await anns.ask("conversation.update", conversationId=conversation_id, mutedUntil=None)
    assert "mutedUntil" not in unmuted["conversation"]


async def test_history_and_catching_up(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns, bobs, conversation_id = await talking(stack.gateway, ann, bob)
    for n in range(1, 6):
        await send(anns, conversation_id, f"{n}")

    async def listed(**place: int) -> tuple[list[str], bool]:
        page = await bobs.ask("message.list", conversationId=conversation_id, pageSize=2, **place)
        return [message["text"] for message in page["messages"]], page["hasMore"]

    assert await listed() == (["4", "5"], True)
    assert await listed(beforeSeq=2) == (["1"], False)
    assert await listed(afterSeq=0) == (["1", "2"], True)
    assert (await bobs.refused("message.list", conversationId=conversation_id, beforeSeq=0))[0] == "INVALID_ARGUMENT"

    page = await bobs.ask("message.sync", conversationId=conversation_id, afterRev=0, pageSize=200)
    assert [message["text"] for message in page["messages"]] == ["1", "2", "3", "4", "5"]
    assert page["conversation"]["rev"] == page["messages"][-1]["rev"]
    assert page["conversation"]["unreadCount"] == 5
    listing = await bobs.ask("conversation.list", kind="direct", updatedAfter="2020-01-01T00:00:00Z")
    assert [one["conversationId"] for one in listing["conversations"]] == [conversation_id]
    assert await bobs.refused("conversation.list", pageToken="tampered") == ("INVALID_ARGUMENT", "INVALID_PAGE_TOKEN")


async def test_people_are_found_by_whom_may_write_to_them(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns, bobs = await stack.gateway.connect(ann), await stack.gateway.connect(bob)
    assert (await anns.ask("user.me"))["user"]["userId"] == ann.user_id
    found = await bobs.ask("user.search", query="")
    assert [user["userId"] for user in found["users"]] == [ann.user_id]


async def test_another_organizations_ids_look_like_absent_ones(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    _, _, conversation_id = await talking(stack.gateway, ann, bob)
    elsewhere = f"org-{secrets.token_hex(8)}"
    await stack.auth.create_organization(elsewhere)
    eve = await stack.gateway.connect(await stack.join(elsewhere, "admin"))
    for op, body in (
        ("conversation.get", {}),
        ("message.list", {}),
        ("message.sync", {"afterRev": 0}),
        ("message.send", {"clientMessageId": "k", "text": "x"}),
        ("typing.set", {"active": True}),
    ):
        real = await eve.request(op, conversationId=conversation_id, **body)
        absent = await eve.request(op, conversationId="A" * 22, **body)
        assert real["error"]["reason"] == "CONVERSATION_NOT_FOUND"
        assert real["error"] == absent["error"]


async def test_presence_is_delivered_and_can_be_chosen(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    anns, bobs = await stack.gateway.connect(ann), await stack.gateway.connect(bob)
    await anns.event("presence.updated", userId=bob.user_id, status="online")
    await bobs.ask("presence.set", status="dnd", text="busy")
    await anns.event("presence.updated", userId=bob.user_id, status="dnd", text="busy")
    await bobs.ask("presence.set", status="online", text="")
    await bobs.ask("presence.set", idle=True)
    await anns.event("presence.updated", userId=bob.user_id, status="away")
    presences = (await anns.ask("presence.get", userIds=[bob.user_id, "nobody"]))["presences"]
    assert presences == [{"userId": bob.user_id, "status": "away"}, {"userId": "nobody", "status": "offline"}]
    await bobs.close()
    seen = await anns.event("presence.updated", userId=bob.user_id, status="offline")
    assert "lastSeenTime" in seen


async def test_clients_hear_nothing_of_other_clients(stack: Harness, organization: str, ann: SignedIn) -> None:
    cleo, carl = await stack.join(organization, "client"), await stack.join(organization, "client")
    cleos = await stack.gateway.connect(cleo)
    anns = await stack.gateway.connect(ann)
    await cleos.event("presence.updated", userId=ann.user_id)
    await stack.gateway.connect(carl)
    await anns.event("presence.updated", userId=carl.user_id)
    await cleos.ask("user.me")  # an event about Carl would come before the reply
    assert {body["userId"] for body in cleos.bodies("presence.updated")} <= {cleo.user_id, ann.user_id}


async def test_notifications_are_delivered_listed_and_read(stack: Harness, ann: SignedIn) -> None:
    anns = await stack.gateway.connect(ann)
    async with open_channel(stack.targets.notify) as channel:
        await notification_pb2_grpc.NotificationServiceStub(channel).CreateNotifications(
            notification_pb2.CreateNotificationsRequest(
                items=[
                    notification_pb2.CreateNotificationsRequest.Item(
                        user_id=ann.user_id, type=notification_pb2.NOTIFICATION_TYPE_REMINDER, title=f"Call {n}"
                    )
                    for n in range(3)
                ]
            ),
            metadata=await stack.auth.service_metadata(ann.user.organization_id),
            timeout=20,
        )
    await anns.event("notification.created", unreadCount=3)
    listed = await anns.ask("notification.list", type="REMINDER", unreadOnly=True)
    assert listed["unreadCount"] == 3
    first, second, _ = (notification["notificationId"] for notification in listed["notifications"])
    assert await anns.ask("notification.read", notificationId=first) == {"unreadCount": 2}
    assert await anns.ask("notification.delete", notificationId=second) == {"unreadCount": 1}
    assert await anns.ask("notification.unreadCount") == {"unreadCount": 1}
    assert await anns.ask("notification.readAll") == {"unreadCount": 0}
    assert await anns.refused("notification.read", notificationId="A" * 22) == ("NOT_FOUND", "NOTIFICATION_NOT_FOUND")
    muted = {"mutedTypes": ["REMINDER"]}
    assert await anns.ask("notification.preferences.set", **muted) == {"preferences": muted}
    assert await anns.ask("notification.preferences.get") == {"preferences": muted}


async def test_two_gateways_are_one_place(stack: Harness, ann: SignedIn, bob: SignedIn) -> None:
    async with running_gateway(stack.auth, stack.targets, chat_shards=4) as other:
        anns: Client = await stack.gateway.connect(ann)
        bobs = await other.connect(bob)
        anns_phone = await other.connect(ann)
        answer = await anns.ask("conversation.direct", userId=bob.user_id)
        conversation_id = answer["conversation"]["conversationId"]
        await bobs.event(
            "conversation.created"
        )  # an earlier message may be delivered from the store, also to its sender
        await send(anns, conversation_id, "from here")
        await bobs.message("from here")
        await anns_phone.message("from here")
        await send(bobs, conversation_id, "from there")
        await anns.message("from there")
        assert [body["message"]["text"] for body in anns.bodies("message.created")] == ["from there"]
