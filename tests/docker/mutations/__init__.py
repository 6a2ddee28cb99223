"""What would be wrong, one thing at a time, and the policy that has to notice it."""

from typing import Final

from tests.docker.mutations import containers, image, stack

MUTATIONS: Final = {**image.MUTATIONS, **containers.MUTATIONS, **stack.MUTATIONS}
