"""Structured logs on standard output: one line for each event, with a constant name and fields.

Never log a message's text, a token, a password or a person's address: what is not logged can't leak.
"""

from __future__ import annotations

import logging
import secrets
import sys
from typing import Literal

import structlog


def configure(service: str, replica: str, level: str, form: Literal["json", "console"]) -> None:
    """Configures structlog, and routes the standard library's logging, from WARNING, through it."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, replica=replica)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Returns a module's logger; `name` becomes the field `part`."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(part=name)
    return bound


def log_incident(log: structlog.typing.FilteringBoundLogger, event: str, error: BaseException, **fields: object) -> str:
    """Logs an unexpected error with its traceback and a new incident id, and returns the id.

    A client sees only the id; an operator finds the cause under it.
    """
    incident = secrets.token_hex(8)
    log.error(event, incident=incident, exc_info=error, **fields)
    return incident
