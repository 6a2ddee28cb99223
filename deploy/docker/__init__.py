"""The image of all processes, and the Compose stack for one machine."""
