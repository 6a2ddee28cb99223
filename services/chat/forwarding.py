"""The use case of forwarding a message to other conversations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chassis.errors import AppError, FailedPreconditionError
from chassis.identity import Identity
from services.chat.committer import Committer
from services.chat.domain import Message, MessageKind, Origin
from services.chat.errors import message_not_found, require_present
from services.chat.ids import message_id_of
from services.chat.limits import RateLimit
from services.chat.sequencing import Draft
from services.chat.store import ChatStore
from services.chat.views import Views


class Forwarding:
    """Forwards messages. The copies have ids like other messages, so that each is sent once.

    Args:
        committer, store, views: the collaborators.
        limit: limits how fast a user may send.
    """

    def __init__(self, *, committer: Committer, store: ChatStore, views: Views, limit: RateLimit) -> None:
        self._committer = committer
        self._store = store
        self._views = views
        self._limit = limit

    async def forward(
        self,
        caller: Identity,
        conversation_id: str,
        message_id: str,
        targets: Sequence[str],
        client_message_id: str,
    ) -> list[Message]:
        """Sends copies of a message, and returns them in the order of the conversations `targets`.

        Checks everything before it sends the first one. A repeat sends only what is missing.
        """
        organization_id, user_id = caller.organization_id, caller.user_id
        ids = {key: message_id_of(organization_id, key, user_id, client_message_id) for key in targets}
        sent = await self._store.messages_by_id(ids.values())
        missing = [key for key in ids if ids[key] not in sent]
        if missing:
            source = await self._source(caller, conversation_id, message_id)
            for target in missing:
                await self._views.require_member(organization_id, target, user_id)
            for _ in missing:
                self._limit.admit(organization_id, user_id)
            drafts = [_copy(source, caller, key, ids[key], client_message_id) for key in missing]
            for message in await self._send(drafts):
                sent[message.message_id] = message
        return [sent[ids[key]] for key in ids]

    async def _source(self, caller: Identity, conversation_id: str, message_id: str) -> Message:
        await self._views.require_member(caller.organization_id, conversation_id, caller.user_id)
        message = (await self._store.messages_by_id([message_id])).get(message_id)
        if message is None or message.conversation_id != conversation_id:
            raise message_not_found()
        require_present(message)
        if message.kind == MessageKind.SYSTEM:
            raise FailedPreconditionError("SYSTEM_MESSAGE", "a system message cannot be forwarded")
        return message

    async def _send(self, drafts: Sequence[Draft]) -> list[Message]:
        """Sends all drafts; raises the first error after all have their outcome."""
        outcomes = await asyncio.gather(*map(self._committer.outcome, drafts))
        for outcome in outcomes:
            if isinstance(outcome, AppError):
                raise outcome
        return [outcome for outcome in outcomes if isinstance(outcome, Message)]


def _copy(source: Message, caller: Identity, target: str, message_id: str, client_message_id: str) -> Draft:
    return Draft(
        organization_id=caller.organization_id,
        conversation_id=target,
        sender_id=caller.user_id,
        sender_name=caller.name,
        origin="",
        client_message_id=client_message_id,
        message_id=message_id,
        kind=source.kind,
        text=source.text,
        attachments=source.attachments,
        data=source.data,
        forwarded_from=source.forwarded_from or Origin(source.conversation_id, source.message_id, source.sender_id),
    )
