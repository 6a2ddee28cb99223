"""A process's life cycle: settings, logs, metrics, tracing, supervision and start-up errors."""
