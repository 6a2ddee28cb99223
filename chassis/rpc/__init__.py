"""gRPC servers and channels: interceptors, access rules, status mapping, TLS, validation and paging."""
