"""Proof that nothing is lost while things break: load, faults, and a checker that counts.

A `Driver` keeps many clients busy and writes down what they were told; a `Nemesis` breaks one thing after the other,
from a seed; at the end the store is read, everybody's view is compared with a fresh reader's, and `checker.check`
names whatever contradicts the promises of docs/reliability.md. Run it with `make faults` or
`python -m tests.faults --help`.
"""
