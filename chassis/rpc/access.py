"""Authorization of callers: reads the rules of methods in protos/ from the descriptors, and applies them."""

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
"""The path from a message to a field, at any depth."""


class MissingRuleError(Exception):
    """A method has no access rule; the server must not start."""


@dataclass(frozen=True, slots=True)
class Access:
    """The access rule of one method.

    Attributes:
        rule: the allowed callers.
        organizations: the paths of the request's fields that name organizations.
    """

    rule: rule_pb2.Rule
    organizations: tuple[Path, ...]

    def authorize(self, identity: Identity | None) -> None:
        """Checks that the rule allows a caller.

        Raises:
            UnauthenticatedError: there is no caller, and the method is not public.
            PermissionDeniedError: the rule does not allow this caller.
        """
        rule = self.rule
        if rule.public:
            return
        if identity is None:
            raise UnauthenticatedError("TOKEN_MISSING", "an access token is required")
        allowed = rule.scope in identity.scopes if identity.service else rule.user or identity.role in rule.roles
        if not allowed:
            raise PermissionDeniedError("NOT_ALLOWED", "your role does not allow this")

    def applies_to(self, identity: Identity | None) -> bool:
        """Reports whether `check` applies to a caller's requests: it is a service limited to an organization."""
        if identity is None or not identity.service or not identity.organization_id:
            return False
        return bool(self.organizations) and not self.rule.per_item

    def check(self, request: Message, identity: Identity) -> None:
        """Raises PermissionDeniedError if a request names an organization other than the caller's."""
        for path in self.organizations:
            for organization_id in _values(request, path):
                require_organization(identity, organization_id)


def access_of(services: Iterable[ServiceDescriptor]) -> Mapping[str, Access]:
    """Returns the access rules of methods, by path, such as "/parley.auth.v1.AuthService/SignIn".

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
    """Yields the paths from a message to its fields that name an organization; stops at recursive messages."""
    if message in above:
        return
    for field in message.fields:
        if field.name == _ORGANIZATION:
            yield (field,)
        elif field.message_type is not None:
            for rest in organization_paths(field.message_type, (*above, message)):
                yield (field, *rest)


def _values(message: Message, path: Path) -> Iterator[str]:
    """Yields the non-empty values of a field in a message."""
    field, *rest = path
    value: Any = getattr(message, field.name)
    if not rest:
        if value:
            yield value
        return
    for inner in value if field.is_repeated else (value,):
        yield from _values(inner, tuple(rest))
