"""Checks the identity that a payload claims: the token alone decides who the user is, and claims must not contradict
it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from chassis.errors import PermissionDeniedError
from chassis.identity import Identity
from gateway.dialects.validation import invalid

_ROLE: Final = "userRole"
_CLAIMS: Final[Mapping[str, Callable[[Identity], str]]] = {
    "organizationId": lambda identity: identity.organization_id,
    "senderId": lambda identity: identity.user_id,
    "userId": lambda identity: identity.user_id,
    _ROLE: lambda identity: identity.role,
}


def check_claims(body: Any, identity: Identity, our_role: Callable[[str], str] = str) -> None:
    """Rejects a payload that claims another identity than the user's.

    Args:
        body: the payload; anything but an object claims nothing.
        identity: the user.
        our_role: converts the front-end's name of a role.

    Raises:
        PermissionDeniedError: IDENTITY_MISMATCH, with the field's name.
        InvalidArgumentError: INVALID_FIELDS, with the field's name: the value cannot be an id.
    """
    if not isinstance(body, dict):
        return
    for field, actual in _CLAIMS.items():
        claimed = body.get(field)
        if claimed is None:
            continue
        if type(claimed) is not str and (field == _ROLE or type(claimed) is not int):
            raise invalid({field: "must be a string" if field == _ROLE else "must be a string or an integer"})
        text = str(claimed)
        if actual(identity) not in ({text, our_role(text)} if field == _ROLE else {text}):
            raise PermissionDeniedError("IDENTITY_MISMATCH", f"{field} is not what the token says")
