"""Per-connection session state and the commands that a client can issue; no sockets and no dialects."""
