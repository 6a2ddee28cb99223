"""Mutations of the manifests, each with the policy that must find it."""

from typing import Final

from tests.k8s.mutations import encryption, network, operations, pods, running

MUTATIONS: Final = {
    **pods.MUTATIONS,
    **running.MUTATIONS,
    **network.MUTATIONS,
    **encryption.MUTATIONS,
    **operations.MUTATIONS,
}
