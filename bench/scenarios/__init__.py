"""The scenarios, one file each. Each takes a system that is up, and returns its figures."""
