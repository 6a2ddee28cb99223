"""The scenarios, one module each. A scenario takes a running system and returns its figures."""
