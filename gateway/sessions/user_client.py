"""Calls to the services on behalf of a user."""

from __future__ import annotations

from typing import TypeVar

import grpc
from parley.chat.v1.message_pb2 import ListMessagesRequest

from chassis.identity import Identity
from gateway.upstream.clients import Upstreams
from gateway.upstream.page_reader import Page

Q = TypeVar("Q")
R = TypeVar("R")


class UserClient:
    """Calls the services with a user's token.

    Args:
        upstreams: the services' stubs.
        identity: the user.
        token: the user's access token.
    """

    __slots__ = ("_token", "identity", "upstreams")

    def __init__(self, upstreams: Upstreams, identity: Identity, token: str) -> None:
        self.upstreams = upstreams
        self.identity = identity
        self._token = token

    async def call(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], request: Q, *, conversation_id: str = "") -> R:
        """Makes one call. Raises AppError.

        Args:
            method: a method of one of `upstreams`' stubs.
            request: its request.
            conversation_id: the conversation that the call concerns, if any; it selects the replica of chat.
        """
        return await self.upstreams.call(method, request, token=self._token, conversation_id=conversation_id)

    async def list_messages(self, request: ListMessagesRequest) -> Page:
        """Returns a page of messages; the call is shared with other users. Raises AppError."""
        return await self.upstreams.pages.read(self.identity, self._token, request)
