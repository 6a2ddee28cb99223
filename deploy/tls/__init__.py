"""Envoy's part of mutual TLS with the processes, derived from gateway/envoy/envoy.yaml."""
