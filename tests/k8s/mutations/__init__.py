"""What would be wrong, one thing at a time, and the policy that has to notice it."""

from typing import Final

from tests.k8s.mutations import encryption, operations, pods, running, surroundings

MUTATIONS: Final = {
    **pods.MUTATIONS,
    **running.MUTATIONS,
    **surroundings.MUTATIONS,
    **encryption.MUTATIONS,
    **operations.MUTATIONS,
}
