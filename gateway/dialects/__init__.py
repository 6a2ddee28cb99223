"""The vocabularies of front-ends, one file each; none of them knows a socket.

A dialect decodes frames into `gateway.commands` and encodes replies and events. To add a front-end, add its file
here and name it where `gateway.wiring` says which transport speaks what.
"""
