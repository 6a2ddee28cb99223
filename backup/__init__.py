"""Copies of all that Parley keeps in MongoDB, and the way back; knows databases, collections and files, no service.

A copy is of one moment in the whole cluster: every page is read at the same cluster time. It is a folder as mongodump
lays it out, with a manifest that says what must be in it.
"""
