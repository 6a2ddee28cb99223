"""Contact permissions: which users may write to each other, and which users see each other.

The table holds unordered pairs of roles, so the relation is symmetric: a user who may be written to may answer. Two
pairs never appear: client with client (customers of one organization don't know of each other), and bot with bot (two
bots in one conversation could answer each other for ever).

Admins create teams, so a shared team is permission enough among staff, agents and bots; it never permits writing to a
client. Users don't write to themselves, and disabled users neither write nor are written to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Final

from services.auth.domain import AGENTS, Role, User

Pair = frozenset[Role]

_EVERYONE: Final = frozenset(Role)
_RUNNING: Final = frozenset({Role.ADMIN, Role.MANAGER})
_TEAMED: Final = frozenset({Role.LEAD, Role.SALES, Role.EMPLOYEE})


def _pairs(some: Iterable[Role], others: Iterable[Role]) -> frozenset[Pair]:
    others = tuple(others)
    return frozenset(frozenset({one, other}) for one in some for other in others)


ALWAYS: Final[frozenset[Pair]] = _pairs(_RUNNING, _EVERYONE) | _pairs(AGENTS, AGENTS) | _pairs(AGENTS, {Role.CLIENT})
"""Pairs of roles that may write to each other anywhere in the organization."""

WITHIN_TEAM: Final[frozenset[Pair]] = (
    frozenset(frozenset(pair) for pair in combinations_with_replacement(_TEAMED | AGENTS | {Role.BOT}, 2))
    - {frozenset({Role.BOT})}
    - ALWAYS
)
"""Pairs of roles that may write to each other within a team."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The contacts of a role, as two conditions that a store can query."""

    always: frozenset[Role]
    within_team: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Audience:
    """Restricts a listing to the contacts of a viewer.

    Attributes:
        viewer: an enabled user.
        with_viewer: whether the listing also has the viewer.
    """

    viewer: User
    with_viewer: bool

    @property
    def reach(self) -> Reach:
        """Returns the contacts of the viewer's role."""
        return reach_of(self.viewer.role)


_REACH: Final = {
    role: Reach(
        always=frozenset(other for other in Role if frozenset({role, other}) in ALWAYS),
        within_team=frozenset(other for other in Role if frozenset({role, other}) in WITHIN_TEAM),
    )
    for role in Role
}


def reach_of(role: Role) -> Reach:
    """Returns the contacts of a role."""
    return _REACH[role]


def may_write(one: User, other: User) -> bool:
    """Returns whether two users may open a conversation with each other."""
    if one.organization_id != other.organization_id or one.user_id == other.user_id or one.disabled or other.disabled:
        return False
    reach = reach_of(one.role)
    return other.role in reach.always or (
        other.role in reach.within_team and not frozenset(one.teams).isdisjoint(other.teams)
    )


def may_see(viewer: User, other: User) -> bool:
    """Returns whether a user may know of another: everyone in the organization may, except clients of other clients."""
    if viewer.organization_id != other.organization_id:
        return False
    both_clients = viewer.role is Role.CLIENT and other.role is Role.CLIENT
    return viewer.user_id == other.user_id or not both_clients


def sees_everyone(role: Role) -> bool:
    """Returns whether users of a role see the whole organization in listings, including disabled users."""
    return role in _RUNNING


def sees_emails(role: Role) -> bool:
    """Returns whether users of a role see the e-mail addresses of others, and find users by them."""
    return role in _RUNNING
