"""The notification service: users' notifications, their read state, and the users' preferences.

It reads messages from chat's event log, takes every other notification from CreateNotifications, and publishes changes
to connected users in an event log of its own. Chat owns messages, read marks and muted conversations; auth owns users.
"""
