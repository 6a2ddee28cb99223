"""`parley.v1.json`, the native protocol of Parley clients."""
