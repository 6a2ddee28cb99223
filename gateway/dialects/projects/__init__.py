"""The projects front-end: a chat vocabulary over Socket.IO."""
