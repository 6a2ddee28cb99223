"""Requests as methods, one for each op of the protocol, grouped by what they are about."""

from parley_client.requests.account import AccountRequests
from parley_client.requests.conversations import ConversationRequests
from parley_client.requests.messages import MessageRequests
from parley_client.requests.notifications import NotificationRequests


class Requests(AccountRequests, ConversationRequests, MessageRequests, NotificationRequests):
    """All requests."""


__all__ = ["Requests"]
