"""Who may call a method: the rules that stand beside the methods in protos/, read from the descriptors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.descriptor import ServiceDescriptor
from parley.options.v1 import rule_pb2

from chassis.errors import PermissionDeniedError, UnauthenticatedError
from chassis.identity import Identity


class MissingRuleError(Exception):
    """A method has no rule: the server must not start."""


def rules_of(services: Iterable[ServiceDescriptor]) -> Mapping[str, rule_pb2.Rule]:
    """The rule of each method, by its path on the wire, such as "/parley.auth.v1.AuthService/SignIn".

    Raises:
        MissingRuleError: a method has none, or an empty one.
    """
    rules = {}
    for service in services:
        for method in service.methods:
            rule = method.GetOptions().Extensions[rule_pb2.rule]
            if not (rule.public or rule.user or rule.roles or rule.scope):
                raise MissingRuleError(f"{method.full_name} has no (parley.options.v1.rule)")
            rules[f"/{service.full_name}/{method.name}"] = rule
    return rules


def authorize(rule: rule_pb2.Rule, identity: Identity | None) -> None:
    """Lets a caller pass that the rule allows.

    Raises:
        UnauthenticatedError: there is no caller, and the method is not public.
        PermissionDeniedError: the rule does not allow this caller.
    """
    if rule.public:
        return
    if identity is None:
        raise UnauthenticatedError("TOKEN_MISSING", "this takes an access token")
    allowed = rule.scope in identity.scopes if identity.service else rule.user or identity.role in rule.roles
    if not allowed:
        raise PermissionDeniedError("NOT_ALLOWED", "your role does not allow this")
