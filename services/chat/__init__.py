"""The chat service: conversations, members, messages, receipts and typing, and the events about them.

Users and contact permissions belong to auth, online status to presence, and notifications to notify, which reads
chat's events.
"""
