"""The Dockerfile's steps carried out without a container engine, and what they made set to work.

A bare Debian of the base image's release stands for the base image; chroot, namespaces and setpriv stand for the
engine. What differs from a container is said in docs/docker.md.
"""
