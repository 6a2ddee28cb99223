"""Backup and restore of Parley's MongoDB databases. Knows databases, collections and files, but no service.

A backup is a consistent snapshot: every page is read at the same cluster time. It is a folder in mongodump's layout
with a manifest that lists every file, its size and its SHA-256.
"""
