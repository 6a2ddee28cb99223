"""The telecom front-end: a chat vocabulary over Socket.IO."""
