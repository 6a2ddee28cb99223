"""The gRPC servicer of messages, receipts and typing: validates, calls a use case, converts the result."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from google.rpc.status_pb2 import Status
from parley.chat.v1 import chat_pb2
from parley.chat.v1 import message_pb2 as pb
from parley.chat.v1.message_pb2_grpc import MessageServiceServicer

from chassis.contract.validator import validate
from chassis.errors import AppError, InvalidArgumentError
from chassis.identity import Identity, caller, calling_user, require_organization
from chassis.rpc.interceptor import Context
from chassis.rpc.paging import page_size
from chassis.rpc.status import to_status
from services.chat import convert, requests
from services.chat.domain import MemberKey, Message, ReadMark
from services.chat.forwarding import Forwarding
from services.chat.ids import message_id_of
from services.chat.message_changes import MessageChanges
from services.chat.messages import Messages
from services.chat.page_batches import PageBatches, pages_to_proto
from services.chat.sequencing import Draft
from services.chat.signals import Signals, member_key
from services.chat.write_queue import Outcome


class MessageServicer(MessageServiceServicer):
    """parley.chat.v1.MessageService."""

    def __init__(
        self,
        messages: Messages,
        page_batches: PageBatches,
        changes: MessageChanges,
        forwarding: Forwarding,
        signals: Signals,
    ) -> None:
        self._page_batches = page_batches
        self._forwarding = forwarding
        self._messages = messages
        self._changes = changes
        self._signals = signals

    async def SendMessages(self, request: pb.SendMessagesRequest, context: Context) -> pb.SendMessagesResponse:
        """Implements the RPC. The call has a single future: there is no task and no await for each message."""
        outcomes = _Outcomes(len(request.items))
        identity = caller()
        for index, item in enumerate(request.items):
            outcomes.send(index, self._messages, identity, item.actor, item.draft)
        response = pb.SendMessagesResponse()
        add = response.outcomes.add
        for outcome in await outcomes.all():
            _write_outcome(add(), outcome)
        return response

    async def SendMessage(self, request: pb.SendMessageRequest, context: Context) -> pb.SendMessageResponse:
        """Implements the RPC."""
        caller = calling_user()
        actor = pb.Actor(organization_id=caller.organization_id, user_id=caller.user_id, name=caller.name)
        outcomes = _Outcomes(1)
        outcomes.send(0, self._messages, caller, actor, request.draft)
        outcome = (await outcomes.all())[0]
        if isinstance(outcome, AppError):
            raise outcome
        response = pb.SendMessageResponse()
        convert.write_send_result(response.result, outcome)
        return response

    async def GetMessage(self, request: pb.GetMessageRequest, context: Context) -> pb.GetMessageResponse:
        """Implements the RPC."""
        message = await self._messages.get(calling_user(), request.message_id)
        return pb.GetMessageResponse(message=convert.message_to_proto(message))

    async def ListMessages(self, request: pb.ListMessagesRequest, context: Context) -> pb.ListMessagesResponse:
        """Implements the RPC."""
        if request.HasField("around_seq"):
            messages, has_more = await self._messages.around(
                calling_user(), request.conversation_id, request.around_seq, page_size(request.page_size)
            )
            return pb.ListMessagesResponse(messages=map(convert.message_to_proto, messages), has_more=has_more)
        before = request.before_seq if request.HasField("before_seq") else None
        after = request.after_seq if request.HasField("after_seq") else None
        messages, has_more = await self._messages.history(
            calling_user(),
            request.conversation_id,
            before_seq=before,
            after_seq=after,
            page_size=page_size(request.page_size),
        )
        return pb.ListMessagesResponse(messages=map(convert.message_to_proto, messages), has_more=has_more)

    async def BatchListMessages(
        self, request: pb.BatchListMessagesRequest, context: Context
    ) -> pb.BatchListMessagesResponse:
        """Implements the RPC."""
        return pages_to_proto(await self._page_batches.read(caller(), request.items))

    async def SyncMessages(self, request: pb.SyncMessagesRequest, context: Context) -> pb.SyncMessagesResponse:
        """Implements the RPC."""
        conversation, messages, has_more = await self._messages.changed_after(
            calling_user(), request.conversation_id, request.after_rev, page_size(request.page_size)
        )
        return pb.SyncMessagesResponse(
            messages=map(convert.message_to_proto, messages), conversation=conversation, has_more=has_more
        )

    async def EditMessage(self, request: pb.EditMessageRequest, context: Context) -> pb.EditMessageResponse:
        """Implements the RPC."""
        message = await self._changes.edit(
            calling_user(), request.conversation_id, request.message_id, request.text, request_id=request.request_id
        )
        return pb.EditMessageResponse(message=convert.message_to_proto(message))

    async def DeleteMessage(self, request: pb.DeleteMessageRequest, context: Context) -> pb.DeleteMessageResponse:
        """Implements the RPC."""
        message = await self._changes.delete(
            calling_user(), request.conversation_id, request.message_id, request_id=request.request_id
        )
        return pb.DeleteMessageResponse(message=convert.message_to_proto(message))

    async def AddReaction(self, request: pb.AddReactionRequest, context: Context) -> pb.AddReactionResponse:
        """Implements the RPC."""
        return pb.AddReactionResponse(message=await self._react(request, active=True))

    async def RemoveReaction(self, request: pb.RemoveReactionRequest, context: Context) -> pb.RemoveReactionResponse:
        """Implements the RPC."""
        return pb.RemoveReactionResponse(message=await self._react(request, active=False))

    async def _react(
        self, request: pb.AddReactionRequest | pb.RemoveReactionRequest, *, active: bool
    ) -> chat_pb2.Message:
        message = await self._changes.react(
            calling_user(),
            request.conversation_id,
            request.message_id,
            requests.emoji_of(request.emoji),
            active=active,
            request_id=request.request_id,
        )
        return convert.message_to_proto(message)

    async def PinMessage(self, request: pb.PinMessageRequest, context: Context) -> pb.PinMessageResponse:
        """Implements the RPC."""
        return pb.PinMessageResponse(message=await self._pin(request, pinned=True))

    async def UnpinMessage(self, request: pb.UnpinMessageRequest, context: Context) -> pb.UnpinMessageResponse:
        """Implements the RPC."""
        return pb.UnpinMessageResponse(message=await self._pin(request, pinned=False))

    async def _pin(self, request: pb.PinMessageRequest | pb.UnpinMessageRequest, *, pinned: bool) -> chat_pb2.Message:
        message = await self._changes.pin(
            calling_user(), request.conversation_id, request.message_id, pinned=pinned, request_id=request.request_id
        )
        return convert.message_to_proto(message)

    async def ListPinnedMessages(
        self, request: pb.ListPinnedMessagesRequest, context: Context
    ) -> pb.ListPinnedMessagesResponse:
        """Implements the RPC."""
        messages = await self._messages.pinned(calling_user(), request.conversation_id)
        return pb.ListPinnedMessagesResponse(messages=map(convert.message_to_proto, messages))

    async def ListMessageVersions(
        self, request: pb.ListMessageVersionsRequest, context: Context
    ) -> pb.ListMessageVersionsResponse:
        """Implements the RPC."""
        versions = await self._messages.versions(calling_user(), request.conversation_id, request.message_id)
        return pb.ListMessageVersionsResponse(versions=map(convert.version_to_proto, versions))

    async def ListMessageReceipts(
        self, request: pb.ListMessageReceiptsRequest, context: Context
    ) -> pb.ListMessageReceiptsResponse:
        """Implements the RPC."""
        members = await self._messages.receipts(calling_user(), request.conversation_id, request.message_id)
        return pb.ListMessageReceiptsResponse(receipts=map(convert.receipt_to_proto, members))

    async def ForwardMessage(self, request: pb.ForwardMessageRequest, context: Context) -> pb.ForwardMessageResponse:
        """Implements the RPC."""
        messages = await self._forwarding.forward(
            calling_user(),
            request.conversation_id,
            request.message_id,
            request.to_conversation_ids,
            request.client_message_id,
        )
        return pb.ForwardMessageResponse(messages=map(convert.message_to_proto, messages))

    async def MarkRead(self, request: pb.MarkReadRequest, context: Context) -> pb.MarkReadResponse:
        """Implements the RPC."""
        await self._mark(request.conversation_id, request.seq, read=True)
        return pb.MarkReadResponse()

    async def MarkDelivered(self, request: pb.MarkDeliveredRequest, context: Context) -> pb.MarkDeliveredResponse:
        """Implements the RPC."""
        await self._mark(request.conversation_id, request.seq, read=False)
        return pb.MarkDeliveredResponse()

    async def _mark(self, conversation_id: str, seq: int, *, read: bool) -> None:
        caller = calling_user()
        await self._require(member_key(caller, conversation_id))
        await self._signals.mark({MemberKey(conversation_id, caller.user_id): ReadMark(seq if read else 0, seq)})

    async def SetTyping(self, request: pb.SetTypingRequest, context: Context) -> pb.SetTypingResponse:
        """Implements the RPC."""
        caller = calling_user()
        await self._require(member_key(caller, request.conversation_id))
        self._signals.typing(request.conversation_id, caller.user_id, caller.name, active=request.active)
        return pb.SetTypingResponse()

    async def _require(self, key: tuple[str, str, str]) -> None:
        for rejection in (await self._signals.check([key])).values():
            raise rejection

    async def SendSignals(self, request: pb.SendSignalsRequest, context: Context) -> pb.SendSignalsResponse:
        """Implements the RPC."""
        identity = caller()
        own = identity.organization_id
        known = (item for item in request.items if not own or item.actor.organization_id == own)
        rejections = await self._signals.check(_signal_key(item) for item in known)
        marks: dict[MemberKey, ReadMark] = {}
        outcomes = [self._signal(identity, item, rejections.get(_signal_key(item)), marks) for item in request.items]
        if marks:
            await self._signals.mark(marks)
        return pb.SendSignalsResponse(outcomes=outcomes)

    def _signal(
        self,
        identity: Identity,
        item: pb.SendSignalsRequest.Item,
        rejection: AppError | None,
        marks: dict[MemberKey, ReadMark],
    ) -> Status:
        """Handles one signal: sends typing at once, collects receipts in `marks`. Returns its outcome."""
        try:
            require_organization(identity, item.actor.organization_id)
            if item.WhichOneof("signal") is None:
                raise InvalidArgumentError("SIGNAL_MISSING", "the item has no signal")
            if rejection is not None:
                raise rejection
            if item.HasField("typing"):
                actor, typing = item.actor, item.typing
                self._signals.typing(typing.conversation_id, actor.user_id, actor.name, active=typing.active)
                return Status()
            mark = item.read if item.HasField("read") else item.delivered
            validate(mark)
        except AppError as error:
            return to_status(error)
        key = MemberKey(mark.conversation_id, item.actor.user_id)
        read, delivered = marks.get(key, (0, 0))
        marks[key] = ReadMark(max(read, mark.seq if item.HasField("read") else 0), max(delivered, mark.seq))
        return Status()


class _Outcomes:
    """Collects the outcomes of a batch of sends."""

    def __init__(self, count: int) -> None:
        self._outcomes: list[Outcome | None] = [None] * count
        self._pending = count
        self._all: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not count:
            self._all.set_result(None)

    def send(self, index: int, messages: Messages, identity: Identity, actor: pb.Actor, proto: pb.Draft) -> None:
        """Validates and sends one draft for an actor that the caller vouches for; the outcome may come later."""
        try:
            require_organization(identity, actor.organization_id)
            draft = _draft(actor, proto)
        except AppError as error:
            self._complete(index, error)
        else:
            messages.send(draft, lambda outcome: self._complete(index, outcome))

    def _complete(self, index: int, outcome: Outcome) -> None:
        self._outcomes[index] = outcome
        self._pending -= 1
        if not self._pending and not self._all.done():
            self._all.set_result(None)

    async def all(self) -> Sequence[Outcome]:
        """Waits for all outcomes."""
        await self._all
        return [outcome for outcome in self._outcomes if outcome is not None]


def _draft(actor: pb.Actor, proto: pb.Draft) -> Draft:
    requests.check_draft(proto)
    organization_id, user_id = actor.organization_id, actor.user_id
    return Draft(
        organization_id=organization_id,
        conversation_id=proto.conversation_id,
        sender_id=user_id,
        sender_name=actor.name,
        origin=actor.connection_id,
        client_message_id=proto.client_message_id,
        message_id=message_id_of(organization_id, proto.conversation_id, user_id, proto.client_message_id),
        kind=convert.message_kind(proto.kind),
        text=proto.text,
        attachments=convert.attachments_of(proto),
        reply_to=proto.reply_to,
        mentions=tuple(proto.mentions),
        data=convert.data_of(proto),
    )


def _write_outcome(proto: pb.SendMessagesResponse.Outcome, outcome: Outcome) -> None:
    if isinstance(outcome, Message):
        convert.write_send_result(proto.result, outcome)
    else:
        proto.error.CopyFrom(to_status(outcome))


def _signal_key(item: pb.SendSignalsRequest.Item) -> tuple[str, str, str]:
    signal = getattr(item, item.WhichOneof("signal") or "typing")
    return item.actor.organization_id, signal.conversation_id, item.actor.user_id
