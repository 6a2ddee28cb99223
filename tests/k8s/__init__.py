"""What the Kubernetes manifests promise, checked without a cluster."""
