"""Who may be brought into a conversation: auth decides, and is asked with the caller's own token."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from parley.auth.v1 import directory_pb2, directory_pb2_grpc

from chassis.errors import NotFoundError, PermissionDeniedError
from chassis.identity import caller_token
from chassis.rpc.channel import CALL_TIMEOUT_SECONDS, bearer
from chassis.rpc.status import from_rpc_error


class Contacts:
    """Asks auth's directory on behalf of the user who calls.

    Args:
        channel: to auth.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._directory = directory_pb2_grpc.DirectoryServiceStub(channel)

    async def require(self, user_ids: Sequence[str], *, field: str, new_group: bool = False) -> None:
        """Lets pass that the caller may open a conversation with all of these users, and may make a group.

        Args:
            user_ids: whom.
            field: the request's field that named them, for the error.
            new_group: whether a group is to be made.

        Raises:
            NotFoundError: USER_NOT_FOUND.
            PermissionDeniedError: CONTACT_NOT_ALLOWED, GROUP_CREATION_NOT_ALLOWED.
        """
        request = directory_pb2.CheckContactsRequest(user_ids=user_ids)
        try:
            answer = await self._directory.CheckContacts(
                request, metadata=bearer(caller_token()), timeout=CALL_TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        if new_group and not answer.may_create_groups:
            raise PermissionDeniedError("GROUP_CREATION_NOT_ALLOWED", "your role may not create groups")
        known = {contact.user_id: contact.allowed for contact in answer.contacts}
        if absent := [user for user in user_ids if user not in known]:
            raise NotFoundError("USER_NOT_FOUND", "there is no such user", fields={field: f"no user {absent[0]}"})
        if refused := [user for user, allowed in known.items() if not allowed]:
            fields = {field: f"you may not write to {refused[0]}"}
            raise PermissionDeniedError("CONTACT_NOT_ALLOWED", "you may not write to this user", fields=fields)
