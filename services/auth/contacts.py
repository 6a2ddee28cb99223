"""Who may write to whom: the one table, and the questions asked of it.

The table holds unordered pairs of roles, so the relation is symmetric by construction: whoever may be written to
may answer. Two pairs never appear anywhere: client with client (customers of one organization don't know of each
other), and bot with bot (two automata in one conversation could answer each other for ever).

Teams are made by admins, so sharing one is permission enough among staff, agents and bots included; it never opens a
way to a client. Nobody writes to themselves, and a disabled user neither writes nor is written to.
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
"""Pairs of roles that may write to each other wherever they are in the organization."""

WITHIN_TEAM: Final[frozenset[Pair]] = (
    frozenset(frozenset(pair) for pair in combinations_with_replacement(_TEAMED | AGENTS | {Role.BOT}, 2))
    - {frozenset({Role.BOT})}
    - ALWAYS
)
"""Pairs of roles that may write to each other when they share a team."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a user may write to, as the two conditions that a store can look for."""

    always: frozenset[Role]
    within_team: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a listing is for: it then holds those to whom the viewer may write.

    Attributes:
        viewer: enabled.
        with_viewer: whether it also holds the viewer.
    """

    viewer: User
    with_viewer: bool

    @property
    def reach(self) -> Reach:
        """Whom the viewer may write to."""
        return reach_of(self.viewer.role)


_REACH: Final = {
    role: Reach(
        always=frozenset(other for other in Role if frozenset({role, other}) in ALWAYS),
        within_team=frozenset(other for other in Role if frozenset({role, other}) in WITHIN_TEAM),
    )
    for role in Role
}


def reach_of(role: Role) -> Reach:
    """Whom users of a role may write to."""
    return _REACH[role]


def may_write(one: User, other: User) -> bool:
    """Whether two users of one organization may open a conversation with each other."""
    if one.organization_id != other.organization_id or one.user_id == other.user_id or one.disabled or other.disabled:
        return False
    reach = reach_of(one.role)
    return other.role in reach.always or (
        other.role in reach.within_team and not frozenset(one.teams).isdisjoint(other.teams)
    )


def may_see(viewer: User, other: User) -> bool:
    """Whether a user may know that another of the organization exists: all may, but clients of other clients."""
    if viewer.organization_id != other.organization_id:
        return False
    both_clients = viewer.role is Role.CLIENT and other.role is Role.CLIENT
    return viewer.user_id == other.user_id or not both_clients


def sees_everyone(role: Role) -> bool:
    """Whether users of a role find the whole organization in listings, disabled users too."""
    return role in _RUNNING
