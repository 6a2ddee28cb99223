"""Who front-ends say that they are: the token alone tells, and what a payload claims besides must not contradict it."""

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


def check_claims(body: Any, identity: Identity, role: Callable[[str], str] = str) -> None:
    """Refuses a payload that claims to be somebody else's.

    Args:
        body: the payload; what is no object claims nothing.
        identity: who sent it.
        role: what a role that the front-end has another name for is called here.

    Raises:
        PermissionDeniedError: IDENTITY_MISMATCH, with the field named.
        InvalidArgumentError: INVALID_FIELDS, with the field named: it can be no id.
    """
    if not isinstance(body, dict):
        return
    for field, own in _CLAIMS.items():
        claimed = body.get(field)
        if claimed is None:
            continue
        if type(claimed) is not str and (field == _ROLE or type(claimed) is not int):
            raise invalid({field: "must be a string" if field == _ROLE else "must be a string or an integer"})
        meant = str(claimed)
        if own(identity) not in ({meant, role(meant)} if field == _ROLE else {meant}):
            raise PermissionDeniedError("IDENTITY_MISMATCH", f"{field} is not what the token says")
