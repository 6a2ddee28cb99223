"""Auth: organizations, users, teams, credentials, tokens and the keys that sign them, and who may write to whom.

It owns the directory, and everything that proves who someone is. It does not decide what a caller may do in other
services: those verify tokens by themselves, with the keys that this service publishes, and apply their own rules.
"""
