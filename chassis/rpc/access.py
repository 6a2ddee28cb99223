"""Who may call a method: the rules that stand beside the methods in protos/, read from the descriptors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from parley.options.v1 import rule_pb2

from chassis.errors import PermissionDeniedError, UnauthenticatedError
from chassis.identity import Identity, require_organization

_ORGANIZATION: Final = "organization_id"

Path = tuple[FieldDescriptor, ...]
"""The way from a message to a field, however deep."""


class MissingRuleError(Exception):
    """A method has no rule: the server must not start."""


@dataclass(frozen=True, slots=True)
class Access:
    """What is asked of the callers of one method.

    Attributes:
        rule: who may call it.
        organizations: where its requests name organizations.
    """

    rule: rule_pb2.Rule
    organizations: tuple[Path, ...]

    def authorize(self, identity: Identity | None) -> None:
        """Lets a caller pass that the rule allows.

        Raises:
            UnauthenticatedError: there is no caller, and the method is not public.
            PermissionDeniedError: the rule does not allow this caller.
        """
        rule = self.rule
        if rule.public:
            return
        if identity is None:
            raise UnauthenticatedError("TOKEN_MISSING", "this takes an access token")
        allowed = rule.scope in identity.scopes if identity.service else rule.user or identity.role in rule.roles
        if not allowed:
            raise PermissionDeniedError("NOT_ALLOWED", "your role does not allow this")

    def concerns(self, identity: Identity | None) -> bool:
        """Whether the requests of a caller are to be checked by `check`, for the organizations that they name."""
        if identity is None or not identity.service or not identity.organization_id:
            return False
        return bool(self.organizations) and not self.rule.per_item

    def check(self, request: Message, identity: Identity) -> None:
        """Refuses a request that names another organization than the caller's. Raises PermissionDeniedError."""
        for path in self.organizations:
            for organization_id in _values(request, path):
                require_organization(identity, organization_id)


def access_of(services: Iterable[ServiceDescriptor]) -> Mapping[str, Access]:
    """What each method asks of callers, by its path on the wire, such as "/parley.auth.v1.AuthService/SignIn".

    Raises:
        MissingRuleError: a method has no rule, or an empty one.
    """
    methods = {}
    for service in services:
        for method in service.methods:
            rule = method.GetOptions().Extensions[rule_pb2.rule]
            if not (rule.public or rule.user or rule.roles or rule.scope):
                raise MissingRuleError(f"{method.full_name} has no (parley.options.v1.rule)")
            organizations = tuple(organization_paths(method.input_type))
            methods[f"/{service.full_name}/{method.name}"] = Access(rule, organizations)
    return methods


def organization_paths(message: Descriptor, above: tuple[Descriptor, ...] = ()) -> Iterator[Path]:
    """Every way from a message to a field that names an organization; a message within itself is not looked at."""
    if message in above:
        return
    for field in message.fields:
        if field.name == _ORGANIZATION:
            yield (field,)
        elif field.message_type is not None:
            for rest in organization_paths(field.message_type, (*above, message)):
                yield (field, *rest)


def _values(message: Message, path: Path) -> Iterator[str]:
    """The values of a field that are given in a message."""
    field, *rest = path
    value: Any = getattr(message, field.name)
    if not rest:
        if value:
            yield value
        return
    for inner in value if field.is_repeated else (value,):
        yield from _values(inner, tuple(rest))
