"""Front-end vocabularies, one folder each; no dialect knows about sockets.

A dialect decodes frames into `gateway.sessions.commands` and encodes replies and events. To add a front-end, add a
folder here with an `__init__.py` and a `dialect.py` that defines `NAME` and `create_dialect`; the dialect itself states
the endpoint it is served on. A new WebSocket path also needs a route in gateway/envoy/envoy.yaml.
"""
