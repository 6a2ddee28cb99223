"""Presence owns who is online, away or offline, what status they chose, and when they were last seen.

It does not own who users are (auth), what their roles may do elsewhere, or their connections: gateways hold those and
report them here as sessions.
"""
