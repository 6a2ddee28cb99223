"""A service limited to an organization may not name another one, in any field of a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from chassis.errors import PermissionDeniedError
from chassis.identity import Identity
from chassis.rpc.access import access_of, organization_paths
from tests.unit.chassis.contracts import METHODS, SERVICES

ACCESS = {path.removeprefix("/").split(".")[-1]: access for path, access in access_of(SERVICES).items()}
NAMING = {
    "AuthService/IssueServiceToken": ["organization_id"],
    "DirectoryService/CreateOrganization": ["organization.organization_id"],
    "DirectoryService/CreateUser": ["user.organization_id"],
    "DirectoryService/GetOrganization": ["organization_id"],
    "DirectoryService/UpdateOrganization": ["organization.organization_id"],
    "DirectoryService/UpdateUser": ["user.organization_id"],
    "EventService/Subscribe": ["attachments.add.organization_id", "attachments.remove.organization_id"],
    "MessageService/BatchListMessages": ["items.actor.organization_id"],
    "MessageService/SendMessages": ["items.actor.organization_id"],
    "MessageService/SendSignals": ["items.actor.organization_id"],
    "NotificationService/Subscribe": ["attachments.add.organization_id", "attachments.remove.organization_id"],
    "PresenceService/Attach": ["upsert.organization_id"],
}
"""Every method whose requests name organizations; listed here so that each new one is reviewed."""


def identity(organization_id: str, *, service: bool) -> Identity:
    return Identity(
        organization_id=organization_id,
        user_id="" if service else "ann",
        role="" if service else "admin",
        teams=(),
        name="",
        session_id="",
        service="crm" if service else "",
        scopes=frozenset({"users.act", "streams.subscribe"}) if service else frozenset(),
        expires_at=0.0,
    )


def request_naming(method: str, path: tuple[Any, ...], organization_id: str) -> Message:
    """Makes a request that names an organization at a path, after another message there that names the caller's."""
    request = GetMessageClass(METHODS[method].input_type)()
    for value in ("own", organization_id):
        message: Any = request
        for field in path[:-1]:
            inner = getattr(message, field.name)
            message = inner.add() if field.is_repeated else inner
        setattr(message, path[-1].name, value)
    return request


def test_the_methods_that_name_organizations_are_known() -> None:
    paths_by_method = {
        name: sorted(".".join(field.name for field in path) for path in organization_paths(method.input_type))
        for name, method in METHODS.items()
    }
    assert {name: paths for name, paths in paths_by_method.items() if paths} == NAMING


PLACES = [
    pytest.param(name, path, id=f"{name} {'.'.join(field.name for field in path)}")
    for name, access in ACCESS.items()
    for path in access.organizations
]


@pytest.mark.parametrize(("method", "path"), PLACES)
def test_another_organization_is_refused_in_every_field(method: str, path: tuple[Any, ...]) -> None:
    limited = identity("own", service=True)
    ACCESS[method].check(request_naming(method, path, "own"), limited)
    with pytest.raises(PermissionDeniedError) as refused:
        ACCESS[method].check(request_naming(method, path, "other"), limited)
    assert refused.value.reason == "ORGANIZATION_NOT_ALLOWED"


@pytest.mark.parametrize("name", ACCESS)
def test_only_services_limited_to_an_organization_are_checked(name: str) -> None:
    access = ACCESS[name]
    assert not access.applies_to(None)
    assert not access.applies_to(identity("own", service=False))
    assert not access.applies_to(identity("", service=True))
    checked_by_interceptor = bool(NAMING.get(name)) and name not in {
        "MessageService/BatchListMessages",
        "MessageService/SendMessages",
        "MessageService/SendSignals",
    }
    assert access.applies_to(identity("own", service=True)) is checked_by_interceptor


def test_methods_with_an_outcome_per_item_refuse_each_item() -> None:
    """The interceptor leaves methods with `per_item` to their services, whose tests must name the requests."""
    per_item = {name for name, access in ACCESS.items() if access.rule.per_item and NAMING.get(name)}
    assert per_item == {f"MessageService/{name}" for name in ("BatchListMessages", "SendMessages", "SendSignals")}
    tests_of_chat = (Path(__file__).parents[2] / "component/chat/test_organizations.py").read_text()
    assert all(f"{name.partition('/')[2]}Request" in tests_of_chat for name in per_item)
