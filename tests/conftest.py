"""What holds for all tests, however and wherever they are started.

The processes that they start can be interrupted: a shell has what it runs in the background ignore SIGINT, and that is
inherited. And Hypothesis looks at what comes out, never at how long that took: a machine may stop for a while.
"""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
