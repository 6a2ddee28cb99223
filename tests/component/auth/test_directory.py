"""Tests of reading the directory: visibility, search, paging, contact permissions."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from parley.auth.v1 import directory_pb2, user_pb2

from chassis.errors import Category
from chassis.rpc.channel import Metadata
from services.auth.domain import Role
from tests.component.auth.expectations import refused
from tests.component.auth_service import RunningAuth, SignedIn


@dataclass
class Company:
    """An organization with two users of each role: `east` in the team east, and `west` in the team west."""

    organization_id: str
    service: Metadata
    people: dict[str, SignedIn]


@pytest.fixture(scope="module")
async def company(auth: RunningAuth) -> AsyncIterator[Company]:
    organization_id = f"org-{secrets.token_hex(8)}"
    await auth.create_organization(organization_id)
    people = {}
    for role in Role:
        for team in ("east", "west"):
            user_id = f"{role.value}-{team}"
            people[user_id] = await auth.sign_in_new(
                organization_id, role.value, user_id=user_id, name=f"{team} {role.value}", teams=[team]
            )
    people["gone"] = await auth.sign_in_new(organization_id, "sales", user_id="gone", teams=["east"])
    service = await auth.service_metadata(organization_id)
    await auth.directory.DeactivateUser(
        directory_pb2.DeactivateUserRequest(user_id="gone"), metadata=service, timeout=20
    )
    yield Company(organization_id, service, people)


async def listed(auth: RunningAuth, metadata: Metadata, **request: Any) -> list[str]:
    """Returns the ids on all pages of a listing."""
    ids: list[str] = []
    token = ""
    while True:
        response = await auth.directory.ListUsers(
            directory_pb2.ListUsersRequest(page_token=token, **request), metadata=metadata, timeout=20
        )
        ids += [user.user_id for user in response.users]
        token = response.next_page_token
        if not token:
            return ids


async def found(auth: RunningAuth, metadata: Metadata) -> list[str]:
    """Returns the ids of the users to whom the caller may write."""
    response = await auth.directory.SearchUsers(
        directory_pb2.SearchUsersRequest(page_size=200), metadata=metadata, timeout=20
    )
    return [user.user_id for user in response.users]


async def allowed(auth: RunningAuth, metadata: Metadata, user_ids: list[str]) -> dict[str, bool]:
    response = await auth.directory.CheckContacts(
        directory_pb2.CheckContactsRequest(user_ids=user_ids), metadata=metadata, timeout=20
    )
    return {contact.user_id: contact.allowed for contact in response.contacts}


async def test_for_every_user_the_contacts_listed_are_those_allowed(auth: RunningAuth, company: Company) -> None:
    everyone = list(company.people)
    for user_id, person in company.people.items():
        if user_id == "gone":
            continue
        answers = await allowed(auth, person.metadata, everyone)
        contacts = {other for other, may in answers.items() if may}
        assert set(await found(auth, person.metadata)) == contacts
        visible = set(await listed(auth, person.metadata))
        if user_id.startswith(("admin", "manager")):
            assert visible == set(everyone)
        else:
            assert visible == contacts | {user_id}


async def test_who_may_write_may_be_answered(auth: RunningAuth, company: Company) -> None:
    everyone = [user_id for user_id in company.people if user_id != "gone"]
    answers = {one: await allowed(auth, company.people[one].metadata, everyone) for one in everyone}
    for one in everyone:
        for other in everyone:
            assert answers[one].get(other, False) == answers[other].get(one, False)


async def test_contacts_are_answered_once_in_the_order_asked_for(auth: RunningAuth, company: Company) -> None:
    response = await auth.directory.CheckContacts(
        directory_pb2.CheckContactsRequest(
            user_ids=["sales-west", "admin-east", "absent", "sales-west", "sales-east", "gone", "lead-east"]
        ),
        metadata=company.people["sales-east"].metadata,
        timeout=20,
    )
    assert [(contact.user_id, contact.allowed) for contact in response.contacts] == [
        ("sales-west", False),
        ("admin-east", True),
        ("sales-east", False),
        ("gone", False),
        ("lead-east", True),
    ]


async def test_a_client_does_not_learn_of_other_clients(auth: RunningAuth, company: Company) -> None:
    client = company.people["client-east"]
    assert await allowed(auth, client.metadata, ["client-west", "absent", "agent_l1-west", "sales-east"]) == {
        "agent_l1-west": True,
        "sales-east": False,
    }
    for user_id in ("client-west", "absent"):
        with refused(Category.NOT_FOUND, "USER_NOT_FOUND"):
            await auth.directory.GetUser(
                directory_pb2.GetUserRequest(user_id=user_id), metadata=client.metadata, timeout=20
            )
    response = await auth.directory.BatchGetUsers(
        directory_pb2.BatchGetUsersRequest(user_ids=["sales-east", "client-west", "client-east", "absent"]),
        metadata=client.metadata,
        timeout=20,
    )
    assert [user.user_id for user in response.users] == ["sales-east", "client-east"]


async def test_another_organization_s_users_are_as_absent_ones(auth: RunningAuth, company: Company) -> None:
    other_id = f"org-{secrets.token_hex(8)}"
    await auth.create_organization(other_id)
    stranger = await auth.sign_in_new(other_id, "admin")
    assert await allowed(auth, stranger.metadata, ["admin-east", stranger.user_id]) == {stranger.user_id: False}
    assert await listed(auth, stranger.metadata) == [stranger.user_id]
    with refused(Category.NOT_FOUND, "USER_NOT_FOUND"):
        await auth.directory.GetUser(
            directory_pb2.GetUserRequest(user_id="admin-east"), metadata=stranger.metadata, timeout=20
        )


@pytest.mark.parametrize(
    ("role", "may"), [("lead", True), ("agent_l3", True), ("sales", False), ("client", False), ("bot", False)]
)
async def test_the_default_roles_create_groups(auth: RunningAuth, company: Company, role: str, may: bool) -> None:
    response = await auth.directory.CheckContacts(
        directory_pb2.CheckContactsRequest(), metadata=company.people[f"{role}-east"].metadata, timeout=20
    )
    assert response.may_create_groups is may


async def test_what_counts_is_what_a_user_is_now(auth: RunningAuth, organization: str) -> None:
    sales = await auth.sign_in_new(organization, "sales", teams=["east"])
    lead = await auth.create_user(organization, "lead", teams=["west"])
    assert await allowed(auth, sales.metadata, [lead.user_id]) == {lead.user_id: False}
    await auth.update_user(organization, sales.user_id, teams=["west"])
    assert await allowed(auth, sales.metadata, [lead.user_id]) == {lead.user_id: True}


async def test_users_are_listed_by_name_on_pages_that_neither_repeat_nor_leave_out(
    auth: RunningAuth, organization: str
) -> None:
    service = await auth.service_metadata(organization)
    names = ["Zoe", "ann", "Ann", "Ärne", "bob", "Ann", "ann b", "Éva", "zoe", "Bob"]
    for number, name in enumerate(names):
        await auth.create_user(organization, "sales", user_id=f"u{number}", name=name)
    expected = [f"u{number}" for number in sorted(range(len(names)), key=lambda n: (names[n].casefold(), f"u{n}"))]
    for size in (1, 3, 10, 200, 100_000, 0):
        assert await listed(auth, service, page_size=size) == expected


async def test_a_page_goes_on_after_its_last_user_whatever_came_or_went(auth: RunningAuth, organization: str) -> None:
    service = await auth.service_metadata(organization)
    for name in ("b", "d", "f"):
        await auth.create_user(organization, "sales", user_id=name, name=name)
    first = await auth.directory.ListUsers(directory_pb2.ListUsersRequest(page_size=2), metadata=service, timeout=20)
    for name in ("a", "c", "e"):
        await auth.create_user(organization, "sales", user_id=name, name=name)
    second = await auth.directory.ListUsers(
        directory_pb2.ListUsersRequest(page_size=2, page_token=first.next_page_token), metadata=service, timeout=20
    )
    assert [user.user_id for user in (*first.users, *second.users)] == ["b", "d", "e", "f"]
    assert not second.next_page_token


@pytest.fixture(scope="module")
async def searched(auth: RunningAuth) -> str:
    return await create_searched(auth, "example")


async def create_searched(auth: RunningAuth, domain: str) -> str:
    organization_id = f"org-{secrets.token_hex(8)}"
    await auth.create_organization(organization_id)
    for user_id, name, email in [
        ("crm:1", "Ann Mary-Jane O'Brien", f"ann.b@first.{domain}"),
        ("crm:2", "Éva Kovács", f"eva@second.{domain}"),
        ("anna", "Bob", ""),
    ]:
        await auth.create_user(organization_id, "agent_l1", user_id=user_id, name=name, email=email)
    return organization_id


SEARCHES = [
    ("", ["crm:1", "anna", "crm:2"]),
    ("ann", ["crm:1", "anna"]),
    ("ANN", ["crm:1", "anna"]),
    ("  ann   bri ", ["crm:1"]),
    ("jane", ["crm:1"]),
    ("o'b", ["crm:1"]),
    ("éva kov", ["crm:2"]),
    ("ÉVA", ["crm:2"]),
    ("crm:", ["crm:1", "crm:2"]),
    ("2", ["crm:2"]),
    ("second.ex", ["crm:2"]),
    ("nn", []),
    (".*", []),
    ("a.n", []),
    ("^ann", []),
    ("ann zoe", []),
    ("\\", []),
    ("$where", []),
]


@pytest.mark.parametrize(("query", "matches"), SEARCHES)
async def test_a_search_matches_beginnings_of_words(
    auth: RunningAuth, searched: str, query: str, matches: list[str]
) -> None:
    assert await listed(auth, await auth.service_metadata(searched), query=query, page_size=1) == matches


async def search(auth: RunningAuth, metadata: Metadata, query: str) -> list[str]:
    request = directory_pb2.SearchUsersRequest(query=query)
    response = await auth.directory.SearchUsers(request, metadata=metadata, timeout=20)
    return [user.user_id for user in response.users if user.user_id in {"crm:1", "crm:2", "anna"}]


async def test_addresses_are_found_by_those_who_see_them_alone(auth: RunningAuth) -> None:
    organization_id = await create_searched(auth, "exam")
    agent, manager = [(await auth.sign_in_new(organization_id, role)).metadata for role in ("agent_l2", "manager")]
    for query in ("ann.b@first.exam", "first", "eva", "second.ex"):
        assert await search(auth, agent, query) == []
        assert await search(auth, manager, query) == (["crm:2"] if query in {"eva", "second.ex"} else ["crm:1"])
    for query, matches in SEARCHES:
        if query not in {"eva", "second.ex"}:
            assert await search(auth, agent, query) == matches, query


async def test_a_token_of_a_former_manager_shows_no_addresses(auth: RunningAuth) -> None:
    """The change of role revokes the token, so it shows nothing at all."""
    organization_id = await create_searched(auth, "exams")
    manager = await auth.sign_in_new(organization_id, "manager")

    async def email() -> str:
        request = directory_pb2.GetUserRequest(user_id="crm:2")
        return (await auth.directory.GetUser(request, metadata=manager.metadata, timeout=20)).user.email

    assert await email() == "eva@second.exams"
    await auth.update_user(organization_id, manager.user_id, role=user_pb2.ROLE_AGENT_L2)
    with refused(Category.UNAUTHENTICATED, "TOKEN_REVOKED"):
        await email()
    with refused(Category.UNAUTHENTICATED, "TOKEN_REVOKED"):
        await search(auth, manager.metadata, "second")


async def test_a_user_is_found_by_the_new_name_and_not_by_the_old_one(auth: RunningAuth, organization: str) -> None:
    service = await auth.service_metadata(organization)
    user = await auth.create_user(organization, "sales", user_id="u", name="Old Name")
    await auth.update_user(organization, "u", name="Fresh")
    assert await listed(auth, service, query="old") == []
    assert await listed(auth, service, query="fre") == [user.user_id]


async def test_filters_by_role_and_team(auth: RunningAuth, company: Company) -> None:
    assert await listed(auth, company.service, role=user_pb2.ROLE_CLIENT) == ["client-east", "client-west"]
    assert await listed(auth, company.service, role=user_pb2.ROLE_CLIENT, team="west") == ["client-west"]
    assert await listed(auth, company.service, team="absent") == []
    assert await listed(auth, company.people["client-east"].metadata, role=user_pb2.ROLE_CLIENT) == ["client-east"]


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"query": "x" * 101}, "query"),
        ({"query": "a\x00b"}, "query"),
        ({"query": "a b c d e f g h i j k"}, "query"),
        ({"role": 99}, "role"),
        ({"team": "x" * 65}, "team"),
    ],
)
async def test_bad_listings_are_named(
    auth: RunningAuth, company: Company, request_fields: dict[str, Any], field: str
) -> None:
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", field):
        await listed(auth, company.service, **request_fields)


async def test_a_negative_page_size_is_named(auth: RunningAuth, company: Company) -> None:
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "pageSize"):
        await listed(auth, company.service, page_size=-1)


async def test_page_tokens_that_were_tampered_with_or_are_of_another_listing_are_refused(
    auth: RunningAuth, company: Company
) -> None:
    admin = company.people["admin-east"].metadata

    async def page(metadata: Metadata, token: str, **request: Any) -> str:
        response = await auth.directory.ListUsers(
            directory_pb2.ListUsersRequest(page_size=2, page_token=token, **request), metadata=metadata, timeout=20
        )
        return response.next_page_token

    token = await page(admin, "")
    assert await page(admin, token)
    last = "A" if token[5] != "A" else "B"
    for bad in ("x", "!", token[:-2], token[:5] + last + token[6:], "A" * 5_000, "é"):
        with refused(Category.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN", "pageToken"):
            await page(admin, bad)
    with refused(Category.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN", "pageToken"):
        await page(admin, token, query="a")
    with refused(Category.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN", "pageToken"):
        await page(company.people["client-east"].metadata, token)


async def test_batches_have_a_limit_and_each_bad_id_is_named(auth: RunningAuth, company: Company) -> None:
    admin = company.people["admin-east"].metadata
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "userIds"):
        await auth.directory.BatchGetUsers(
            directory_pb2.BatchGetUsersRequest(user_ids=["a"] * 201), metadata=admin, timeout=20
        )
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "userIds"):
        await auth.directory.CheckContacts(
            directory_pb2.CheckContactsRequest(user_ids=["a"] * 5_001), metadata=admin, timeout=20
        )
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "userIds"):
        await auth.directory.BatchGetUsers(
            directory_pb2.BatchGetUsersRequest(user_ids=["a", "", "b/c"]), metadata=admin, timeout=20
        )
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "userIds"):
        await allowed(auth, admin, ["/"] * 5_000)
    with refused(Category.INVALID_ARGUMENT, "INVALID_FIELDS", "userId"):
        await auth.directory.GetUser(directory_pb2.GetUserRequest(), metadata=admin, timeout=20)
    many = [f"user-{number}" for number in range(4_999)]
    assert await allowed(auth, admin, [*many, "lead-east"]) == {"lead-east": True}
