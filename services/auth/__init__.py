"""The auth service: organizations, users, teams, credentials, tokens and their signing keys, and contact permissions.

It owns the directory and all proofs of identity. It does not decide what a caller may do in other services: they verify
tokens themselves, with the keys that this service publishes, and apply their own rules.
"""
