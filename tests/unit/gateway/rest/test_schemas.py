"""What is answered has the documented shape, with everything that may be absent present and absent."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from parley.auth.v1 import user_pb2
from parley.chat.v1 import chat_pb2, message_pb2
from parley.notify.v1 import notification_pb2

from gateway.rest.messages import SENT
from gateway.wire import json_objects
from tests.rest_shapes import check_shape

TIME = Timestamp(seconds=1_700_000_000, nanos=123_456_789)
DATA = Struct()
DATA.update({"leadId": "l-1", "tags": ["a", 2], "nested": {"deep": None}})

FULL_USER = user_pb2.User(
    user_id="ada",
    name="Ada",
    email="ada@crm.example",
    role=user_pb2.ROLE_AGENT_L1,
    teams=["east"],
    avatar_url="https://crm.example/ada.png",
    disabled=True,
)
FULL_MESSAGE = chat_pb2.Message(
    message_id="m",
    conversation_id="c",
    seq=7,
    rev=9,
    sender_id="ada",
    client_message_id="k",
    kind=chat_pb2.MESSAGE_KIND_FILE,
    text="hello",
    attachments=[
        chat_pb2.Attachment(url="https://crm.example/f", name="f", content_type="text/plain", size_bytes=5),
        chat_pb2.Attachment(url="https://crm.example/g"),
    ],
    reply_to="m0",
    mentions=["bob"],
    create_time=TIME,
    edit_time=TIME,
    delete_time=TIME,
)
FULL_CONVERSATION = chat_pb2.Conversation(
    conversation_id="c",
    kind=chat_pb2.CONVERSATION_KIND_GROUP,
    name="n",
    description="d",
    external_ref="x",
    created_by="ada",
    seq=7,
    rev=9,
    last_message=FULL_MESSAGE,
    last_activity_time=TIME,
    archived=True,
    tags=["t"],
    members=[
        chat_pb2.Member(user_id="ada", role=chat_pb2.MEMBER_ROLE_OWNER, read_seq=1, delivered_seq=2),
    ],
    member_count=1,
    read_seq=1,
    unread_count=6,
    muted_until_time=TIME,
)


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (json_objects.user_object(FULL_USER), "User"),
        (json_objects.user_object(user_pb2.User(role=user_pb2.ROLE_BOT)), "User"),
        (json_objects.message_object(FULL_MESSAGE), "Message"),
        (json_objects.message_object(chat_pb2.Message(kind=chat_pb2.MESSAGE_KIND_TEXT)), "Message"),
        (json_objects.conversation_object(FULL_CONVERSATION), "Conversation"),
        (
            json_objects.conversation_object(chat_pb2.Conversation(kind=chat_pb2.CONVERSATION_KIND_DIRECT)),
            "Conversation",
        ),
        (
            json_objects.result_object(message_pb2.SendResult(message_id="m", seq=1, rev=1)) | {"clientMessageId": "k"},
            SENT,
        ),
        (
            json_objects.notification_object(
                notification_pb2.Notification(
                    notification_id="n", type=notification_pb2.NOTIFICATION_TYPE_REMINDER, data=DATA, update_time=TIME
                )
            ),
            "Notification",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_objects_have_the_documented_shape(made: dict[str, Any], shape: str | dict[str, Any]) -> None:
    check_shape(made, shape)
