"""Tests the import of users: rows create, change and fail one by one, and a repeat changes nothing more."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from parley.auth.v1 import directory_pb2 as pb
from parley.auth.v1 import user_pb2

from chassis.errors import Category, UnavailableError
from services.auth.domain import User
from services.auth.sessions import Sessions
from tests.component.auth.expectations import refused
from tests.component.auth_service import RunningAuth

TIMEOUT = 40.0
CREATED, UPDATED = pb.UPSERT_OUTCOME_CREATED, pb.UPSERT_OUTCOME_UPDATED
UNCHANGED, FAILED = pb.UPSERT_OUTCOME_UNCHANGED, pb.UPSERT_OUTCOME_FAILED


def row(user_id: str, **fields: Any) -> pb.UserRow:
    return pb.UserRow(**({"user_id": user_id, "name": user_id.title(), "role": "sales"} | fields))


def address(name: str) -> str:
    return f"{name}-{secrets.token_hex(6)}@import.example"


class Importer:
    """Imports users into one organization as a service."""

    def __init__(self, auth: RunningAuth, organization_id: str) -> None:
        self.auth = auth
        self.organization_id = organization_id

    async def __call__(self, *rows: pb.UserRow, **fields: Any) -> list[Any]:
        request = pb.BatchUpsertUsersRequest(users=rows, **fields)
        metadata = await self.auth.service_metadata(self.organization_id)
        response = await self.auth.directory.BatchUpsertUsers(request, metadata=metadata, timeout=TIMEOUT)
        assert [result.user_id for result in response.results] == [each.user_id for each in rows]
        return list(response.results)

    async def user(self, user_id: str) -> user_pb2.User:
        metadata = await self.auth.service_metadata(self.organization_id)
        response = await self.auth.directory.GetUser(
            pb.GetUserRequest(user_id=user_id), metadata=metadata, timeout=TIMEOUT
        )
        user: user_pb2.User = response.user
        return user


@pytest.fixture
def upsert(auth: RunningAuth, organization: str) -> Importer:
    return Importer(auth, organization)


def outcomes(results: list[Any]) -> list[int]:
    return [result.outcome for result in results]


async def test_rows_create_change_and_leave_users(upsert: Importer) -> None:
    email = address("ann")
    ann = row("ann", email=email, teams=["north"], avatar_url="https://a.example/a.png")
    assert outcomes(await upsert(ann, row("bob", role="agent_l2"))) == [CREATED, CREATED]
    created = await upsert.user("ann")
    assert (created.name, created.email, created.role) == ("Ann", email, user_pb2.ROLE_SALES)
    assert (list(created.teams), created.avatar_url, created.disabled) == (["north"], ann.avatar_url, False)

    results = await upsert(ann, row("bob", role="agent_l3"), row("cat"))
    assert outcomes(results) == [UNCHANGED, UPDATED, CREATED]
    assert await upsert.user("ann") == created
    assert (await upsert.user("bob")).role == user_pb2.ROLE_AGENT_L3


async def test_only_the_named_fields_of_an_existing_user_change(upsert: Importer) -> None:
    await upsert(row("ann", teams=["north"]))
    results = await upsert(row("ann", name="Anna", teams=[], role=""), row("new"), fields=["name"])
    assert outcomes(results) == [UPDATED, CREATED]
    ann = await upsert.user("ann")
    assert (ann.name, list(ann.teams), ann.role) == ("Anna", ["north"], user_pb2.ROLE_SALES)


BAD_ROWS: dict[str, tuple[pb.UserRow, set[str]]] = {
    "no id": (row("", name="A"), {"userId"}),
    "an id with a slash": (row("a/b"), {"userId"}),
    "no name": (row("a", name=""), {"name"}),
    "a blank name": (row("a", name="  "), {"name"}),
    "a long name": (row("a", name="x" * 101), {"name"}),
    "a name on two lines": (row("a", name="a\nb"), {"name"}),
    "no role": (row("a", role=""), {"role"}),
    "an unknown role": (row("a", role="emperor"), {"role"}),
    "a role in upper case": (row("a", role="ROLE_SALES"), {"role"}),
    "an address without @": (row("a", email="nobody"), {"email"}),
    "a long address": (row("a", email="x" * 250 + "@a.example"), {"email"}),
    "an empty team": (row("a", teams=[""]), {"teams"}),
    "too many teams": (row("a", teams=[f"t{index}" for index in range(51)]), {"teams"}),
    "a picture without TLS": (row("a", avatar_url="http://a.example/"), {"avatarUrl"}),
    "several": (row("a b", name="", role="x"), {"userId", "name", "role"}),
}


@pytest.mark.parametrize("name", BAD_ROWS)
async def test_a_bad_row_fails_alone(upsert: Importer, name: str) -> None:
    bad, fields = BAD_ROWS[name]
    results = await upsert(row("before"), bad, row("after"))
    assert outcomes(results) == [CREATED, FAILED, CREATED]
    assert results[1].reason == "INVALID_FIELDS"
    assert results[1].message
    assert {each.field for each in results[1].errors} == fields


async def test_the_second_row_of_a_user_fails(upsert: Importer) -> None:
    results = await upsert(row("ann", name="First"), row("ann", name="Second"))
    assert outcomes(results) == [CREATED, FAILED]
    assert results[1].reason == "DUPLICATE_ROW"
    assert (await upsert.user("ann")).name == "First"


async def test_an_address_that_others_have_is_refused(upsert: Importer, auth: RunningAuth) -> None:
    taken = address("taken")
    other = f"org-{secrets.token_hex(6)}"
    await auth.create_organization(other)
    await Importer(auth, other)(row("holder", email=taken))
    results = await upsert(row("ann", email=taken.upper()), row("bob"))
    assert outcomes(results) == [FAILED, CREATED]
    assert results[0].reason == "EMAIL_TAKEN"


async def test_users_swap_their_addresses(upsert: Importer) -> None:
    one, two, three = address("one"), address("two"), address("three")
    await upsert(row("a", email=one), row("b", email=two), row("c", email=three), row("d"))
    swapped = [row("a", email=two), row("b", email=three), row("c", email=one)]
    assert outcomes(await upsert(*swapped)) == [UPDATED, UPDATED, UPDATED]
    assert [(await upsert.user(user_id)).email for user_id in "abc"] == [two, three, one]
    # A chain, not a circle: d takes what a gives up, and nobody has to wait for himself.
    assert outcomes(await upsert(row("d", email=two), row("a", email=""))) == [UPDATED, UPDATED]
    assert [(await upsert.user(user_id)).email for user_id in "ad"] == ["", two]


async def test_a_chain_that_ends_at_an_outsider_leaves_everybody_the_address(upsert: Importer) -> None:
    one, two, held = address("one"), address("two"), address("held")
    await upsert(row("a", email=one), row("b", email=two), row("outsider", email=held))
    results = await upsert(row("a", email=two), row("b", email=held))
    assert [(result.outcome, result.reason) for result in results] == [(FAILED, "EMAIL_TAKEN")] * 2
    assert [(await upsert.user(user_id)).email for user_id in "ab"] == [one, two]


async def test_the_last_admin_stays_one(upsert: Importer) -> None:
    await upsert(row("boss", role="admin"))
    results = await upsert(row("boss", role="sales"), row("ann"))
    assert [(result.outcome, result.reason) for result in results] == [(FAILED, "LAST_ADMIN"), (CREATED, "")]
    results = await upsert(row("boss", role="admin", disabled=True), fields=["disabled"])
    assert results[0].reason == "LAST_ADMIN"


async def test_a_repeated_request_has_the_first_outcome(upsert: Importer) -> None:
    await upsert(row("old"), row("same"))
    rows = [row("new"), row("old", name="Changed"), row("same")]
    first = await upsert(*rows, request_id="nightly")
    assert outcomes(first) == [CREATED, UPDATED, UNCHANGED]
    await upsert(row("old", name="Later"), row("same", name="Later"), row("new", name="Later"))
    assert await upsert(*rows, request_id="nightly") == first
    assert {(await upsert.user(user_id)).name for user_id in ("new", "old", "same")} == {"Later"}


async def test_only_a_change_ends_what_the_user_may_do(upsert: Importer, auth: RunningAuth) -> None:
    ann = await auth.sign_in_new(upsert.organization_id, "sales")
    same = row(ann.user_id, name=ann.user.name, role="sales")
    assert outcomes(await upsert(same, fields=["name", "role", "disabled"])) == [UNCHANGED]
    await auth.directory.GetMe(pb.GetMeRequest(), metadata=ann.metadata, timeout=TIMEOUT)
    assert outcomes(await upsert(row(ann.user_id, role="employee"), fields=["role"])) == [UPDATED]
    with refused(Category.UNAUTHENTICATED, "TOKEN_REVOKED"):
        await auth.directory.GetMe(pb.GetMeRequest(), metadata=ann.metadata, timeout=TIMEOUT)


@pytest.mark.parametrize("request_id", ["", "nightly"], ids=["without a request id", "with one"])
async def test_the_next_import_revokes_the_tokens_that_a_failed_one_left(
    upsert: Importer, auth: RunningAuth, monkeypatch: pytest.MonkeyPatch, request_id: str
) -> None:
    ann = await auth.sign_in_new(upsert.organization_id, "sales")
    demoted = row(ann.user_id, role="employee")
    original = Sessions.revoke_tokens

    async def fail(sessions: Sessions, user: User) -> None:
        if user.organization_id != upsert.organization_id:
            return await original(sessions, user)
        raise UnavailableError("REVOCATION_NOT_PUBLISHED", "try again")

    with monkeypatch.context() as patched:
        patched.setattr(Sessions, "revoke_tokens", fail)
        with refused(Category.UNAVAILABLE, "REVOCATION_NOT_PUBLISHED"):
            await upsert(demoted, fields=["role"], request_id=request_id)
    await auth.directory.GetMe(pb.GetMeRequest(), metadata=ann.metadata, timeout=TIMEOUT)
    results = await upsert(demoted, fields=["role"], request_id=request_id)
    assert outcomes(results) == [UPDATED if request_id else UNCHANGED]
    with refused(Category.UNAUTHENTICATED, "TOKEN_REVOKED"):
        await auth.directory.GetMe(pb.GetMeRequest(), metadata=ann.metadata, timeout=TIMEOUT)
