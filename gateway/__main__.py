"""`python -m gateway`."""

from __future__ import annotations

from chassis.process.process import run_process
from gateway.settings import Settings
from gateway.wiring import serve

if __name__ == "__main__":
    run_process("gateway", Settings, serve)
