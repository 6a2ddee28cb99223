"""Parley in Kubernetes: kustomize manifests, and the program that makes their first secrets."""
