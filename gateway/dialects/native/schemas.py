"""The bodies of the hot path's requests, typed so that msgspec decodes and checks a good frame in one pass.

They accept nothing that the contract refuses. A frame that does not fit is read again, by the contract, which says what
is wrong with it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field
from parley.chat.v1.message_pb2 import Draft

from chassis.contract.fields import MAX_INTEGER, accepted_names, options_of

TEXT_BYTES: Final = options_of(Draft.DESCRIPTOR.fields_by_name["text"]).max_bytes
"""The longest text, in bytes of UTF-8."""

MESSAGE_KINDS: Final = accepted_names(Draft.DESCRIPTOR.fields_by_name["kind"])

Id = Annotated[str, Meta(min_length=1, max_length=64)]
UserId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:@-]{1,64}\Z")]
Seq = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]


class Attachment(Struct, rename="camel"):
    """Something that a message carries by reference."""

    url: Annotated[str, Meta(min_length=1, max_length=2_000)]
    name: Annotated[str, Meta(max_length=200)] = ""
    content_type: Annotated[str, Meta(max_length=100)] = ""
    size_bytes: Annotated[int, Meta(ge=0, le=MAX_INTEGER)] = 0


class MessageSend(Struct, rename="camel"):
    """`message.send`."""

    conversation_id: Id
    client_message_id: Id
    text: Annotated[str, Meta(max_length=TEXT_BYTES // 4)]  # longer ones are counted in bytes, by the contract
    kind: str = "text"
    reply_to: Annotated[str, Meta(max_length=64)] = ""
    mentions: Annotated[list[UserId], Meta(max_length=50)] = field(default_factory=list)
    attachments: Annotated[list[Attachment], Meta(max_length=20)] = field(default_factory=list)
    data: Any = None  # read by the contract


class UpToSeq(Struct, rename="camel"):
    """`receipt.read` and `receipt.delivered`."""

    conversation_id: Id
    seq: Seq


class TypingSet(Struct, rename="camel"):
    """`typing.set`."""

    conversation_id: Id
    active: bool
