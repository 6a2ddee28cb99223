"""Mutations of the manifests, each with the policy that must find it."""

from typing import Final

from tests.k8s.mutations import encryption, operations, pods, running, surroundings

MUTATIONS: Final = {
    **pods.MUTATIONS,
    **running.MUTATIONS,
    **surroundings.MUTATIONS,
    **encryption.MUTATIONS,
    **operations.MUTATIONS,
}
