"""The objects in docs/protocol.md are those that the gateway writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from google.protobuf.descriptor import Descriptor

from chassis.contract.fields import STRUCT, TIMESTAMP, enum_names, enum_of, is_message, message_of, options_of
from chassis.contract.methods import all_services, methods_of
from deploy.protocol_page import written_names
from gateway.wire.json_writer import written_fields

PAGE: Final = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
OBJECTS: Final = PAGE[PAGE.index("## Objects") : PAGE.index("## Requests")]


def _objects_of(message: Descriptor) -> dict[str, Descriptor]:
    """Returns the messages in an answer, by name, at any depth."""
    found: dict[str, Descriptor] = {}
    for field, _ in written_fields(message):
        nested = is_message(field) and message_of(field).full_name not in {TIMESTAMP, STRUCT}
        if nested and not options_of(field).keyed_by:
            inner = message_of(field)
            found |= {inner.name: inner, **_objects_of(inner)}
    return found


WRITTEN: Final = {
    name: message
    for method in methods_of(all_services())
    if method.op.name
    for name, message in _objects_of(method.output).items()
    if name != "SendResult"  # its fields stand in the reply itself
}


def _listed() -> dict[str, str]:
    """Returns the fields of each object on the page, by its name."""
    return dict(re.findall(r"^- `(\w+) \{(.*?)\}`", OBJECTS.replace("{...}", "object"), re.MULTILINE | re.DOTALL))


def test_every_object_is_listed() -> None:
    assert _listed().keys() == WRITTEN.keys()


@pytest.mark.parametrize("name", WRITTEN)
def test_an_object_has_the_listed_fields(name: str) -> None:
    names = [field.strip().partition(":")[0] for field in _listed()[name].split(",")]
    assert names == list(written_names(WRITTEN[name]))


@pytest.mark.parametrize("name", WRITTEN)
def test_an_enum_has_the_listed_names(name: str) -> None:
    listed = dict(re.findall(r"(\w+)\??: ((?:\w+\|\s*)+\w+)", _listed()[name]))
    enums = {field.json_name: enum_of(field) for field, _ in written_fields(WRITTEN[name]) if field.enum_type}
    for field, names in listed.items():
        assert re.split(r"\|\s*", names) == list(enum_names(enums[field]).values())
