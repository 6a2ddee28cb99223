"""Users as the organization's admins see them: with e-mail address and state, which nobody else is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from parley.auth.v1 import user_pb2
from starlette.responses import Response

from gateway.rest.contract import ContractOperation
from gateway.rest.operation import Call, Operation
from gateway.rest.schemas import answers, object_of
from gateway.wire.json_objects import Object, user_object

_USER: Final = answers([user_pb2.User.DESCRIPTOR])["User"]
_NOT_IN_AN_UPDATE: Final = {"password": "must be set at /api/users/{userId}:setPassword"}
ACCOUNT: Final = object_of(
    {
        "user": object_of(
            {**_USER["properties"], "email": {"type": "string"}, "disabled": {"type": "boolean"}},
            optional=("avatarUrl", "email"),
            description="A user, as admins see it.",
        )
    },
    description="One user, as admins see it.",
)


class Users:
    """The operations that answer with an account.

    Args:
        contract: the operations of the contract, by method and path.
    """

    def __init__(self, contract: Mapping[tuple[str, str], ContractOperation]) -> None:
        self._contract = contract

    def operations(self) -> tuple[Operation, ...]:
        """Returns the rows of the table."""
        return (
            _with_account(self._contract["POST", "/api/users"], {}),
            _with_account(self._contract["PATCH", "/api/users/{userId}"], _NOT_IN_AN_UPDATE),
        )


def _with_account(operation: ContractOperation, refused: Mapping[str, str]) -> Operation:
    async def handle(call: Call) -> Response:
        response = await operation.call(call, refused=refused)
        return operation.respond(response, {"user": _account(response.user)})

    return replace(operation.operation(), handler=handle, answer=ACCOUNT)


def _account(user: user_pb2.User) -> Object:
    email: dict[str, Any] = {"email": user.email} if user.email else {}
    return {**user_object(user), **email, "disabled": user.disabled}
