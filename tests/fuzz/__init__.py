"""Random input, guided by the code it reaches; each test runs for a limited time."""
