"""Input that nobody meant to send, made by chance and guided by what it reaches; each test runs for a bounded time."""
