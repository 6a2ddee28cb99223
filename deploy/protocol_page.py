"""The table of operations in docs/protocol.md, from the contracts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from parley.comments import COMMENTS

from chassis.contract.fields import is_inlined, message_of
from chassis.contract.methods import Method, all_services, methods_of
from gateway.dialects.native.requests import all_commands
from gateway.wire.json_reader import request_fields
from gateway.wire.json_writer import written_fields

_BEGIN: Final = "<!-- The table is generated from protos/: make reference -->\n\n"
_END: Final = "\n<!-- end of the table -->"
_OF_THE_CONNECTION: Final = {
    "session.refresh": ("`{accessToken}`", "`{expireTime}`", "Uses a newer access token for the open connection."),
    "session.ping": ("", "`{serverTime}`", "Returns the server's time."),
}
"""The ops that are no RPC: body, reply and what they do."""


def with_operations(page: str, methods: Iterable[Method] | None = None) -> str:
    """Returns docs/protocol.md with the present table.

    Args:
        page: the document.
        methods: the RPCs of the contract; by default those of all services.
    """
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{_table(methods_of(all_services()) if methods is None else methods)}{_END}{after}"


def _table(methods: Iterable[Method]) -> str:
    rows = ["| op | body | reply | HTTP |  |", "| --- | --- | --- | --- | --- |"]
    rows += [_row(method) for method in methods if method.op.name or method.bindings]
    for op, (body, reply, text) in _OF_THE_CONNECTION.items():
        assert op in all_commands()  # noqa: S101  # the table lists what there is
        rows.append(f"| `{op}` | {body} | {reply} | | {text} |")
    return "\n".join(rows) + "\n"


def _row(method: Method) -> str:
    op = f"`{method.op.name}`" if method.op.name else ""
    reply = "{}" if method.op.empty_reply else _object(written_names(method.output))
    paths = "<br>".join(f"`{binding.verb} {_camel(binding.path)}`" for binding in method.bindings)
    first, _, _ = COMMENTS[method.descriptor.full_name].partition(". ")
    text = first.removesuffix(".").replace("|", "\\|") + "."
    return f"| {op} | `{_object(_request_names(method))}` | `{reply}` | {paths} | {text} |"


def _request_names(method: Method) -> Iterator[str]:
    for field in request_fields(method.input):
        if field.name != "requestId":
            yield field.name if field.required else f"{field.name}?"


def written_names(message: Descriptor) -> Iterator[str]:
    """Returns the names of the fields that a reply has, with a question mark where one may be left out."""
    for field, always in written_fields(message):
        if is_inlined(field):
            yield from written_names(message_of(field))
        else:
            yield _name(field, always)


def _name(field: FieldDescriptor, always: bool) -> str:
    return str(field.json_name) if always else f"{field.json_name}?"


def _object(names: Iterator[str]) -> str:
    return "{" + ", ".join(names) + "}"


def _camel(path: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), path)
