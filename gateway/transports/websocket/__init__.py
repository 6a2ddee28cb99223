"""The WebSocket transport, on picows."""
