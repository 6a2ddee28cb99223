"""Clients of the gRPC services: stubs, streams, batching, and caches fed by their events."""
