"""Asks auth, with the caller's own token, which users the caller may bring into a conversation."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from parley.auth.v1 import directory_pb2, directory_pb2_grpc

from chassis.errors import NotFoundError, PermissionDeniedError
from chassis.identity import caller_token
from chassis.rpc.channel import CALL_TIMEOUT_SECONDS, bearer
from chassis.rpc.status import from_rpc_error


class Contacts:
    """A client of auth's directory that acts on behalf of the calling user.

    Args:
        channel: a channel to auth.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._directory = directory_pb2_grpc.DirectoryServiceStub(channel)

    async def require(self, user_ids: Sequence[str], *, field: str, new_group: bool = False) -> None:
        """Checks that the caller may open a conversation with all of these users, and may create groups.

        Args:
            user_ids: the users.
            field: the request's field that named them, for the error.
            new_group: whether to check that the caller may create groups.

        Raises:
            NotFoundError: USER_NOT_FOUND.
            PermissionDeniedError: CONTACT_NOT_ALLOWED, GROUP_CREATION_NOT_ALLOWED.
        """
        request = directory_pb2.CheckContactsRequest(user_ids=user_ids)
        try:
            response = await self._directory.CheckContacts(
                request, metadata=bearer(caller_token()), timeout=CALL_TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        if new_group and not response.may_create_groups:
            raise PermissionDeniedError("GROUP_CREATION_NOT_ALLOWED", "your role may not create groups")
        allowed_by_id = {contact.user_id: contact.allowed for contact in response.contacts}
        if absent := [user for user in user_ids if user not in allowed_by_id]:
            raise NotFoundError("USER_NOT_FOUND", "no such user", fields={field: f"no user {absent[0]}"})
        if denied := [user for user, allowed in allowed_by_id.items() if not allowed]:
            fields = {field: f"you may not write to {denied[0]}"}
            raise PermissionDeniedError("CONTACT_NOT_ALLOWED", "you may not write to this user", fields=fields)
