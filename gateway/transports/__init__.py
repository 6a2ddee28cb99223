"""Transports: they move bytes between browsers and the dispatcher, and know no dialect's vocabulary."""
