"""The peers that Parley is measured beside, in the same run: written as their users write them, and fairly."""
