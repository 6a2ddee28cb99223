"""Kustomize manifests for Kubernetes, and the generator of their first secrets."""
