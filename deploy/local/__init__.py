"""The embedded stack: all of Parley on one machine.

Runs real servers (mongod, Valkey or Redis, Envoy) and every service and gateway as separate processes, on free ports,
under one data directory. `stack.LocalStack` is the entry point; it reads no command line and prints nothing.
"""
