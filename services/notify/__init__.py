"""Notify owns notifications: what a user should hear of, whether they have read it, and what they want to hear of.

It learns of messages from chat's event log and of everything else from CreateNotifications, and tells connected users
through its own event log. It does not own messages, read marks or mutes of conversations (chat does) nor who users
are (auth does).
"""
