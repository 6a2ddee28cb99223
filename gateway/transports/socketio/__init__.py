"""The Socket.IO transport, on python-socketio."""
