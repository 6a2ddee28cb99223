"""Runs the notify service."""

from chassis.process.process import run_service
from services.notify.settings import Settings
from services.notify.wiring import wire

if __name__ == "__main__":
    run_service("notify", Settings, wire)
