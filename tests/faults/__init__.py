"""The fault run: puts the stack under load, injects faults, and checks every guarantee of docs/reliability.md.

Simulated users keep many clients busy and record what they receive. A nemesis injects one fault after another, chosen
from a seed. At the end the run reads the store, compares every client's view with that of a fresh reader, and
`checker.check` lists the violations. Run it with `make faults` or `python -m tests.faults --help`.
"""
