"""Runs the auth service: `python -m services.auth`."""

from chassis.process.process import run_service
from services.auth.settings import Settings
from services.auth.wiring import wire

if __name__ == "__main__":
    run_service("auth", Settings, wire)
