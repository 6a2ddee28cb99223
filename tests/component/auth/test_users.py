"""Tests of creating and changing users: permissions, validation, and concurrent changes."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from parley.auth.v1 import directory_pb2, user_pb2

from chassis.errors import Category
from chassis.rpc.channel import Metadata
from tests.component.auth.expectations import refused
from tests.component.auth_service import PASSWORD, RunningAuth

DEFAULTS: dict[str, Any] = {"name": "Some One", "role": user_pb2.ROLE_SALES}


def fresh_email() -> str:
    return f"{secrets.token_hex(8)}@demo.example"


async def create(auth: RunningAuth, metadata: Metadata, password: str = "", **fields: Any) -> user_pb2.User:
    user = user_pb2.User(**(DEFAULTS | fields))
    request = directory_pb2.CreateUserRequest(user=user, password=password)
    return (await auth.directory.CreateUser(request, metadata=metadata, timeout=20)).user


async def update(
    auth: RunningAuth,
    metadata: Metadata,
    user_id: str,
    mask: list[str] | None = None,
    **fields: Any,
) -> user_pb2.User:
    request = directory_pb2.UpdateUserRequest(
        user=user_pb2.User(user_id=user_id, **fields),
        update_mask=FieldMask(paths=list(fields) if mask is None else mask),
    )
    return (await auth.directory.UpdateUser(request, metadata=metadata, timeout=20)).user


async def set_password(auth: RunningAuth, metadata: Metadata, user_id: str, password: str) -> None:
    request = directory_pb2.SetPasswordRequest(user_id=user_id, password=password)
    await auth.directory.SetPassword(request, metadata=metadata, timeout=20)


async def get(auth: RunningAuth, metadata: Metadata, user_id: str) -> user_pb2.User:
    request = directory_pb2.GetUserRequest(user_id=user_id)
    return (await auth.directory.GetUser(request, metadata=metadata, timeout=20)).user


@pytest.fixture
async def service(auth: RunningAuth, organization: str) -> Metadata:
    return await auth.service_metadata(organization)


async def test_a_user_is_made_as_given_and_found_so(auth: RunningAuth, organization: str, service: Metadata) -> None:
    email = fresh_email()
    made = await create(
        auth,
        service,
        user_id="crm:42",
        name=" Ann Other ",
        email=email,
        role=user_pb2.ROLE_AGENT_L2,
        teams=["east", "west", "east"],
        avatar_url="https://cdn.example/a.png?size=1",
    )
    assert (made.user_id, made.organization_id, made.name, made.email) == ("crm:42", organization, "Ann Other", email)
    assert (made.role, list(made.teams)) == (user_pb2.ROLE_AGENT_L2, ["east", "west"])
    assert made.create_time == made.update_time
    assert await get(auth, service, "crm:42") == made


async def test_a_user_without_an_id_gets_one(auth: RunningAuth, service: Metadata) -> None:
    one, other = await create(auth, service), await create(auth, service)
    assert one.user_id != other.user_id
    assert await get(auth, service, one.user_id) == one


@pytest.mark.parametrize("user_id", ["a", "A.b_c:d@e-9", "x" * 64, "42"])
async def test_ids_may_be_the_crm_s_own(auth: RunningAuth, service: Metadata, user_id: str) -> None:
    assert (await create(auth, service, user_id=user_id)).user_id == user_id


async def test_what_only_the_service_decides_is_not_taken_from_a_request(
    auth: RunningAuth, organization: str, service: Metadata
) -> None:
    admin = await auth.sign_in_new(organization, "admin")
    made = await create(auth, admin.metadata, organization_id="another", create_time={"seconds": 1})
    assert made.organization_id == organization
    assert made.create_time.seconds > 1
    with refused(Category.PERMISSION_DENIED, "ORGANIZATION_NOT_ALLOWED"):
        await create(auth, service, organization_id="another")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"user_id": "a/b"}, "userId"),
        ({"user_id": "x" * 65}, "userId"),
        ({"user_id": "a b"}, "userId"),
        ({"user_id": "ä"}, "userId"),
        ({"user_id": "a\n"}, "userId"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\u2028b"}, "name"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b.example\nbcc: c@d.example"}, "email"),
        ({"role": user_pb2.ROLE_UNSPECIFIED}, "role"),
        ({"role": 99}, "role"),
        ({"teams": [""]}, "teams"),
        ({"teams": ["ok", "x" * 65]}, "teams"),
        ({"teams": [f"team {number}" for number in range(51)]}, "teams"),
        ({"teams": [f"{number:02}{'x' * 60}" for number in range(40)]}, "teams"),
        ({"avatar_url": "http://cdn.example/a.png"}, "avatarUrl"),
        ({"avatar_url": "javascript:alert(1)"}, "avatarUrl"),
        ({"avatar_url": "https://"}, "avatarUrl"),
        ({"avatar_url": "https://user@cdn.example/"}, "avatarUrl"),
        ({"avatar_url": "https://cdn.example/a b"}, "avatarUrl"),
        ({"avatar_url": "https://cdn.example/" + "x" * 1_981}, "avatarUrl"),
        ({"avatar_url": "https://[::1"}, "avatarUrl"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 1_025}, "password"),
    ],
)
async def test_bad_input_is_named(auth: RunningAuth, service: Metadata, fields: dict[str, Any], named: str) -> None:
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", named):
        await create(auth, service, **fields)


async def test_every_problem_is_named_at_once(auth: RunningAuth, service: Metadata) -> None:
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "userId", "name", "role"):
        await create(auth, service, user_id="/", name="", role=user_pb2.ROLE_UNSPECIFIED)


async def test_a_token_of_the_longest_user_still_passes(auth: RunningAuth, organization: str) -> None:
    teams = [f"{number:02}\U0001f600\U0001f600" for number in range(50)]
    longest = await auth.sign_in_new(organization, "employee", user_id="x" * 64, name="\U0001f600" * 100, teams=teams)
    assert list((await get(auth, longest.metadata, longest.user_id)).teams) == teams


async def test_ids_are_unique_in_an_organization_and_addresses_everywhere(auth: RunningAuth, service: Metadata) -> None:
    other_id, email = f"org-{secrets.token_hex(8)}", fresh_email()
    await auth.create_organization(other_id)
    elsewhere = await auth.service_metadata(other_id)
    await create(auth, service, user_id="ann", email=email)
    with refused(Category.ALREADY_EXISTS, "USER_EXISTS"):
        await create(auth, service, user_id="ann")
    with refused(Category.ALREADY_EXISTS, "EMAIL_TAKEN"):
        await create(auth, elsewhere, user_id="bob", email=email.upper())
    await create(auth, elsewhere, user_id="ann")
    with refused(Category.ALREADY_EXISTS, "EMAIL_TAKEN"):
        await update(auth, elsewhere, "ann", email=email)


async def test_users_without_an_address_are_many(auth: RunningAuth, service: Metadata) -> None:
    for _ in range(3):
        await create(auth, service)


async def test_two_users_with_one_address_made_at_once_are_one(auth: RunningAuth, service: Metadata) -> None:
    email = fresh_email()
    made = await asyncio.gather(*(create(auth, service, email=email) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, user_pb2.User) for result in made) == 1
    codes = {result.code() for result in made if isinstance(result, grpc.aio.AioRpcError)}
    assert codes == {grpc.StatusCode.ALREADY_EXISTS}


async def test_an_address_that_was_given_up_may_be_taken(auth: RunningAuth, service: Metadata) -> None:
    email = fresh_email()
    await create(auth, service, user_id="ann", email=email, password=PASSWORD)
    await update(auth, service, "ann", email="")
    with refused(Category.UNAUTHENTICATED, "INVALID_CREDENTIALS"):
        await auth.sign_in(email)
    await create(auth, service, user_id="bob", email=email)


async def test_no_user_is_made_in_an_organization_that_is_not_there(auth: RunningAuth) -> None:
    with refused(Category.NOT_FOUND, "ORGANIZATION_NOT_FOUND"):
        await create(auth, await auth.service_metadata("absent"))


async def test_only_what_the_mask_names_changes(auth: RunningAuth, service: Metadata) -> None:
    made = await create(auth, service, user_id="ann", teams=["east"])
    changed = await update(auth, service, "ann", mask=["name", "teams"], name="New", email=fresh_email(), teams=[])
    assert (changed.name, changed.email, list(changed.teams), changed.role) == ("New", "", [], made.role)
    assert changed.create_time == made.create_time
    assert await get(auth, service, "ann") == changed


async def test_every_field_can_be_changed(auth: RunningAuth, service: Metadata) -> None:
    await create(auth, service, user_id="ann")
    email = fresh_email()
    changed = await update(
        auth,
        service,
        "ann",
        name="New",
        email=email,
        role=user_pb2.ROLE_LEAD,
        teams=["west"],
        avatar_url="https://cdn.example/a.png",
        disabled=True,
    )
    assert (changed.name, changed.email, changed.role) == ("New", email, user_pb2.ROLE_LEAD)
    assert (list(changed.teams), changed.avatar_url, changed.disabled) == (["west"], "https://cdn.example/a.png", True)


@pytest.mark.parametrize("mask", [[], ["user_id"], ["organization_id"], ["name", "nonsense"], ["*"], ["avatarUrl"]])
async def test_a_mask_names_fields_that_can_be_changed(auth: RunningAuth, service: Metadata, mask: list[str]) -> None:
    await create(auth, service, user_id="ann")
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "updateMask"):
        await update(auth, service, "ann", mask=mask, name="New")


@pytest.mark.parametrize(
    ("fields", "mask", "named"),
    [
        ({"name": ""}, ["name"], "name"),
        ({"role": user_pb2.ROLE_UNSPECIFIED}, ["role"], "role"),
        ({"email": "nobody"}, ["email"], "email"),
    ],
)
async def test_bad_changes_are_named(
    auth: RunningAuth, service: Metadata, fields: dict[str, Any], mask: list[str], named: str
) -> None:
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", named):
        await update(auth, service, "ann", mask=mask, **fields)


async def test_changes_at_once_are_all_kept(auth: RunningAuth, service: Metadata) -> None:
    await create(auth, service, user_id="ann")
    await asyncio.gather(
        update(auth, service, "ann", name="New"),
        update(auth, service, "ann", teams=["west"]),
        update(auth, service, "ann", avatar_url="https://cdn.example/a.png"),
        update(auth, service, "ann", role=user_pb2.ROLE_LEAD),
    )
    user = await get(auth, service, "ann")
    assert (user.name, list(user.teams), user.role) == ("New", ["west"], user_pb2.ROLE_LEAD)
    assert user.avatar_url == "https://cdn.example/a.png"


async def test_users_change_their_own_name_and_picture_and_nothing_else(auth: RunningAuth, organization: str) -> None:
    ann = await auth.sign_in_new(organization, "manager")
    bob = await auth.create_user(organization, "sales")
    assert (await update(auth, ann.metadata, ann.user_id, name="New", avatar_url="")).name == "New"
    for fields in (
        {"role": user_pb2.ROLE_ADMIN},
        {"teams": ["east"]},
        {"name": "New", "email": ""},
        {"disabled": True},
    ):
        with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
            await update(auth, ann.metadata, ann.user_id, **fields)
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        await set_password(auth, ann.metadata, ann.user_id, PASSWORD)
    for user_id in (bob.user_id, "absent"):
        with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
            await update(auth, ann.metadata, user_id, name="New")
    for call in (
        create(auth, ann.metadata),
        auth.directory.DeactivateUser(
            directory_pb2.DeactivateUserRequest(user_id=bob.user_id), metadata=ann.metadata, timeout=20
        ),
    ):
        with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
            await call


async def test_an_admin_provisions_the_own_organization_alone(auth: RunningAuth, organization: str) -> None:
    admin = await auth.sign_in_new(organization, "admin")
    other_id = f"org-{secrets.token_hex(8)}"
    await auth.create_organization(other_id)
    stranger = await auth.create_user(other_id, "sales")
    made = await create(auth, admin.metadata, user_id="ann")
    assert made.organization_id == organization
    assert (await update(auth, admin.metadata, "ann", role=user_pb2.ROLE_LEAD)).role == user_pb2.ROLE_LEAD
    for user_id in (stranger.user_id, "absent"):
        with refused(Category.NOT_FOUND, "USER_NOT_FOUND"):
            await update(auth, admin.metadata, user_id, name="New")
        with refused(Category.NOT_FOUND, "USER_NOT_FOUND"):
            await get(auth, admin.metadata, user_id)
        with refused(Category.NOT_FOUND, "USER_NOT_FOUND"):
            await auth.directory.DeactivateUser(
                directory_pb2.DeactivateUserRequest(user_id=user_id), metadata=admin.metadata, timeout=20
            )


async def test_a_demoted_or_disabled_admin_s_token_provisions_nothing(
    auth: RunningAuth, organization: str, service: Metadata
) -> None:
    demoted, disabled, _ = [await auth.sign_in_new(organization, "admin") for _ in range(3)]
    await update(auth, service, demoted.user_id, role=user_pb2.ROLE_SALES)
    await update(auth, service, disabled.user_id, disabled=True)
    with refused(Category.UNAUTHENTICATED, "TOKEN_REVOKED"):
        await create(auth, demoted.metadata)
    again = await auth.sign_in(demoted.user.email)
    with refused(Category.PERMISSION_DENIED, "NOT_ALLOWED"):
        await create(auth, again.metadata)
    with refused(Category.UNAUTHENTICATED, "ACCOUNT_DISABLED"):
        await create(auth, disabled.metadata)
    with refused(Category.UNAUTHENTICATED, "ACCOUNT_DISABLED"):
        await get(auth, disabled.metadata, demoted.user_id)


async def test_the_last_admin_stays_one(auth: RunningAuth, organization: str, service: Metadata) -> None:
    last = await auth.sign_in_new(organization, "admin")
    await auth.create_user(organization, "admin", disabled=True)
    with refused(Category.FAILED_PRECONDITION, "LAST_ADMIN"):
        await update(auth, last.metadata, last.user_id, role=user_pb2.ROLE_MANAGER)
    with refused(Category.FAILED_PRECONDITION, "LAST_ADMIN"):
        await update(auth, service, last.user_id, disabled=True)
    with refused(Category.FAILED_PRECONDITION, "LAST_ADMIN"):
        await auth.directory.DeactivateUser(
            directory_pb2.DeactivateUserRequest(user_id=last.user_id), metadata=last.metadata, timeout=20
        )
    assert (await update(auth, last.metadata, last.user_id, name="Still Here")).role == user_pb2.ROLE_ADMIN
    await auth.create_user(organization, "admin")
    assert (await update(auth, service, last.user_id, role=user_pb2.ROLE_MANAGER)).role == user_pb2.ROLE_MANAGER


async def test_admins_who_go_at_once_leave_one(auth: RunningAuth, organization: str, service: Metadata) -> None:
    admins = [await auth.create_user(organization, "admin") for _ in range(4)]
    results = await asyncio.gather(
        *(update(auth, service, admin.user_id, role=user_pb2.ROLE_SALES) for admin in admins), return_exceptions=True
    )
    codes = [result.code() for result in results if isinstance(result, grpc.aio.AioRpcError)]
    assert codes == [grpc.StatusCode.FAILED_PRECONDITION]
    remaining = [await get(auth, service, admin.user_id) for admin in admins]
    assert [user.role for user in remaining].count(user_pb2.ROLE_ADMIN) == 1


async def test_a_deactivation_may_be_repeated(auth: RunningAuth, organization: str, service: Metadata) -> None:
    ann = await auth.create_user(organization, "sales")
    request = directory_pb2.DeactivateUserRequest(user_id=ann.user_id)
    first = await auth.directory.DeactivateUser(request, metadata=service, timeout=20)
    assert first.user.disabled
    assert await auth.directory.DeactivateUser(request, metadata=service, timeout=20) == first
