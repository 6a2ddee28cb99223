"""The browsers' door: it turns frames and HTTP requests into calls of the services, and their events into frames.

It owns open connections and nothing else: no user, conversation, message or presence is stored or decided here, and
any replica can serve any user. Three axes are kept apart. A transport moves bytes and knows no vocabulary; a dialect
is one front-end's vocabulary and knows no socket; sessions and the hub know connections and neither of the others.
"""
