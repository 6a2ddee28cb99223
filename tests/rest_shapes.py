"""Checks answers of the HTTP interface against the schemas that its OpenAPI document gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema
from parley.auth.v1.user_pb2 import User
from parley.chat.v1.chat_pb2 import Conversation, Message
from parley.notify.v1.notification_pb2 import Notification

from chassis.contract.methods import all_services, methods_of
from gateway.rest.schemas import answers


def _components() -> dict[str, Any]:
    outputs = [method.output for method in methods_of(all_services()) if method.bindings]
    objects = [User.DESCRIPTOR, Conversation.DESCRIPTOR, Message.DESCRIPTOR, Notification.DESCRIPTOR]
    return {name: _strict(schema) for name, schema in answers([*outputs, *objects]).items()}


def _strict(schema: Any) -> Any:
    """Returns a schema that allows no properties but those it names."""
    if isinstance(schema, Mapping):
        inner = {key: _strict(value) for key, value in schema.items()}
        return inner | {"additionalProperties": False} if "properties" in schema else inner
    return [_strict(each) for each in schema] if isinstance(schema, list) else schema


_COMPONENTS = _components()


def check_shape(answer: Any, schema: str | Mapping[str, Any]) -> None:
    """Asserts that an answer has a shape exactly: nothing mistyped, nothing missing, nothing more.

    Args:
        answer: decoded JSON.
        schema: the name of a message in answers, or a schema of its own.
    """
    shape: dict[str, Any] = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else _strict(schema)
    jsonschema.validate(answer, {**shape, "components": {"schemas": _COMPONENTS}})
