"""The presence service: users' sessions, chosen statuses, and when they were last seen.

Auth owns users and their roles. Gateways own connections, and report them here as sessions.
"""
