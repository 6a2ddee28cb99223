"""Checks of the image and the Compose stack of deploy/docker that need no container engine."""
