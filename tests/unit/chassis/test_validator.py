"""Requests are checked against the constraints of their fields, and errors name the fields as JSON does."""

from __future__ import annotations

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from parley.auth.v1 import directory_pb2
from parley.chat.v1 import conversation_pb2
from parley.notify.v1 import notification_pb2

from chassis.contract.validator import validate, validate_envelope
from chassis.errors import InvalidArgumentError

Item = notification_pb2.CreateNotificationsRequest.Item
TASK = notification_pb2.NOTIFICATION_TYPE_TASK_ASSIGNED


def problems(message: Message) -> dict[str, str]:
    """Returns the invalid fields of a message, each with its sentence."""
    try:
        validate(message)
    except InvalidArgumentError as error:
        return dict(error.fields)
    return {}


def test_the_envelope_is_checked_without_its_items() -> None:
    request = notification_pb2.CreateNotificationsRequest(items=[Item()])
    validate_envelope(request)
    assert problems(request).keys() == {"items[0].userId", "items[0].type", "items[0].title"}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (notification_pb2.CreateNotificationsRequest(items=[Item()] * 1_001), "items"),
        (notification_pb2.CreateNotificationsRequest(request_id="x" * 65), "requestId"),
    ],
)
def test_a_bad_envelope_is_refused(request_: Message, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        validate_envelope(request_)
    assert list(refused.value.fields) == [field]


def test_an_item_is_checked_alone() -> None:
    assert problems(Item(user_id="ann", type=TASK, title="Call Zoe")) == {}
    bad = Item(user_id="a b", type=notification_pb2.NOTIFICATION_TYPE_NEW_MESSAGE, title="x" * 201)
    assert problems(bad).keys() == {"userId", "type", "title"}


@pytest.mark.parametrize(
    "request_",
    [
        conversation_pb2.UpdateConversationRequest(conversation={"conversation_id": "c"}),  # type: ignore[arg-type]
        directory_pb2.UpdateUserRequest(user={"user_id": "ann"}),  # type: ignore[arg-type]
    ],
)
def test_an_update_of_several_fields_names_one(
    request_: conversation_pb2.UpdateConversationRequest | directory_pb2.UpdateUserRequest,
) -> None:
    assert problems(request_) == {"updateMask": "must name a field"}
    request_.update_mask.CopyFrom(FieldMask(paths=["name"]))
    assert problems(request_).keys() == {"name"}


def test_an_update_of_a_single_field_needs_no_mask() -> None:
    request = notification_pb2.UpdatePreferencesRequest(preferences={"muted_types": [TASK]})  # type: ignore[arg-type]
    assert problems(request) == {}


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a/b", "ä", "a\n", "a\x00", "$", "{}", "\u202e"])
def test_invalid_user_ids_are_refused(value: str) -> None:
    assert problems(directory_pb2.GetUserRequest(user_id=value)).keys() == {"userId"}


def test_a_user_id_may_be_an_address() -> None:
    assert problems(directory_pb2.GetUserRequest(user_id="ann@acme.example:1")) == {}
