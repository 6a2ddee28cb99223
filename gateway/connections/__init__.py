"""The lifecycle of a connection: request dispatch, event delivery, readiness, draining and revocation."""
