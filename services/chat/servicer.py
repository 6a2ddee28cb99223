"""The gRPC servicers of conversations and events: validate, call a use case, convert the result."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from parley.chat.v1 import conversation_pb2 as pb
from parley.chat.v1 import event_pb2
from parley.chat.v1.conversation_pb2_grpc import ConversationServiceServicer
from parley.chat.v1.event_pb2_grpc import EventServiceServicer

from chassis.events.fanout import FanOut
from chassis.identity import calling_user
from chassis.rpc.interceptor import Context
from chassis.rpc.paging import Milliseconds, decode_token, encode_token, page_size
from services.chat import convert, requests
from services.chat.conversations import Conversations
from services.chat.domain import MemberRole
from services.chat.members import Members


class ConversationServicer(ConversationServiceServicer):
    """parley.chat.v1.ConversationService."""

    def __init__(self, conversations: Conversations, members: Members) -> None:
        self._conversations = conversations
        self._members = members

    async def GetOrCreateDirectConversation(
        self, request: pb.GetOrCreateDirectConversationRequest, context: Context
    ) -> pb.GetOrCreateDirectConversationResponse:
        """Implements the RPC."""
        conversation = await self._conversations.direct(calling_user(), request.user_id)
        return pb.GetOrCreateDirectConversationResponse(conversation=conversation)

    async def CreateConversation(
        self, request: pb.CreateConversationRequest, context: Context
    ) -> pb.CreateConversationResponse:
        """Implements the RPC."""
        conversation = await self._conversations.create(
            calling_user(),
            requests.new_kind(request),
            name=request.name,
            description=request.description,
            external_ref=request.external_ref,
            member_ids=request.member_ids,
            request_id=request.request_id,
        )
        return pb.CreateConversationResponse(conversation=conversation)

    async def JoinRoom(self, request: pb.JoinRoomRequest, context: Context) -> pb.JoinRoomResponse:
        """Implements the RPC."""
        caller = calling_user()
        conversation_id = await self._conversations.ensure_room(
            caller, request.external_ref, request.name, request_id=request.request_id
        )
        conversation = await self._members.join_room(caller, conversation_id, request_id=request.request_id)
        return pb.JoinRoomResponse(conversation=conversation)

    async def GetConversation(self, request: pb.GetConversationRequest, context: Context) -> pb.GetConversationResponse:
        """Implements the RPC."""
        conversation = await self._conversations.get(calling_user(), request.conversation_id)
        return pb.GetConversationResponse(conversation=conversation)

    async def ListConversations(
        self, request: pb.ListConversationsRequest, context: Context
    ) -> pb.ListConversationsResponse:
        """Implements the RPC."""
        updated_after_ms = convert.milliseconds(request.updated_after)
        archived = request.archived if request.HasField("archived") else None
        kinds = {request.kind, *request.kinds} - {0}
        query = f"conversations {sorted(kinds) or 0} {archived} {updated_after_ms}"
        if request.external_ref:
            query += f" {request.external_ref}"
        page, after = await self._conversations.page(
            calling_user(),
            kinds=kinds,
            archived=archived,
            updated_after_ms=updated_after_ms,
            external_ref=request.external_ref,
            before=decode_token(request.page_token, query, tuple[Milliseconds, str]),
            page_size=page_size(request.page_size),
        )
        token = encode_token(list(after), query) if after else ""
        return pb.ListConversationsResponse(conversations=page, next_page_token=token)

    async def UpdateConversation(
        self, request: pb.UpdateConversationRequest, context: Context
    ) -> pb.UpdateConversationResponse:
        """Implements the RPC."""
        conversation = await self._conversations.update(
            calling_user(),
            request.conversation.conversation_id,
            requests.settings_of(request),
            requests.muted_until_ms(request),
            request_id=request.request_id,
        )
        return pb.UpdateConversationResponse(conversation=conversation)

    async def PinConversation(self, request: pb.PinConversationRequest, context: Context) -> pb.PinConversationResponse:
        """Implements the RPC."""
        conversation = await self._conversations.pin(
            calling_user(), request.conversation_id, pinned=True, request_id=request.request_id
        )
        return pb.PinConversationResponse(conversation=conversation)

    async def UnpinConversation(
        self, request: pb.UnpinConversationRequest, context: Context
    ) -> pb.UnpinConversationResponse:
        """Implements the RPC."""
        conversation = await self._conversations.pin(
            calling_user(), request.conversation_id, pinned=False, request_id=request.request_id
        )
        return pb.UnpinConversationResponse(conversation=conversation)

    async def AddMembers(self, request: pb.AddMembersRequest, context: Context) -> pb.AddMembersResponse:
        """Implements the RPC."""
        conversation = await self._members.add(
            calling_user(), request.conversation_id, request.user_ids, request_id=request.request_id
        )
        return pb.AddMembersResponse(conversation=conversation)

    async def RemoveMember(self, request: pb.RemoveMemberRequest, context: Context) -> pb.RemoveMemberResponse:
        """Implements the RPC."""
        conversation = await self._members.remove(
            calling_user(), request.conversation_id, request.user_id, request_id=request.request_id
        )
        return pb.RemoveMemberResponse(conversation=conversation)

    async def UpdateMember(self, request: pb.UpdateMemberRequest, context: Context) -> pb.UpdateMemberResponse:
        """Implements the RPC."""
        member = request.member
        conversation = await self._members.set_role(
            calling_user(),
            request.conversation_id,
            member.user_id,
            MemberRole(member.role),
            request_id=request.request_id,
        )
        return pb.UpdateMemberResponse(conversation=conversation)

    async def ListMembers(self, request: pb.ListMembersRequest, context: Context) -> pb.ListMembersResponse:
        """Implements the RPC."""
        query = f"members {request.conversation_id}"
        (after_id,) = decode_token(request.page_token, query, tuple[str]) or ("",)
        page, after = await self._members.page(
            calling_user(), request.conversation_id, after_id, page_size(request.page_size)
        )
        token = encode_token([after], query) if after else ""
        return pb.ListMembersResponse(members=map(convert.member_to_proto, page), next_page_token=token)


class EventServicer(EventServiceServicer):
    """parley.chat.v1.EventService."""

    def __init__(self, fanout: FanOut[event_pb2.Event]) -> None:
        self._fanout = fanout

    async def Subscribe(
        self, request_iterator: AsyncIterator[event_pb2.SubscribeRequest], context: Any
    ) -> AsyncIterator[event_pb2.SubscribeResponse]:
        """Implements the RPC."""
        async for acked_sequence, events, cursors, lost in self._fanout.serve(request_iterator):
            yield event_pb2.SubscribeResponse(
                acked_sequence=acked_sequence, events=events, resume_cursors=cursors, resync_required=lost
            )
