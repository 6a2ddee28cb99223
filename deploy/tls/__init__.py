"""Mutual TLS between Envoy and the processes: Envoy's part of it, made from the one configuration that there is."""
