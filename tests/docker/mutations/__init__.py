"""Mutations of the image and the stack, each with the policy that must find it."""

from typing import Final

from tests.docker.mutations import containers, image, stack

MUTATIONS: Final = {**image.MUTATIONS, **containers.MUTATIONS, **stack.MUTATIONS}
