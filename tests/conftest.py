"""Configuration of all tests.

Restores SIGINT, which child processes inherit: a shell makes its background jobs ignore it. Gives Hypothesis no
deadline, as a busy machine may pause for a while.
"""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
