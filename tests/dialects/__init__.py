"""Real clients of Socket.IO and WebSocket, in Node, against the whole stack through Envoy."""
