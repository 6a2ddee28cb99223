"""The vocabularies of front-ends, one file each; none of them knows a socket.

A dialect decodes frames into `gateway.commands` and encodes replies and events. To add a front-end, add its file
here: whatever module of this package has a function `made` is a dialect, and says itself where it is spoken.
"""
