"""Chat owns conversations, their members, messages, receipts and typing, and tells everyone concerned what happened.

It does not own who users are or who may write to whom (auth decides that), who is online (presence), or what a user
is notified of (notify reads chat's events).
"""
