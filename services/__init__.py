"""The gRPC services, one folder each, all of one shape; see docs/architecture.md."""
