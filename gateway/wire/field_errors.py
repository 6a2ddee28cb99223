"""Services' complaints about fields, by the names of the caller's interface, which may differ from the contract's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chassis.errors import AppError, InvalidArgumentError


def map_fields(error: AppError, rename: Callable[[str], str]) -> AppError:
    """The error with its fields renamed; where these are what is wrong, its sentence speaks of them too."""
    fields = {rename(name): sentence for name, sentence in error.fields.items()}
    message = error.message
    if isinstance(error, InvalidArgumentError) and fields:
        message = "; ".join(f"{name} {sentence}" for name, sentence in fields.items())
    return type(error)(error.reason, message, fields=fields, retry_after_ms=error.retry_after_ms)


def renamed(error: AppError, names: Mapping[str, str]) -> AppError:
    """The error with those of its fields renamed that have another name."""
    if names.keys() & error.fields.keys():
        return map_fields(error, lambda name: names.get(name, name))
    return error
