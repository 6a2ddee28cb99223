"""Which dialects there are: every module of this package that makes one."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import gateway.dialects
from gateway.dialects.dialect import Dialect, Surroundings


def all_dialects(surroundings: Surroundings) -> dict[str, Dialect]:
    """The dialects, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(gateway.dialects.__path__))
    modules = [import_module(f"gateway.dialects.{name}") for name in names]
    made: list[Dialect] = [module.made(surroundings) for module in modules if hasattr(module, "made")]
    return {dialect.name: dialect for dialect in made}
