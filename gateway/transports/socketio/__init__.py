"""The Socket.IO transport, on python-socketio; docs/adr/0008 draws who calls whom."""
