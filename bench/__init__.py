"""Benchmarks of the whole stack, beside peers in the same run. Start with `make bench`."""
