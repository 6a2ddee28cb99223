"""Runs the presence service."""

from chassis.process.process import run_service
from services.presence.settings import Settings
from services.presence.wiring import wire

if __name__ == "__main__":
    run_service("presence", Settings, wire)
