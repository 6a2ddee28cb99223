"""Methods: every RPC of the services, with its access rule, its WebSocket op and its HTTP paths."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final

import parley
from google.api.annotations_pb2 import http as http_rule
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from parley.options.v1 import op_pb2, rule_pb2

from chassis.contract.fields import is_inlined, options_of

REQUEST_ID: Final = "request_id"
_CONVERSATION_ID: Final = "conversation_id"
_PARAMETER: Final = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Binding:
    """An HTTP path of an RPC.

    Attributes:
        verb: the HTTP method, in upper case.
        path: with parameters in braces, named as in the proto.
        has_body: whether the fields that are not in the path come in a JSON body, not in the query.
    """

    verb: str
    path: str
    has_body: bool

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the fields in the path."""
        return tuple(_PARAMETER.findall(self.path))


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC.

    Attributes:
        descriptor: its descriptor.
        rule: who may call it.
        op: how it is called over WebSocket.
        bindings: how it is called over HTTP.
    """

    descriptor: MethodDescriptor
    rule: rule_pb2.Rule
    op: op_pb2.Op
    bindings: tuple[Binding, ...]

    @property
    def path(self) -> str:
        """The path on the wire, such as "/parley.auth.v1.AuthService/SignIn"."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"

    @property
    def name(self) -> str:
        """The method's name, such as "SignIn"."""
        return str(self.descriptor.name)

    @property
    def package(self) -> str:
        """The proto package, such as "parley.auth.v1"."""
        return str(self.descriptor.containing_service.file.package)

    @property
    def input(self) -> Descriptor:
        """The request."""
        return self.descriptor.input_type

    @property
    def output(self) -> Descriptor:
        """The response."""
        return self.descriptor.output_type

    @property
    def is_streaming(self) -> bool:
        """Whether requests or responses are streams."""
        return bool(self.descriptor.client_streaming or self.descriptor.server_streaming)

    @property
    def has_request_id(self) -> bool:
        """Whether requests have a request id, by which the service recognizes a repeat of a change."""
        return REQUEST_ID in self.input.fields_by_name

    def conversation_of(self, request: Message) -> str:
        """Returns the conversation that a request is about; empty where it is about none."""
        return next((str(value) for value in _conversations(request)), "")


def message_class(descriptor: Descriptor) -> type[Message]:
    """Returns the Python class of a message."""
    return GetMessageClass(descriptor)


def all_services() -> list[ServiceDescriptor]:
    """Returns every service that the contracts define, by full name."""
    found: dict[str, ServiceDescriptor] = {}
    for module in pkgutil.walk_packages(parley.__path__, "parley."):
        if module.name.endswith("_pb2"):
            services = import_module(module.name).DESCRIPTOR.services_by_name.values()
            found |= {service.full_name: service for service in services}
    return [found[name] for name in sorted(found)]


def methods_of(services: Iterable[ServiceDescriptor]) -> list[Method]:
    """Returns the methods of services, in the order of the protos."""
    return [_method(descriptor) for service in services for descriptor in service.methods]


def _method(descriptor: MethodDescriptor) -> Method:
    extensions = descriptor.GetOptions().Extensions
    http: HttpRule = extensions[http_rule]  # type: ignore[index]  # googleapis has no types
    bindings = tuple(_binding(rule) for rule in (http, *http.additional_bindings) if rule.WhichOneof("pattern"))
    return Method(descriptor, extensions[rule_pb2.rule], extensions[op_pb2.op], bindings)


def _binding(rule: HttpRule) -> Binding:
    verb = rule.WhichOneof("pattern")
    return Binding(str(verb).upper(), getattr(rule, str(verb)), rule.body == "*")


def _conversations(request: Message) -> Iterator[str]:
    fields: Sequence[FieldDescriptor] = request.DESCRIPTOR.fields  # type: ignore[assignment]  # upb's, of the same form
    for field in fields:
        if field.name == _CONVERSATION_ID:
            yield getattr(request, field.name)
        elif is_inlined(field) and _CONVERSATION_ID in options_of(field).inline.keys:
            yield getattr(getattr(request, field.name), _CONVERSATION_ID)
