"""The life cycle of a process: settings, logs, metrics, tracing, supervision and start-up errors."""
