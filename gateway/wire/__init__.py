"""The JSON forms of the wire protocol: objects, enum names, timestamps, field errors and close codes."""
