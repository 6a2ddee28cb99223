"""Builds the image and runs the stack without a container engine.

A minimal Debian of the base image's release replaces the base image; chroot, namespaces and setpriv replace the engine.
docs/docker.md lists the differences from real containers.
"""
