"""A simulated user: sends, repeats, edits, reacts, pins, deletes, reads, types, changes members, and connects."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from parley_client.client import Client
from parley_client.contract import Message
from parley_client.conversation_state import ConversationState
from parley_client.errors import ClientClosedError, ConnectionLostError, ParleyError

from tests.faults.device import Device
from tests.faults.history import Acknowledgement, History, MembersAck, RevisionAck, Send, Stored, digest
from tests.faults.population import Habit, User

_MOST_IN_FLIGHT: Final = 8
_RECENT: Final = 50
_TWO: Final = 2
_PADDING: Final = "to be or not to be, that is the question; " * 12
# Probabilities of repeating an acknowledged send, and of a short deadline.
_REPEAT, _GIVE_UP = 0.04, 0.03


@dataclass(slots=True)
class Draft:
    """A message to send; its text is the same in every attempt."""

    conversation_id: str
    client_message_id: str
    text: str


@dataclass(frozen=True, slots=True)
class SharedState:
    """The parameters and the history that all participants share."""

    url: str
    history: History
    latencies: list[float]
    actions_per_second: float
    conversations: Mapping[int, Stored]
    users: Sequence[User]


class Participant:
    """One user and their devices."""

    def __init__(self, user: User, shared: SharedState, seed: int) -> None:
        self.user = user
        self.devices: list[Device] = []
        self._shared = shared
        self._chance = random.Random(f"{user.key} {seed}")
        self._count = 0
        self._lives = 0
        self._unsent: deque[Draft] = deque()
        self._own: deque[tuple[str, str]] = deque(maxlen=_RECENT)
        self._sent: deque[Draft] = deque(maxlen=_RECENT)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._actions: tuple[tuple[float, Callable[[Client], Awaitable[None]]], ...] = (
            (0.66, self._send),
            (0.13, self._read),
            (0.06, self._edit),
            (0.05, self._type),
            (0.03, self._react),
            (0.01, self._pin),
            (0.03, self._delete),
            (0.02, self._change_members),
            (0.01, self._peek),
        )

    async def connect(self) -> None:
        """Connects every device."""
        self._lives += 1
        name = f"{self.user.key.organization_id}/{self.user.key.user_id}"
        self.devices = [
            Device(self._shared.url, self.user, self._shared.history, f"{name} {self._lives}.{number}")
            for number in range(1, self.user.devices + 1)
        ]
        await asyncio.gather(*(device.open() for device in self.devices))

    async def disconnect(self) -> None:
        """Disconnects every device; unacknowledged messages are sent after reconnecting."""
        devices, self.devices = self.devices, []
        await asyncio.gather(*(device.close() for device in devices))

    async def act(self) -> None:
        """Performs random actions at random times until cancelled."""
        while True:
            await asyncio.sleep(self._chance.expovariate(self._shared.actions_per_second))
            if self.user.habit is Habit.COMING_AND_GOING and self._chance.random() < 0.002:
                await self.disconnect()
                await asyncio.sleep(self._chance.uniform(0.5, 15.0))
                await self.connect()
            if len(self._in_flight) < _MOST_IN_FLIGHT:
                device = self._chance.choice(self.devices)
                weights = [weight for weight, _ in self._actions]
                action = self._chance.choices(self._actions, weights)[0][1]
                self._begin(action(device.client))

    async def finish(self) -> None:
        """Sends the remaining messages, and waits for every answer."""
        if not self.devices and self.user.devices:
            await self.connect()
        client = self.devices[0].client
        while self._unsent or self._in_flight:
            while self._unsent:
                self._begin(self._try(client, self._unsent.popleft(), None))
            await asyncio.wait(tuple(self._in_flight))

    def _begin(self, action: Awaitable[None]) -> None:
        task = asyncio.ensure_future(self._guarded(action))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _guarded(self, action: Awaitable[None]) -> None:
        try:
            await action
        except ConnectionLostError as error:
            self._shared.history.problems.lost[error.op] += 1
        except (ParleyError, ClientClosedError):
            return  # the wiretap counts errors; closing is the participant's own action
        except Exception as error:
            self._shared.history.problems.failures[repr(error)] += 1

    # Actions

    async def _send(self, client: Client) -> None:
        chance = self._chance.random()
        if self._unsent and chance < 0.5:
            await self._try(client, self._unsent.popleft(), None)
        elif self._sent and chance > 1 - _REPEAT:
            await self._try(client, self._chance.choice(self._sent), None)
        elif (state := self._any_conversation(client)) is not None:
            draft = self._draft(state)
            impatient = self._chance.random() < _GIVE_UP
            if self._chance.random() < _REPEAT / 4 and len(self.devices) > 1:
                self._begin(self._try(self.devices[1].client, draft, None))
            await self._try(client, draft, 0.5 if impatient else None)

    def _draft(self, state: ConversationState) -> Draft:
        self._count += 1
        key = self.user.key
        client_message_id = f"{key.organization_id}.{key.user_id}.{self._count}"
        text = f"{client_message_id} {_PADDING[: self._chance.randrange(len(_PADDING))]}"
        self._shared.history.sends[client_message_id] = Send(
            self._shared.history.conversations.number(state.conversation_id), key, digest(text)
        )
        return Draft(state.conversation_id, client_message_id, text)

    async def _try(self, client: Client, draft: Draft, deadline_seconds: float | None) -> None:
        history = self._shared.history
        send = history.sends[draft.client_message_id]
        send.attempts += 1
        began = time.monotonic()
        try:
            sent = await client.send_message(
                draft.conversation_id,
                draft.text,
                client_message_id=draft.client_message_id,
                deadline_seconds=deadline_seconds,
            )
        except ParleyError as error:
            self._not_sent(draft, send, error)
            return
        except ClientClosedError:
            self._unsent.append(draft)
            return
        if not send.acknowledgements:
            self._shared.latencies.append(time.monotonic() - began)
            self._own.append((draft.conversation_id, sent.message_id))
            self._sent.append(draft)
        create_ms = 0 if sent.create_time is None else round(sent.create_time.timestamp() * 1000)
        message = history.messages.number(sent.message_id)
        send.acknowledgements.append(Acknowledgement(message, sent.seq, sent.rev, create_ms))

    def _not_sent(self, draft: Draft, send: Send, error: ParleyError) -> None:
        """Handles a failed send: after the client's deadline most are sent later; the rest are given up."""
        if error.reason == "CLIENT_DEADLINE" and self._chance.random() < 0.7:
            self._unsent.append(draft)
        else:
            send.given_up = True

    async def _read(self, client: Client) -> None:
        state = self._any_conversation(client)
        if state is None or state.seq <= state.read_seq:
            return
        history = self._shared.history
        key = history.conversations.number(state.conversation_id), self.user.key
        seq = self._chance.randint(state.read_seq + 1, state.seq)
        history.read_attempts[key] = max(seq, history.read_attempts[key])
        await client.receipt_read(conversation_id=state.conversation_id, seq=seq)
        history.reads[key] = max(seq, history.reads[key])

    async def _edit(self, client: Client) -> None:
        if self._own:
            conversation_id, message_id = self._chance.choice(self._own)
            text = f"edited {self._chance.random()}"
            reply = await client.message_edit(conversation_id=conversation_id, message_id=message_id, text=text)
            self._revised(reply.message)

    async def _react(self, client: Client) -> None:
        if self._own:
            conversation_id, message_id = self._chance.choice(self._own)
            change = client.message_react if self._chance.random() < 0.7 else client.message_unreact
            emoji = self._chance.choice("👍🎉🚀")
            reply = await change(conversation_id=conversation_id, message_id=message_id, emoji=emoji)
            self._revised(reply.message)

    async def _pin(self, client: Client) -> None:
        if self._own:
            conversation_id, message_id = self._chance.choice(self._own)
            change = client.message_pin if self._chance.random() < 0.6 else client.message_unpin
            reply = await change(conversation_id=conversation_id, message_id=message_id)
            self._revised(reply.message)

    async def _delete(self, client: Client) -> None:
        if self._own:
            conversation_id, message_id = self._own.popleft()
            reply = await client.message_delete(conversation_id=conversation_id, message_id=message_id)
            self._revised(reply.message)

    def _revised(self, message: Message) -> None:
        history = self._shared.history
        history.revisions.append(
            RevisionAck(
                history.conversations.number(message.conversation_id),
                history.messages.number(message.message_id),
                message.rev,
                digest(message.text),
                message.delete_time is not None,
            )
        )

    async def _type(self, client: Client) -> None:
        state = self._any_conversation(client)
        if state is not None:
            await client.typing_set(conversation_id=state.conversation_id, active=True)

    async def _change_members(self, client: Client) -> None:
        """As an owner, removes a member or adds them again."""
        own_id = self.user.key.user_id
        groups = [s for s in client.replica.conversations if s.info and s.info.created_by == own_id and s.members]
        groups = [state for state in groups if state.info and state.info.kind == "group"]
        if not groups:
            return
        state = self._chance.choice(groups)
        organization_id = self.user.key.organization_id
        keys = [user.key for user in self._shared.users if user.key.organization_id == organization_id]
        user_id = self._chance.choice(keys).user_id
        if user_id == own_id:
            return
        adds = user_id not in state.members
        change = client.member_add(conversation_id=state.conversation_id, user_ids=[user_id]) if adds else None
        changed = await (change or client.member_remove(conversation_id=state.conversation_id, user_id=user_id))
        history = self._shared.history
        number = history.conversations.number(state.conversation_id)
        history.member_changes.append(MembersAck(number, user_id, adds, changed.conversation.rev))

    async def _peek(self, client: Client) -> None:
        """Tries to read another organization's or two other users' conversation, which must fail."""
        number = self._chance.choice(list(self._shared.conversations))
        if self._may_become_member(self._shared.conversations[number]):
            return
        foreign = self._shared.history.conversations.name(number)
        await client.message_list(conversation_id=foreign)
        self._shared.history.problems.intrusions[f"{self.user.key} reads {foreign}"] += 1

    def _may_become_member(self, stored: Stored) -> bool:
        organization_id, user_id = self.user.key
        is_group = len(stored.changes[0].added) > _TWO
        return stored.organization_id == organization_id and (is_group or user_id in stored.changes[0].added)

    def _any_conversation(self, client: Client) -> ConversationState | None:
        states = [state for state in client.replica.conversations if state.info is not None]
        return self._chance.choice(states) if states else None
