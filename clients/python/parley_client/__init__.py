"""The Python client of Parley for asyncio: one reconnecting connection, typed requests and event streams.

The logic does no I/O (protocol, replica, PendingRequests, ReconnectionPolicy). Thin layers around it own the sockets,
the HTTP calls and the tasks (transport, auth_api, connection, client).
"""

from parley_client.auth_api import AuthApi, Tokens
from parley_client.client import Client
from parley_client.conversation_state import ConversationState
from parley_client.errors import (
    AccountDisabledError,
    ClientClosedError,
    ClientError,
    ClientFailedError,
    ConnectionLostError,
    ConnectTimeoutError,
    EventsOverflowError,
    FrameError,
    MalformedFramesError,
    ParleyError,
    SessionRefusedError,
    UnauthenticatedError,
    UpgradeRefusedError,
)
from parley_client.event_stream import EventStream
from parley_client.events import (
    CaughtUp,
    ConversationCreated,
    ConversationUpdated,
    Event,
    MemberAdded,
    MemberRemoved,
    MemberUpdated,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    NotificationCreated,
    NotificationUpdated,
    PresenceUpdated,
    ReceiptUpdated,
    SessionClosing,
    SessionLost,
    SessionReady,
    TypingUpdated,
    UnknownEvent,
)
from parley_client.options import Backoff, Options
from parley_client.protocol import Attachment, Conversation, Member, Message, Notification, Presence, User
from parley_client.replica import Replica

__all__ = [
    "AccountDisabledError",
    "Attachment",
    "AuthApi",
    "Backoff",
    "CaughtUp",
    "Client",
    "ClientClosedError",
    "ClientError",
    "ClientFailedError",
    "ConnectTimeoutError",
    "ConnectionLostError",
    "Conversation",
    "ConversationCreated",
    "ConversationState",
    "ConversationUpdated",
    "Event",
    "EventStream",
    "EventsOverflowError",
    "FrameError",
    "MalformedFramesError",
    "Member",
    "MemberAdded",
    "MemberRemoved",
    "MemberUpdated",
    "Message",
    "MessageCreated",
    "MessageDeleted",
    "MessageUpdated",
    "Notification",
    "NotificationCreated",
    "NotificationUpdated",
    "Options",
    "ParleyError",
    "Presence",
    "PresenceUpdated",
    "ReceiptUpdated",
    "Replica",
    "SessionClosing",
    "SessionLost",
    "SessionReady",
    "SessionRefusedError",
    "Tokens",
    "TypingUpdated",
    "UnauthenticatedError",
    "UnknownEvent",
    "UpgradeRefusedError",
    "User",
]
