"""The gateway: turns browsers' frames and HTTP requests into calls of the services, and their events into frames.

It owns open connections and nothing else: it stores and decides nothing about users, conversations, messages or
presence, and any replica can serve any user. Three axes are separate. A transport moves bytes and knows no vocabulary;
a dialect is the vocabulary of one front-end and knows no socket; sessions and the hub know connections and neither of
the others.
"""
