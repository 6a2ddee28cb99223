"""Keeps the latest messages of conversations in memory, encoded, and checks them against the log at each use.

One read of the log asks what is beyond the cached messages of many conversations. Usually nothing is. Otherwise the
entries are applied: so a page is as fresh as one from the store, whichever replica wrote last. No replica has to own a
conversation, and nothing has to be invalidated. Members are cached until the log has a change of members.

All members see the same messages here. A page that leaves some out for its reader selects from the cached messages, and
falls back to the store when too few are left.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from chassis.errors import AppError
from services.chat import convert
from services.chat.domain import Change, ChangeKind, LogEntry, MemberKey, Message
from services.chat.errors import not_a_member, not_found
from services.chat.lookup_coalescer import LookupCoalescer
from services.chat.messages import fitting, size_of
from services.chat.store import ChatStore

MAX_PAGE_SIZE: Final = 50
"""The largest page that is read from memory."""
_KEPT: Final = MAX_PAGE_SIZE + 1
_MAX_TAIL: Final = 1_000
_CAPACITY_BYTES: Final = 64 * 1024 * 1024
_ENTRY_BYTES: Final = 1_000
_MESSAGE_BYTES: Final = 300
_MEMBER_BYTES: Final = 100
_AFFECTING_MEMBERS: Final = frozenset({ChangeKind.CREATED, ChangeKind.MEMBERS})


class Page(NamedTuple):
    """Encoded messages by ascending seq, and whether there are more in the direction of the page."""

    messages: Sequence[bytes]
    has_more: bool


class LatestRequest(NamedTuple):
    """A request for the latest messages of a conversation, at most MAX_PAGE_SIZE."""

    organization_id: str
    user_id: str
    conversation_id: str
    page_size: int


class _Encoded(NamedTuple):
    seq: int
    data: bytes
    size: int


@dataclass(slots=True, eq=False)
class _Latest:
    """The latest messages of a conversation, newest first, as of a rev or later.

    `members` holds some users who are members as of `rev`. Later states share it until the members change: a user that
    was read after this state belongs in this set, never in that of a later state.
    """

    organization_id: str
    rev: int
    messages: list[_Encoded]
    members: set[str]

    @property
    def bytes(self) -> int:
        """The approximate size in memory."""
        data = sum(len(message.data) for message in self.messages)
        return _ENTRY_BYTES + data + len(self.messages) * _MESSAGE_BYTES + len(self.members) * _MEMBER_BYTES


class LatestPages:
    """The latest messages of the conversations that were read lately.

    Args:
        store: where they are read from.
        capacity_bytes: the approximate size in memory; the least recently used are dropped.
    """

    def __init__(self, store: ChatStore, capacity_bytes: int = _CAPACITY_BYTES) -> None:
        self._store = store
        self._capacity = capacity_bytes
        self._bytes = 0
        self._latest: OrderedDict[str, tuple[_Latest, int]] = OrderedDict()
        self._conversations = LookupCoalescer(store.conversations)
        self._checked: LookupCoalescer[str, _Latest] = LookupCoalescer(self._check)
        self._memberships: LookupCoalescer[MemberKey, bool] = LookupCoalescer(store.memberships)

    async def read(self, requests: Sequence[LatestRequest]) -> list[Page | AppError]:
        """Returns a page or an error for each request. Raises StoreError."""
        latest = await self._current({request.conversation_id for request in requests})
        unknown = {
            MemberKey(request.conversation_id, request.user_id)
            for request in requests
            if (state := latest.get(request.conversation_id))
            and state.organization_id == request.organization_id
            and request.user_id not in state.members
        }
        for conversation_id, user_id in await self._memberships.get(unknown):
            latest[conversation_id].members.add(user_id)
        return [_page(latest.get(request.conversation_id), request) for request in requests]

    async def _current(self, conversation_ids: Collection[str]) -> dict[str, _Latest]:
        """Returns the present states of those of these conversations that exist."""
        current = await self._checked.get(key for key in conversation_ids if key in self._latest)
        missing = [key for key in conversation_ids if key not in current]
        if missing:
            loaded = await asyncio.gather(*map(self._load, missing))
            current |= {key: state for key, state in zip(missing, loaded, strict=True) if state is not None}
        return current

    async def _load(self, conversation_id: str) -> _Latest | None:
        """Reads the rev before the messages: what happens in between is beyond the rev, and is applied later."""
        conversation = (await self._conversations.get([conversation_id])).get(conversation_id)
        if conversation is None:
            return None
        messages = await self._store.history(conversation_id, before_seq=None, after_seq=None, limit=_KEPT)
        state = _Latest(conversation.organization_id, conversation.head.rev, list(map(_encoded, messages)), set())
        self._put(conversation_id, state)
        return state

    async def _check(self, conversation_ids: Collection[str]) -> dict[str, _Latest]:
        """Returns the present states of cached conversations; forgets those that are far behind."""
        states = {key: self._latest[key][0] for key in conversation_ids if key in self._latest}
        tails = await self._store.tails({key: state.rev for key, state in states.items()}, _MAX_TAIL)
        if sum(map(len, tails.values())) >= _MAX_TAIL:  # read by ascending id, so the last one may be incomplete
            last = max(key for key, tail in tails.items() if tail)
            for key in [key for key in states if key >= last]:
                del states[key]
                self._forget(key)
        changed = {
            entry.message_id for key in states for entry in tails[key] if isinstance(entry, Change) and entry.message_id
        }
        messages = await self._store.messages_by_id(changed)
        for key, state in states.items():
            if tails[key]:
                states[key] = _applied(state, tails[key], messages.values())
            self._put(key, states[key])
        return states

    def _put(self, conversation_id: str, state: _Latest) -> None:
        self._forget(conversation_id)
        size = state.bytes
        self._latest[conversation_id] = state, size
        self._bytes += size
        while self._bytes > self._capacity:
            self._forget(next(iter(self._latest)))

    def _forget(self, conversation_id: str) -> None:
        _, size = self._latest.pop(conversation_id, (None, 0))
        self._bytes -= size


def _applied(state: _Latest, tail: Sequence[LogEntry], changed: Iterable[Message]) -> _Latest:
    """Returns the state after the entries that follow it; `changed` has the messages of the changes, and others."""
    by_seq = {message.seq: message for message in state.messages}
    members = state.members
    for entry in tail:
        if isinstance(entry, Message):
            by_seq[entry.seq] = _encoded(entry)
        elif entry.kind in _AFFECTING_MEMBERS:
            members = set()
    conversation_id = tail[0].conversation_id
    for message in changed:
        if message.conversation_id == conversation_id and message.seq in by_seq:
            by_seq[message.seq] = _encoded(message)
    newest = sorted(by_seq.values(), reverse=True)[:_KEPT]
    last = tail[-1]
    return _Latest(state.organization_id, last.sent_rev if isinstance(last, Message) else last.rev, newest, members)


def _encoded(message: Message) -> _Encoded:
    return _Encoded(message.seq, convert.message_to_proto(message).SerializeToString(), size_of(message))


def _page(latest: _Latest | None, request: LatestRequest) -> Page | AppError:
    if latest is None or latest.organization_id != request.organization_id:
        return not_found()
    if request.user_id not in latest.members:
        return not_a_member()
    count = fitting(message.size for message in latest.messages[: request.page_size])
    return Page([message.data for message in reversed(latest.messages[:count])], len(latest.messages) > count)
