"""Runs the chat service."""

from chassis.process.process import run_service
from services.chat.settings import Settings
from services.chat.wiring import wire

if __name__ == "__main__":
    run_service("chat", Settings, wire)
