"""Front-ends' own ids of messages: each makes a repeat harmless, and comes back to whoever sent it."""

from __future__ import annotations

import secrets
from typing import Any, Final

from msgspec import UNSET, UnsetType

from gateway.dialects.ids import AnyId, key_inward, key_outward
from gateway.dialects.validation import Form

OWN_IDS: Final = ("clientMessageId", "tempId")
"""What front-ends call their own id of a message."""

MADE_HERE: Final = "parley."
"""How ids of messages begin that the gateway made, as the front-end gave none: they are no news to it."""


class ClientMessageIds(Form, kw_only=True):
    """A payload that may bring an id of the front-end's own for a message."""

    client_message_id: AnyId | UnsetType = UNSET
    temp_id: AnyId | UnsetType = UNSET

    @property
    def key(self) -> str:
        """The idempotency key: the front-end's, or one that is made for this event alone."""
        for given in (self.client_message_id, self.temp_id):
            if given is not UNSET:
                return key_inward(given)
        return MADE_HERE + secrets.token_urlsafe(16)


def own_ids(client_message_id: str) -> dict[str, Any]:
    """The front-end's own id of a message, under both of its names; none when the gateway made it."""
    if not client_message_id or client_message_id.startswith(MADE_HERE):
        return {}
    own = key_outward(client_message_id)
    return dict.fromkeys(OWN_IDS, own)
