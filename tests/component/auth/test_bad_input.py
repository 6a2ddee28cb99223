"""Tests that auth rejects invalid requests to each of its methods with the right error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from parley.auth.v1 import auth_pb2 as pb
from parley.auth.v1 import directory_pb2 as directory
from parley.auth.v1 import user_pb2

from chassis.errors import Category
from chassis.rpc.channel import Metadata, open_channel
from chassis.rpc.paging import encode_token
from tests.component.auth_service import PASSWORD, RunningAuth, SignedIn, auth_settings, drop_database, running_auth
from tests.component.bad_input import Call, answer, check, methods_of

METHODS = methods_of(
    pb.DESCRIPTOR.services_by_name["AuthService"], directory.DESCRIPTOR.services_by_name["DirectoryService"]
)
BAD, MISSING, DENIED = Category.INVALID_ARGUMENT, Category.NOT_FOUND, Category.PERMISSION_DENIED
UNKNOWN, EXISTS = Category.UNAUTHENTICATED, Category.ALREADY_EXISTS


class Fixture(NamedTuple):
    """An organization with an administrator and a user, and a service with all scopes in all organizations."""

    channel: grpc.aio.Channel
    auth: RunningAuth
    organization_id: str
    admin: SignedIn
    user: SignedIn
    service: Metadata

    @property
    def query(self) -> str:
        """Returns what page tokens of the administrator's plain listing are bound to."""
        search = "Search(words=[], role=None, team='', contacts_only=False)"
        return f"('{self.organization_id}', '{self.admin.user_id}', {search})"


@pytest.fixture(scope="module")
async def auth(mongodb_uri: str, redis_url: str) -> AsyncIterator[RunningAuth]:
    """A service without limits on sign-ins, which have tests of their own."""
    settings = auth_settings(mongodb_uri, redis_url, sign_in_account_attempts=1_000_000)
    async with running_auth(mongodb_uri, redis_url, settings=settings) as running:
        yield running
    await drop_database(settings)


@pytest.fixture
async def fixture(auth: RunningAuth, organization_id: str) -> AsyncIterator[Fixture]:
    """See `Fixture`."""
    await auth.create_organization(organization_id)
    admin = await auth.sign_in_new(organization_id, "admin")
    user = await auth.sign_in_new(organization_id, "employee")
    async with open_channel(auth.target) as channel:
        yield Fixture(channel, auth, organization_id, admin, user, await auth.service_metadata())


def _organization(fixture: Fixture) -> user_pb2.Organization:
    issuer = user_pb2.TrustedIssuer(
        issuer=f"https://{fixture.organization_id}.example",
        audience="parley",
        algorithm="RS256",
        jwks_url="https://crm.example/keys",
    )
    return user_pb2.Organization(
        organization_id=f"{fixture.organization_id}-new",
        name="New",
        trusted_issuers=[issuer],
        group_creator_roles=[user_pb2.ROLE_ADMIN],
    )


def _update_user(fixture: Fixture) -> Message:
    user = user_pb2.User(user_id=fixture.user.user_id, name="Bob", role=fixture.user.user.role, teams=["east"])
    mask = FieldMask(paths=["name", "role", "teams", "avatar_url", "email"])
    return directory.UpdateUserRequest(user=user, update_mask=mask)


def _update_organization(fixture: Fixture) -> Message:
    mask = FieldMask(paths=["name", "trusted_issuers", "group_creator_roles"])
    changed = _organization(fixture)
    changed.organization_id = fixture.organization_id
    return directory.UpdateOrganizationRequest(organization=changed, update_mask=mask)


def _signed_in_each_time(fixture: Fixture) -> Callable[[], Awaitable[Metadata]]:
    async def metadata() -> Metadata:
        return (await fixture.auth.sign_in(fixture.admin.user.email)).metadata

    return metadata


Who = Callable[[Fixture], Metadata | Callable[[], Awaitable[Metadata]]]
ANONYMOUS: Who = lambda _: ()  # noqa: E731  # the shortest name in the table
ADMIN: Who = lambda fixture: fixture.admin.metadata  # noqa: E731
SERVICE: Who = lambda fixture: fixture.service  # noqa: E731
ROW = directory.UserRow(user_id="imported", name="I", role="sales")
GOOD: dict[str, tuple[Who, Callable[[Fixture], Message], Category | None]] = {
    "SignIn": (ANONYMOUS, lambda s: pb.SignInRequest(email=s.user.user.email, password=PASSWORD), None),
    "RefreshToken": (ANONYMOUS, lambda _: pb.RefreshTokenRequest(refresh_token="made up"), UNKNOWN),
    "SignOut": (_signed_in_each_time, lambda _: pb.SignOutRequest(), None),
    "ExchangeToken": (ANONYMOUS, lambda _: pb.ExchangeTokenRequest(token="made up"), UNKNOWN),
    "IssueServiceToken": (
        ANONYMOUS,
        lambda s: pb.IssueServiceTokenRequest(
            service=s.auth.service_credentials[0], secret=s.auth.service_credentials[1]
        ),
        None,
    ),
    "ListKeys": (ANONYMOUS, lambda _: pb.ListKeysRequest(), None),
    "WatchRevocations": (SERVICE, lambda _: pb.WatchRevocationsRequest(), None),
    "GetMe": (ADMIN, lambda _: directory.GetMeRequest(), None),
    "GetUser": (ADMIN, lambda s: directory.GetUserRequest(user_id=s.user.user_id), None),
    "BatchGetUsers": (ADMIN, lambda s: directory.BatchGetUsersRequest(user_ids=[s.user.user_id]), None),
    "ListUsers": (ADMIN, lambda _: directory.ListUsersRequest(), None),
    "SearchUsers": (ADMIN, lambda _: directory.SearchUsersRequest(query="a"), None),
    "CheckContacts": (ADMIN, lambda s: directory.CheckContactsRequest(user_ids=[s.user.user_id]), None),
    "CreateUser": (
        ADMIN,
        lambda _: directory.CreateUserRequest(user=user_pb2.User(name="New", role=user_pb2.ROLE_EMPLOYEE)),
        None,
    ),
    "UpdateUser": (ADMIN, _update_user, None),
    "SetPassword": (
        ADMIN,
        lambda s: directory.SetPasswordRequest(user_id=s.user.user_id, password=PASSWORD),
        None,
    ),
    "DeactivateUser": (ADMIN, lambda s: directory.DeactivateUserRequest(user_id=s.user.user_id), None),
    "BatchUpsertUsers": (
        ADMIN,
        lambda _: directory.BatchUpsertUsersRequest(users=[ROW]),
        None,
    ),
    "CreateOrganization": (
        SERVICE,
        lambda s: directory.CreateOrganizationRequest(organization=_organization(s)),
        EXISTS,  # an invalid request without optional fields may have created it
    ),
    "GetOrganization": (ADMIN, lambda s: directory.GetOrganizationRequest(organization_id=s.organization_id), None),
    "UpdateOrganization": (ADMIN, _update_organization, None),
}


def test_every_method_has_rows() -> None:
    assert set(GOOD) == set(METHODS)
    assert {row.name for row in ROWS} | WITHOUT_FIELDS == set(METHODS)
    assert {name for name, method in METHODS.items() if not method.input_type.fields} == WITHOUT_FIELDS


@pytest.mark.parametrize("name", METHODS)
async def test_nothing_that_is_wrong_with_a_request_is_a_fault_of_ours(fixture: Fixture, name: str) -> None:
    who, make, expected = GOOD[name]
    call = Call(make(fixture), who(fixture), answer=expected, queries=(fixture.query,))
    assert await check(fixture.channel, METHODS[name], call) == []


class Row(NamedTuple):
    """The expected error of an invalid request."""

    name: str
    request: Message
    category: Category
    reason: str


def _invalid(name: str, *requests: Message) -> list[Row]:
    return [Row(name, request, BAD, "INVALID_FIELDS") for request in requests]


def _users(make: Any, **fields: Any) -> list[Message]:
    """Returns rows for a request with a user, each with one invalid field."""
    bad: list[dict[str, Any]] = [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"email": "nobody"},
        {"role": 0},
        {"role": 99},
        {"teams": [""]},
        {"avatar_url": "http://a.example"},
    ]
    good: dict[str, Any] = {"name": "New", "role": user_pb2.ROLE_EMPLOYEE} | fields
    return [make(user_pb2.User(**(good | each))) for each in bad]


FIELDS = FieldMask(paths=["name", "role", "teams", "email", "avatar_url"])
ROWS = [
    *_invalid("SignIn", pb.SignInRequest(), pb.SignInRequest(email="a@b.example", password="x" * 1_025)),
    Row("SignIn", pb.SignInRequest(email="nobody", password="x"), UNKNOWN, "INVALID_CREDENTIALS"),
    Row("RefreshToken", pb.RefreshTokenRequest(), UNKNOWN, "INVALID_REFRESH_TOKEN"),
    Row("RefreshToken", pb.RefreshTokenRequest(refresh_token="x" * 100_000), UNKNOWN, "INVALID_REFRESH_TOKEN"),
    Row("ExchangeToken", pb.ExchangeTokenRequest(), UNKNOWN, "INVALID_TOKEN"),
    Row("ExchangeToken", pb.ExchangeTokenRequest(token="e30.e30.e30"), UNKNOWN, "INVALID_TOKEN"),
    Row("IssueServiceToken", pb.IssueServiceTokenRequest(), UNKNOWN, "INVALID_CREDENTIALS"),
    *_invalid("IssueServiceToken", pb.IssueServiceTokenRequest(service="tests", organization_id="a/b")),
    *_invalid("GetUser", directory.GetUserRequest(), directory.GetUserRequest(user_id="a/b")),
    Row("GetUser", directory.GetUserRequest(user_id="nobody"), MISSING, "USER_NOT_FOUND"),
    *_invalid("BatchGetUsers", directory.BatchGetUsersRequest(user_ids=[""])),
    *_invalid("BatchGetUsers", directory.BatchGetUsersRequest(user_ids=["ann"] * 201)),
    *_invalid("ListUsers", directory.ListUsersRequest(role=99)),  # type: ignore[arg-type]  # there is no such role
    *_invalid("ListUsers", directory.ListUsersRequest(query="x" * 101), directory.ListUsersRequest(query="a\x00")),
    *_invalid("ListUsers", directory.ListUsersRequest(query=" ".join("abcdefghijkl"))),
    Row("ListUsers", directory.ListUsersRequest(page_size=-1), BAD, "INVALID_FIELDS"),
    Row("ListUsers", directory.ListUsersRequest(page_token="AAAA"), BAD, "INVALID_PAGE_TOKEN"),
    *_invalid("CheckContacts", directory.CheckContactsRequest(user_ids=["a b"])),
    *_invalid("CheckContacts", directory.CheckContactsRequest(user_ids=["ann"] * 5_001)),
    *_invalid("CreateUser", *_users(lambda user: directory.CreateUserRequest(user=user))),
    *_invalid("CreateUser", directory.CreateUserRequest(user={"user_id": "a/b"}), directory.CreateUserRequest()),  # type: ignore[arg-type]
    *_invalid(
        "UpdateUser",
        *_users(lambda user: directory.UpdateUserRequest(user=user, update_mask=FIELDS), user_id="ann"),
        directory.UpdateUserRequest(user=user_pb2.User(user_id="ann")),
        directory.UpdateUserRequest(user=user_pb2.User(user_id="ann"), update_mask=FieldMask(paths=["user_id"])),
        directory.UpdateUserRequest(user=user_pb2.User(user_id="ann"), update_mask=FieldMask(paths=["password"])),
    ),
    *_invalid("CreateUser", directory.CreateUserRequest(request_id="x" * 65)),
    *_invalid("DeactivateUser", directory.DeactivateUserRequest(user_id="ann", request_id="x" * 65)),
    *_invalid("SearchUsers", directory.SearchUsersRequest(query="x" * 101)),
    *_invalid(
        "SetPassword",
        directory.SetPasswordRequest(user_id="ann"),
        directory.SetPasswordRequest(user_id="ann", password="short"),
        directory.SetPasswordRequest(user_id="ann", password="x" * 1_025),
        directory.SetPasswordRequest(password=PASSWORD),
    ),
    Row("SetPassword", directory.SetPasswordRequest(user_id="nobody", password=PASSWORD), MISSING, "USER_NOT_FOUND"),
    *_invalid("DeactivateUser", directory.DeactivateUserRequest()),
    Row("DeactivateUser", directory.DeactivateUserRequest(user_id="nobody"), MISSING, "USER_NOT_FOUND"),
    *_invalid(
        "BatchUpsertUsers",
        directory.BatchUpsertUsersRequest(),
        directory.BatchUpsertUsersRequest(users=[ROW] * 201),
        directory.BatchUpsertUsersRequest(users=[ROW], fields=["password"]),
        directory.BatchUpsertUsersRequest(users=[ROW], request_id="x" * 65),
    ),
    *_invalid("CreateOrganization", directory.CreateOrganizationRequest()),
    *_invalid(
        "CreateOrganization",
        *(
            directory.CreateOrganizationRequest(
                organization=user_pb2.Organization(organization_id="o", name="O", trusted_issuers=[issuer])
            )
            for issuer in (
                user_pb2.TrustedIssuer(),
                user_pb2.TrustedIssuer(issuer="i", audience="a", algorithm="none"),
                user_pb2.TrustedIssuer(issuer="i", audience="a", algorithm="RS256", jwks_url="file:///etc/passwd"),
                user_pb2.TrustedIssuer(issuer="i", audience="a", algorithm="HS256", shared_secret="short"),
            )
        ),
    ),
    Row("GetOrganization", directory.GetOrganizationRequest(organization_id="x"), MISSING, "ORGANIZATION_NOT_FOUND"),
    *_invalid("UpdateOrganization", directory.UpdateOrganizationRequest()),
    *_invalid("UpdateOrganization", directory.UpdateOrganizationRequest(update_mask=FieldMask(paths=["nothing"]))),
]
WITHOUT_FIELDS = {"SignOut", "ListKeys", "WatchRevocations", "GetMe"}


async def test_each_mistake_has_its_answer(fixture: Fixture) -> None:
    for row in ROWS:
        caller = await Call(row.request, GOOD[row.name][0](fixture)).caller()
        error = await answer(fixture.channel, METHODS[row.name], row.request, caller)
        assert error is not None, row
        assert (error.category, error.reason) == (row.category, row.reason), (row, error.fields)


@pytest.mark.parametrize("cursor", [[], ["a"], [1, 2], ["a", None], ["a", "b", "c"], [{}, []]], ids=str)
async def test_a_forged_cursor_is_refused(fixture: Fixture, cursor: list[object]) -> None:
    request = directory.ListUsersRequest(page_token=encode_token(cursor, fixture.query))
    error = await answer(fixture.channel, METHODS["ListUsers"], request, fixture.admin.metadata)
    assert error is not None
    assert error.reason == "INVALID_PAGE_TOKEN"
    good = directory.ListUsersRequest(page_token=encode_token(["a", "b"], fixture.query))
    assert await answer(fixture.channel, METHODS["ListUsers"], good, fixture.admin.metadata) is None
