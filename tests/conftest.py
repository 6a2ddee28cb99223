"""What holds for all tests: the processes that they start can be interrupted, however the tests themselves were started.

A shell has what it runs in the background ignore SIGINT, and that is inherited.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
