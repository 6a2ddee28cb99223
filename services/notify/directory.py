"""Checks in auth's directory which users exist."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import grpc
from parley.auth.v1 import directory_pb2, directory_pb2_grpc

from chassis.errors import AppError, Category, InternalError
from chassis.process.logs import logger
from chassis.rpc.channel import CALL_TIMEOUT_SECONDS, ServiceTokens
from chassis.rpc.status import from_rpc_error

_BATCH_SIZE: Final = 200

_log = logger("directory")


class Directory:
    """The users of organizations.

    Args:
        channel: to DirectoryService; not closed here.
        tokens: this service's tokens for the calls.
    """

    def __init__(self, channel: grpc.aio.Channel, tokens: ServiceTokens) -> None:
        self._stub = directory_pb2_grpc.DirectoryServiceStub(channel)
        self._tokens = tokens

    async def existing(self, organization_id: str, user_ids: Collection[str]) -> set[str]:
        """Returns the given user ids that exist in the organization.

        Raises:
            UnavailableError, DeadlineExceededError: the directory is unreachable for now.
            InternalError: the directory refused this service's call.
        """
        unique_ids = list(dict.fromkeys(user_ids))
        existing_ids: set[str] = set()
        for start in range(0, len(unique_ids), _BATCH_SIZE):
            existing_ids |= await self._existing(organization_id, unique_ids[start : start + _BATCH_SIZE])
        return existing_ids

    async def _existing(self, organization_id: str, user_ids: list[str]) -> set[str]:
        try:
            response = await self._stub.BatchGetUsers(
                directory_pb2.BatchGetUsersRequest(user_ids=user_ids),
                metadata=await self._tokens.metadata(organization_id),
                timeout=CALL_TIMEOUT_SECONDS,
            )
        except grpc.aio.AioRpcError as error:
            raise _for_caller(from_rpc_error(error)) from error
        except AppError as error:
            raise _for_caller(error) from error
        return {user.user_id for user in response.users}


def _for_caller(error: AppError) -> AppError:
    """Turns a refusal of this service into InternalError: the caller can't correct it."""
    if error.category in {Category.UNAVAILABLE, Category.DEADLINE_EXCEEDED, Category.RESOURCE_EXHAUSTED}:
        return error
    _log.error("directory_refused", category=error.category.name, reason=error.reason)
    return InternalError("DIRECTORY_REFUSED", "the users could not be looked up")
