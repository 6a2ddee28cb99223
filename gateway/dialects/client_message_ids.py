"""Front-ends' own ids of messages: they make repeats harmless, and return to the sender."""

from __future__ import annotations

import secrets
from typing import Any, Final

from msgspec import UNSET, UnsetType

from gateway.dialects.ids import AnyId, key_to_own_id, own_id_to_key
from gateway.dialects.validation import Form

OWN_IDS: Final = ("clientMessageId", "tempId")
"""The names that front-ends use for their own id of a message."""

GATEWAY_MADE: Final = "parley."
"""The prefix of ids made by the gateway for front-ends that give none; never echoed."""


class ClientMessageIds(Form, kw_only=True):
    """A payload that may have the front-end's own id of a message."""

    client_message_id: AnyId | UnsetType = UNSET
    temp_id: AnyId | UnsetType = UNSET

    @property
    def key(self) -> str:
        """The idempotency key: the front-end's own id, or a new one."""
        for own_id in (self.client_message_id, self.temp_id):
            if own_id is not UNSET:
                return own_id_to_key(own_id)
        return GATEWAY_MADE + secrets.token_urlsafe(16)


def own_ids(client_message_id: str) -> dict[str, Any]:
    """Returns the front-end's own id of a message, under both of its names; empty if the gateway made the id."""
    if not client_message_id or client_message_id.startswith(GATEWAY_MADE):
        return {}
    own_id = key_to_own_id(client_message_id)
    return dict.fromkeys(OWN_IDS, own_id)
