"""The event log on Redis Streams and its fan-out to subscribers."""
