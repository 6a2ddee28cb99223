"""The image that all processes share, and the stack on one machine with a container engine."""
