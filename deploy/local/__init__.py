"""The embedded stack: all of Parley on one machine, from one command.

Real servers (mongod, Valkey or Redis, Envoy) and every service and gateway, as processes of their own, on free ports,
under one data directory. `stack.LocalStack` is the door; it knows no command line and prints nothing.
"""
