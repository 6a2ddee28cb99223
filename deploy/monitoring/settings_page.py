"""Generates docs/settings.md: every setting of every process, from the settings classes."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from chassis.process.settings import Address, ProcessSettings, ServiceSettings
from gateway.settings import Settings as GatewaySettings
from services.auth.settings import Settings as AuthSettings
from services.chat.settings import Settings as ChatSettings
from services.notify.settings import Settings as NotifySettings
from services.presence.settings import Settings as PresenceSettings

PROCESSES: Final[dict[str, type[ProcessSettings]]] = {
    "auth": AuthSettings,
    "chat": ChatSettings,
    "presence": PresenceSettings,
    "notify": NotifySettings,
    "gateway": GatewaySettings,
}
_HEAD: Final = """# Settings

Processes are configured by environment variables only. They read them once at start-up; if any are missing or invalid,
they log each and exit with status 2. Variables without a default are required. This page is generated from the settings
classes (`make reference`).
"""
_PLAIN_TYPES: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    SecretStr: "secret",
    Path: "path",
}
_SIGNS: Final = {Ge: (">=", "ge"), Gt: (">", "gt"), Le: ("<=", "le"), Lt: ("<", "lt")}


def settings_page() -> str:
    """Returns the page."""
    parts = [_HEAD]
    parts += _section("Every process", ProcessSettings, ())
    parts += _section("Every gRPC service: auth, chat, presence, notify", ServiceSettings, ProcessSettings.model_fields)
    for name, settings in PROCESSES.items():
        common = ServiceSettings if issubclass(settings, ServiceSettings) else ProcessSettings
        own = {key for key, field in settings.model_fields.items() if not _same(field, common.model_fields.get(key))}
        parts += _section(name.title(), settings, settings.model_fields.keys() - own)
    return "\n".join(parts)


def _same(field: FieldInfo, other: FieldInfo | None) -> bool:
    return other is not None and (field.description, field.default) == (other.description, other.default)


def _section(title: str, settings: type[ProcessSettings], omitted: Any) -> Iterator[str]:
    prefix = settings.model_config["env_prefix"]
    yield f"## {title}\n\n| variable | type | default | meaning |\n| --- | --- | --- | --- |"
    for name, field in settings.model_fields.items():
        if name not in omitted:
            cells = (f"`{prefix}{name.upper()}`", _kind(field), _default(field), field.description or "")
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _kind(field: FieldInfo) -> str:
    bounds = [f"{sign} {_number(getattr(each, key))}" for each in field.metadata for sign, key in _bound(each)]
    return ", ".join([_type_name(field.annotation, field.metadata), *bounds])


def _bound(constraint: Any) -> Iterator[tuple[str, str]]:
    if type(constraint) in _SIGNS:
        yield _SIGNS[type(constraint)]


def _number(value: float) -> str:
    return f"{value:,}"


def _type_name(annotation: Any, metadata: list[Any]) -> str:
    if any(each in metadata for each in get_args(Address)[1:]):
        return "host:port"
    if get_origin(annotation) is Annotated:
        return _type_name(get_args(annotation)[0], [])
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) in {Union, types.UnionType}:
        return " or ".join(_type_name(each, []) for each in get_args(annotation) if each is not type(None))
    if get_origin(annotation) is not None:
        return "JSON"
    return _PLAIN_TYPES[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default_factory is not None:
        return "generated at start-up"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if value is None or value in ("", ()) or value is PydanticUndefined:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:.10g}`" if isinstance(value, float) else f"`{value}`"
