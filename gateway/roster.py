"""Who is here: the presence of everybody in the organizations that have a connection to this gateway.

Presence tells all of it when an organization's first connection comes, and every change from then on, so that lists
of who is online take no call.
"""

from __future__ import annotations

from collections.abc import Iterator

from parley.presence.v1.presence_pb2 import STATUS_OFFLINE, Event, Presence

from chassis.identity import Identity

CLIENT: str = "client"


def is_here(presence: Presence) -> bool:
    """Whether a user is online in any way, such as away or not to be disturbed."""
    return presence.status != STATUS_OFFLINE


class Roster:
    """Who is here."""

    def __init__(self) -> None:
        self._organizations: dict[str, dict[str, Event]] = {}

    def note(self, event: Event) -> bool:
        """Takes what presence tells; says whether the user came or went by it."""
        users = self._organizations.setdefault(event.organization_id, {})
        user_id = event.presence.user_id
        was_here = user_id in users
        if is_here(event.presence):
            users[user_id] = event
            return not was_here
        users.pop(user_id, None)
        return was_here

    def forget(self, organization_id: str) -> None:
        """Lets go of an organization whose last connection has gone: nothing is told of it any more."""
        self._organizations.pop(organization_id, None)

    def here(self, identity: Identity) -> Iterator[Event]:
        """Whoever is here, as far as a user may know: clients are not told of other clients."""
        for event in self._organizations.get(identity.organization_id, {}).values():
            if not hidden_from(identity, event):
                yield event


def hidden_from(identity: Identity, event: Event) -> bool:
    """Whether a user is not told of somebody's presence."""
    return event.role == CLIENT == identity.role and identity.user_id != event.presence.user_id
