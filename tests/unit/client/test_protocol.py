"""Encoding and decoding frames, events and bodies."""

import msgspec
import pytest
from parley_client.contract import Conversation, CreateConversationResponse, SendMessageResponse
from parley_client.errors import FrameError, ParleyError
from parley_client.events import EVENT_TYPES, MessageCreated, ReceiptUpdated, SessionReady, UnknownEvent, decode_event
from parley_client.protocol import (
    Empty,
    EventFrame,
    Reply,
    decode_body,
    decode_error_body,
    decode_frame,
    encode_request,
)


def test_a_request_is_one_json_object() -> None:
    frame = encode_request(7, "message.send", {"text": "ü\n", "mentions": ["a"]})

    assert msgspec.json.decode(frame) == {"id": 7, "op": "message.send", "body": {"text": "ü\n", "mentions": ["a"]}}


def test_a_reply_with_ok_keeps_its_body_for_who_asked() -> None:
    reply = decode_frame(
        '{"id": 7, "ok": {"messageId": "m", "seq": 1, "rev": 2, "createTime": "2026-01-01T00:00:00.5Z"}}'
    )

    assert isinstance(reply, Reply)
    assert (reply.request_id, reply.error) == (7, None)
    sent = decode_body(reply.ok, SendMessageResponse)
    assert (sent.message_id, sent.seq, sent.rev) == ("m", 1, 2)
    assert sent.create_time is not None
    assert sent.create_time.microsecond == 500_000


def test_a_reply_with_an_error_carries_all_of_it() -> None:
    reply = decode_frame(
        '{"id": 3, "error": {"code": "RESOURCE_EXHAUSTED", "reason": "RATE_LIMITED", "message": "slower",'
        ' "retryAfterMs": 250, "fields": {"text": "too long"}, "incident": "x"}}'
    )

    assert isinstance(reply, Reply)
    error = reply.error
    assert isinstance(error, ParleyError)
    assert (error.code, error.reason, error.message) == ("RESOURCE_EXHAUSTED", "RATE_LIMITED", "slower")
    assert (error.retry_after_ms, error.fields, error.retryable) == (250, {"text": "too long"}, True)


def test_an_empty_ok_is_an_answer() -> None:
    reply = decode_frame('{"id": 3, "ok": {}}')

    assert isinstance(reply, Reply)
    assert decode_body(reply.ok, Empty) == Empty()


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b'{"id": 1, "ok": {}}', id="binary"),
        pytest.param("", id="empty"),
        pytest.param("{", id="cut off"),
        pytest.param("[]", id="an array"),
        pytest.param("7", id="a number"),
        pytest.param("{}", id="neither reply nor event"),
        pytest.param('{"ok": {}}', id="a reply without id"),
        pytest.param('{"id": 1}', id="a reply without outcome"),
        pytest.param('{"id": "1", "ok": {}}', id="an id that is a text"),
        pytest.param('{"id": 1.5, "ok": {}}', id="an id that is a fraction"),
        pytest.param('{"id": 1, "error": "no"}', id="an error that is a text"),
        pytest.param('{"id": 1, "error": {}}', id="an error without code"),
        pytest.param('{"event": 1, "body": {}}', id="an event whose name is a number"),
        pytest.param('{"event": "x", "body": }', id="an event with a hole"),
        pytest.param('{"event": "x", "body": {}} {}', id="two objects"),
        pytest.param('{"event": "\ud800"}', id="a lone surrogate"),
        pytest.param('{"event": "x", "body": ' + "[" * 100_000, id="nested beyond reason"),
    ],
)
def test_what_is_no_frame_is_an_error(frame: str | bytes) -> None:
    with pytest.raises(FrameError):
        decode_frame(frame)


def test_an_event_is_decoded_into_its_type() -> None:
    frame = decode_frame(
        '{"event": "message.created", "body": {"message": {"messageId": "m", "conversationId": "c", "seq": 1, "rev": 2,'
        ' "senderId": "ann", "kind": "poll", "text": "hello", "futureField": [1, {"a": null}]}, "another": true}}'
    )

    assert isinstance(frame, EventFrame)
    event = decode_event(frame)
    assert isinstance(event, MessageCreated)
    assert not event.replayed
    assert (event.message.sender_id, event.message.text, event.message.kind) == ("ann", "hello", "poll")


def test_an_unknown_event_is_passed_on_as_it_is() -> None:
    event = decode_event(EventFrame("lead.assigned", msgspec.Raw(b'{"leadId": 5}')))

    assert event == UnknownEvent(event="lead.assigned", body={"leadId": 5})


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("message.created", b"{}"),
        ("message.created", b'{"message": {"messageId": "m", "conversationId": "c", "seq": "one", "rev": 2}}'),
        ("member.added", b'{"conversationId": "c", "rev": 1}'),
        ("receipt.updated", b"[]"),
        ("session.ready", b'{"sessionId": "s"}'),
        ("message.created", b"[" * 100_000),
    ],
)
def test_a_known_event_with_a_wrong_body_is_an_error(name: str, body: bytes) -> None:
    with pytest.raises(FrameError):
        decode_event(EventFrame(name, msgspec.Raw(body)))


def test_what_is_left_out_takes_its_default() -> None:
    receipt = decode_event(EventFrame("receipt.updated", msgspec.Raw(b'{"conversationId": "c", "userId": "u"}')))
    reply = decode_body(b'{"conversation": {"conversationId": "c"}}', CreateConversationResponse)
    ready = decode_event(EventFrame("session.ready", msgspec.Raw(b'{"sessionId": "s", "user": {"userId": "u"}}')))

    assert receipt == ReceiptUpdated(conversation_id="c", user_id="u", read_seq=0, delivered_seq=0)
    assert reply.conversation == Conversation(conversation_id="c")
    assert isinstance(ready, SessionReady)
    assert ready.limits.frame_bytes == 65_536


def test_every_event_type_has_a_name_of_its_own() -> None:
    assert len(EVENT_TYPES) == len(set(EVENT_TYPES.values()))


@pytest.mark.parametrize("body", [b"upstream connect error", b"{}", b'{"error": "text"}', b""])
def test_a_proxys_answer_has_no_error_in_it(body: bytes) -> None:
    assert decode_error_body(body) is None


def test_an_http_error_has_the_shape_of_a_replys() -> None:
    error = decode_error_body(b'{"error": {"code": "UNAUTHENTICATED", "reason": "INVALID_CREDENTIALS"}}')

    assert error is not None
    assert (error.code, error.reason, error.retryable) == ("UNAUTHENTICATED", "INVALID_CREDENTIALS", False)
